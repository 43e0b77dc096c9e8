"""Ways to carry slices compared on training structures, by the gap between two annotated slices and by seconds:
`python Testing/measure/flows.py --data DATA`.

Prints a table: Dice on the slices between two annotated ones that lie 2 … 30 cells of the working grid apart, and on
all slices of the structure but one, from that one. The learnt affinity sees other cases than the measured ones.
"""

from __future__ import annotations

import argparse
import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from statistics import mean, stdev
from types import SimpleNamespace
from typing import Any
from unittest import mock

import cv2
import numpy as np
import torch
from affinity import train
from torch import Tensor

from metasegment.annotation import BACKGROUND
from metasegment.episodes.layouts import Case, read_case
from metasegment.episodes.slices import STRUCTURE
from metasegment.grid import filled_planes, resample, working_grid
from metasegment.measures.dice import dice
from metasegment.prompts import Scene, annotated_extent, flow, propagation, structure_box
from metasegment.prompts.appearance import learn_appearance
from metasegment.prompts.channels import known_fractions
from metasegment.prompts.interpolation import interpolate, signed_distance

CELLS = 64**3
#: Cases of each data set that are measured, and those that the affinity is trained on.
MEASURED, TRAINED_ON = slice(0, 2), slice(2, 6)
GAPS = (2, 4, 8, 16, 30)

Flows = Callable[[Tensor, Tensor], Tensor]


@dataclass(frozen=True)
class Structure:
    """A structure on its working grid: `image` standardised and `truth` boolean (k, j, i), `spacing` in mm."""

    name: str
    image: Tensor
    truth: Tensor
    spacing: tuple[float, float, float]


@dataclass(frozen=True)
class Way:
    """A way to carry slices: its flow, and what else differs from `metasegment.prompts.propagation`."""

    name: str
    flows: Flows
    changed: tuple[tuple[Any, str, Any], ...] = ()


class Remembered:
    """Flows between all neighbouring slices of an image along k, both ways, found once."""

    def __init__(self, find: Flows, image: Tensor):
        turned = image.flip(0)
        self._last = (image[-2], turned[-2])
        self._found = (find(image[:-1], image[1:]), find(turned[:-1], turned[1:]))

    def __call__(self, source: Tensor, target: Tensor) -> Tensor:
        found = self._found[0 if torch.equal(source[-1], self._last[0]) else 1]
        return found[len(found) - len(source) :]


