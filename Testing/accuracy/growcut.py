"""Accuracy of Slicer's "Grow from seeds" (GrowCut) on the held-out tasks: the peer that MetaSegment is compared with.

Runs Slicer's own filter, `vtkImageGrowCutSegment`; does not run MetaSegment, and draws nothing. The filter comes
with slicer-core, which needs a VTK of its own and therefore a virtual environment of its own:

    python3 -m venv venv-slicer
    venv-slicer/bin/pip install slicer-core==5.12.4.0 numpy SimpleITK torch==2.13.0 monai safetensors
    export PYTHONPATH=MetaSegment
    venv-slicer/bin/python Testing/accuracy/growcut.py --data ../shared/data --output growcut.json
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import torch
from unseen import COUNTS, Row, table

from metasegment.benchmark.region import effect_region
from metasegment.benchmark.slicer_filters import grow_cut
from metasegment.episodes.held_out import HeldOutTask, held_out_tasks
from metasegment.episodes.slices import STRUCTURE


def grow_from_seeds(image: np.ndarray, labels: np.ndarray, spacing_kji: Sequence[float]) -> np.ndarray:
    """What the effect "Grow from seeds" yields: `grow_cut` near the seeds only, 0 elsewhere (arguments as there)."""
    where = effect_region(labels)
    result = np.zeros_like(labels)
    result[where] = grow_cut(image[where], labels[where], spacing_kji)
    return result


def rows_of(task: HeldOutTask) -> Iterator[Row]:
    """Dice of one task, in the box of the seeds and in the whole volume."""
    scene = task.scene
    image, labels = scene.image.numpy().astype(np.int16), scene.labels.numpy()  # as the files have them
    for name, method in METHODS.items():
        found = torch.from_numpy(method(image, labels, scene.spacing) == STRUCTURE)
        fields = {"dataset": task.dataset, "case": task.case, "label": task.label, "slices": task.slices}
        yield {"method": name, **fields, "dice": task.dice(found)}


METHODS = {"GrowCut as Slicer's effect runs it": grow_from_seeds, "GrowCut in the whole volume": grow_cut}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="folder that holds validation/<dataset>/<case>/")
    parser.add_argument("--output", type=Path, required=True, help="JSON file to write, one row a task and method")
    arguments = parser.parse_args()
    rows = [row for task in held_out_tasks(arguments.data, COUNTS) for row in rows_of(task)]
    arguments.output.write_text(json.dumps(rows))
    print(table(rows))


if __name__ == "__main__":
    main()
