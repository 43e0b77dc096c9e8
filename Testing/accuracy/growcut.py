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
import slicer
import torch
from unseen import COUNTS, Row, table
from vtkmodules.util.numpy_support import numpy_to_vtk, vtk_to_numpy
from vtkmodules.vtkCommonDataModel import vtkImageData

from metasegment.episodes.held_out import HeldOutTask, held_out_tasks
from metasegment.episodes.slices import STRUCTURE

#: Slicer's effect grows the box of all seeds by this share of its length along each axis, by at least so many
#: voxels (AbstractScriptedSegmentEditorAutoCompleteEffect.preview, first initialisation), and works inside.
EXTENT_GROWTH_RATIO, LEAST_MARGIN = 0.1, 3
#: "Seed locality" of the effect as it opens: no cost of distance, only of changes of intensity.
DISTANCE_PENALTY = 0.0


def grow_cut(image: np.ndarray, labels: np.ndarray, spacing_kji: Sequence[float]) -> np.ndarray:
    """Slicer's GrowCut through the whole of `image` (k, j, i), any scalar type, at least 3 voxels along each axis.

    `labels` are uint8 seeds of the same shape: 0 unknown, 1...254 structures, 255 background; `spacing_kji` is in mm.
    Returns uint8 labels of that shape, every voxel with the label of the seeds that reach it at the least sum of
    intensity changes (Zhu et al., IMIC 2014). Raises ValueError where the volume is too thin for the filter.
    """
    if min(image.shape) < 3:
        raise ValueError(f"GrowCut needs 3 voxels along each axis, not {image.shape}")
    filter_ = slicer.vtkImageGrowCutSegment()
    filter_.SetIntensityVolume(_vtk_image(image, spacing_kji))
    filter_.SetSeedLabelVolume(_vtk_image(labels, spacing_kji))
    filter_.SetDistancePenalty(DISTANCE_PENALTY)
    filter_.Update()
    return vtk_to_numpy(filter_.GetOutput().GetPointData().GetScalars()).reshape(image.shape).copy()


def grow_from_seeds(image: np.ndarray, labels: np.ndarray, spacing_kji: Sequence[float]) -> np.ndarray:
    """What the effect "Grow from seeds" yields: `grow_cut` near the seeds only, 0 elsewhere (arguments as there)."""
    where = effect_region(labels)
    result = np.zeros_like(labels)
    result[where] = grow_cut(image[where], labels[where], spacing_kji)
    return result


def effect_region(labels: np.ndarray) -> tuple[slice, ...]:
    """The box (k, j, i) that Slicer's effect works in, for seeds `labels` (k, j, i) of which some are not 0."""
    region = []
    for seeds, size in zip(np.nonzero(labels), labels.shape, strict=True):
        first, last = int(seeds.min()), int(seeds.max())
        margin = int(max(LEAST_MARGIN, EXTENT_GROWTH_RATIO * (last - first)))
        region.append(slice(max(0, first - margin), min(size, last + margin + 1)))
    return tuple(region)


def _vtk_image(array: np.ndarray, spacing_kji: Sequence[float]) -> vtkImageData:
    image = vtkImageData()
    image.SetDimensions(array.shape[::-1])
    image.SetSpacing(*spacing_kji[::-1])
    image.GetPointData().SetScalars(numpy_to_vtk(array.ravel(), deep=True))
    return image


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