def structures(data: Path, cases: slice, most: int) -> Iterator[Structure]:
    """Up to `most` structures of every training data set, spread over some of its cases."""
    for dataset in sorted(path for path in (data / "train").iterdir() if path.is_dir()):
        folders = sorted(path.parent for path in dataset.glob("*/labels.nii.gz"))[cases]
        for n, folder in enumerate(folders):
            volume = read_case(
                Case(dataset.name, folder.name, folder / "image.nii.gz", folder / "labels.nii.gz", licence="")
            )
            assert volume.image is not None
            labels = [int(x) for x in volume.labels.unique() if x]
            share = max(1, most // len(folders))
            for label in labels[n % len(labels) :: max(1, len(labels) // share)][:share]:
                name = f"{dataset.name}/{folder.name}/{label}"
                found = on_grid(name, volume.image.float(), volume.labels == label, volume.spacing)
                if found is not None:
                    yield found


def on_grid(name: str, image: Tensor, mask: Tensor, spacing: tuple[float, float, float]) -> Structure | None:
    """The structure on the grid that three axial slices of it give; None of one that is on too few."""
    filled = filled_planes(mask, axis=0)
    if len(filled) < 5:
        return None
    indices = filled[(torch.tensor([0.12, 0.5, 0.88]) * (len(filled) - 1)).round().long()]
    labels = torch.zeros(mask.shape, dtype=torch.uint8)
    labels[indices] = torch.where(mask[indices], STRUCTURE, BACKGROUND).to(torch.uint8)
    scene = Scene(image, labels, spacing)
    extent = annotated_extent(labels, STRUCTURE)
    assert extent is not None
    grid = working_grid(structure_box(extent, spacing, mask.shape), spacing, CELLS)
    seen = scene.image_on(grid)
    standardised = learn_appearance(seen, *known_fractions(scene, STRUCTURE, grid)).standardise(seen)
    return Structure(name, standardised, resample(mask.float(), grid) > 0.5, grid.cell_spacing(spacing))


def questions(truth: Tensor) -> dict[str, tuple[list[int], Tensor]]:
    """For each column of the table, the annotated planes and the planes that are scored."""
    filled = filled_planes(truth, axis=0)
    middle = int(filled[len(filled) // 2])
    found = {}
    for gap in GAPS:
        low, high = middle - gap // 2, middle - gap // 2 + gap
        if low >= int(filled[0]) and high <= int(filled[-1]):
            found[str(gap)] = [low, high], torch.arange(low + 1, high)
    return found | {"one slice": ([middle], filled[filled != middle])}


def ways() -> list[Way]:
    """All that is compared without training, the released way first."""

    def farneback(a: np.ndarray, b: np.ndarray, start: np.ndarray) -> np.ndarray:
        return cv2.calcOpticalFlowFarneback(a, b, start, 0.5, 3, 15, 3, 5, 1.2, 0)

    def preset(name: str) -> tuple[tuple[Any, str, Any], ...]:
        return ((cv2, "DISOPTICAL_FLOW_PRESET_MEDIUM", getattr(cv2, f"DISOPTICAL_FLOW_PRESET_{name}")),)

    def clipped(cells: int) -> tuple[tuple[Any, str, Any], ...]:
        def distance(masks: Tensor, spacing: Sequence[float]) -> Tensor:
            most = cells * min(spacing)
            return signed_distance(masks, spacing).clamp(-most, most)

        return ((propagation, "signed_distance", distance),)

    factory = SimpleNamespace(create=lambda _: SimpleNamespace(calc=farneback))
    return [
        Way("DIS, medium", flow._dis),
        Way("DIS, fast", flow._dis, preset("FAST")),
        Way("DIS, ultrafast", flow._dis, preset("ULTRAFAST")),
        Way("DIS on 128 pixels", flow._dis, ((flow, "LEAST_PIXELS", 128),)),
        Way("DIS, ways weighted by distance", flow._dis, ((propagation, "STEP_CHANGE", 1e3),)),
        Way("DIS, masks carried", flow._dis, ((propagation, "signed_distance", lambda mask, _: mask.float() - 0.5),)),
        Way("DIS, distances up to 1 cell carried", flow._dis, clipped(1)),
        Way("DIS, distances up to 2 cells carried", flow._dis, clipped(2)),
        Way("DIS, distances up to 4 cells carried", flow._dis, clipped(4)),
        Way("Farnebäck", flow._dis, ((cv2, "DISOpticalFlow", factory),)),
        Way("demons (torch)", flow._demons),
        Way("no flow", lambda source, _: source.new_zeros(len(source), 2, *source.shape[1:])),
    ]


def scores(way: Way, structure: Structure) -> tuple[dict[str, float], float]:
    """Dice of each question, and the CPU seconds of one structure: all flows both ways and one slice carried."""
    found = {}
    with ExitStack() as stack:
        for module, name, value in way.changed:
            stack.enter_context(mock.patch.object(module, name, value))
        start = time.process_time()
        remembered = Remembered(way.flows, structure.image)
        seconds = time.process_time() - start
        stack.enter_context(mock.patch.object(propagation, "flows", remembered))
        for question, (planes, scored) in questions(structure.truth).items():
            known = torch.zeros_like(structure.truth)
            known[planes] = True
            start = time.process_time()
            carried = propagation.propagate(structure.image, structure.truth & known, known, structure.spacing)
            last = time.process_time() - start
            assert carried is not None
            found[question] = dice((carried.surface > 0)[scored], structure.truth[scored])
    return found, seconds + last


def interpolated(structure: Structure) -> tuple[dict[str, float], float]:
    """The same by shape interpolation, which does not see the image."""
    found, start = {}, time.process_time()
    for question, (planes, scored) in questions(structure.truth).items():
        known = torch.zeros_like(structure.truth)
        known[planes] = True
        surface = interpolate(structure.truth & known, known, structure.spacing)
        found[question] = dice((surface > 0)[scored], structure.truth[scored])
    return found, (time.process_time() - start) / len(found)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--most", type=int, default=2, help="structures of a data set")
    parser.add_argument("--steps", type=int, default=1000, help="steps that the affinity is trained for; 0: without it")
    options = parser.parse_args()
    torch.set_num_threads(1)
    cv2.setNumThreads(1)
    compared_ways = ways()
    if options.steps:
        images = [structure.image for structure in structures(options.data, TRAINED_ON, 4)]
        affinity = train(images, options.steps, partial(print, flush=True))
        compared_ways.append(Way("learnt affinity (torch)", affinity.flows))
    compared: dict[str, Callable[[Structure], tuple[dict[str, float], float]]] = {
        way.name: partial(scores, way) for way in compared_ways
    }
    compared["shape interpolation"] = interpolated
    results: dict[str, list[tuple[dict[str, float], float]]] = defaultdict(list)
    for structure in structures(options.data, MEASURED, options.most):
        for name, measure in compared.items():
            results[name].append(measure(structure))
        print(structure.name, tuple(structure.truth.shape), results[next(iter(compared))][-1], flush=True)
    print_table(results)


def print_table(results: dict[str, list[tuple[dict[str, float], float]]]) -> None:
    """One row a way; the difference is that of each structure's mean to the first way's, with its standard error."""
    columns = [*map(str, GAPS), "one slice"]
    first = [mean(found.values()) for found, _ in next(iter(results.values()))]
    print("| way | " + " | ".join(columns) + " | difference | CPU seconds |")
    for name, rows in results.items():
        dice = [mean([found[c] for found, _ in rows if c in found]) for c in columns]
        apart = [mean(found.values()) - other for (found, _), other in zip(rows, first, strict=True)]
        error = stdev(apart) / len(apart) ** 0.5
        seconds = mean(s for _, s in rows)
        shown = " | ".join(f"{d:.3f}" for d in dice)
        print(f"| {name} | {shown} | {100 * mean(apart):+.1f} ± {100 * error:.1f} | {seconds:.3f} |")
    counts = {c: sum(c in found for found, _ in next(iter(results.values()))) for c in columns}
    print("structures:", counts)


if __name__ == "__main__":
    main()
