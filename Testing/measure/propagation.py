"""Slice propagation beside shape interpolation and the network's first answer, between annotated slices of training
structures: `python Testing/measure/propagation.py --data DATA`.

Prints, for each number of annotated axial slices, the mean Dice over structures on the cells of the working grid that
lie between the outermost slices and were not annotated, and the seconds of one structure.
"""

from __future__ import annotations

import argparse
import time
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from statistics import mean
from unittest import mock

import torch
from torch import Tensor

from metasegment.annotation import BACKGROUND
from metasegment.episodes.layouts import Case, read_case
from metasegment.episodes.slices import STRUCTURE
from metasegment.grid import resample, working_grid
from metasegment.measures.dice import overlap
from metasegment.network.engine import Engine
from metasegment.network.unet import load_network
from metasegment.prompts import Scene, annotated_extent, flow, make_channels, make_prompt, structure_box
from metasegment.prompts.propagation import propagate

CELLS = 64**3


def structures(data: Path, most: int) -> Iterator[tuple[str, Tensor, Tensor, tuple[float, float, float]]]:
    """Name, image, mask (k, j, i) and spacing of up to `most` structures of two cases of every data set."""
    for dataset in sorted(path for path in (data / "train").iterdir() if path.is_dir()):
        for folder in sorted(path.parent for path in dataset.glob("*/labels.nii.gz"))[:2]:
            case = Case(dataset.name, folder.name, folder / "image.nii.gz", folder / "labels.nii.gz", licence="")
            volume = read_case(case)
            assert volume.image is not None
            labels = [int(x) for x in volume.labels.unique() if x]
            for label in labels[:: max(1, len(labels) // most)][:most]:
                yield (
                    f"{dataset.name}/{folder.name}/{label}",
                    volume.image.float(),
                    volume.labels == label,
                    volume.spacing,
                )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--most", type=int, default=3, help="structures of a case")
    options = parser.parse_args()
    engine = Engine(load_network(), "cpu")
    scores: dict[tuple[int, str], list[float]] = defaultdict(list)
    seconds: dict[str, list[float]] = defaultdict(list)
    for name, image, mask, spacing in structures(options.data, options.most):
        filled = mask.flatten(1).any(1).nonzero()[:, 0]
        for count in (1, 3, 5):
            if len(filled) < 2 * count + 2:
                continue
            shares = torch.linspace(0.12, 0.88, count) if count > 1 else torch.tensor([0.5])
            indices = filled[(shares * (len(filled) - 1)).round().long()]
            labels = torch.zeros(mask.shape, dtype=torch.uint8)
            labels[indices] = torch.where(mask[indices], STRUCTURE, BACKGROUND).to(torch.uint8)
            scene = Scene(image, labels, spacing)
            extent = annotated_extent(labels, STRUCTURE)
            assert extent is not None
            grid = working_grid(structure_box(extent, spacing, mask.shape), spacing, CELLS)
            prompt = make_prompt(scene, STRUCTURE, grid)
            channels = make_channels(scene, STRUCTURE, prompt, grid)
            known = channels[1] + channels[2] > 0
            truth = resample(mask.float(), grid) > 0.5
            planes = known.flatten(1).all(1).nonzero()[:, 0]
            scored = ~known
            if count > 1:
                scored[: planes[0]] = scored[planes[-1] :] = False
            answers = {"network": torch.sigmoid(engine.logits(channels))}
            answers["interpolation"] = torch.sigmoid(prompt.interpolation / min(grid.cell_spacing(spacing)))
            for method, patched in (("DIS", None), ("demons", flow._demons)):
                start = time.perf_counter()
                with mock.patch.object(flow, "_dis", patched or flow._dis):
                    found = propagate(channels[0], channels[1] >= 0.5, known, grid.cell_spacing(spacing))
                seconds[method].append(time.perf_counter() - start)
                assert found is not None
                answers[method] = torch.sigmoid(found.surface / min(grid.cell_spacing(spacing)))
            answers["mean of network and DIS"] = (answers["network"] + answers["DIS"]) / 2
            for method, answer in answers.items():
                scores[count, method].append(overlap((answer > 0.5)[scored], truth[scored]))
        print(name, {f"{c} {m}": round(v[-1], 3) for (c, m), v in scores.items()}, flush=True)
    for (count, method), values in sorted(scores.items()):
        print(f"{count} slices, {method:24s} {mean(values):.3f} of {len(values)} structures")
    for method, values in seconds.items():
        print(f"{method}: {mean(values):.3f} s a structure")


if __name__ == "__main__":
    main()
