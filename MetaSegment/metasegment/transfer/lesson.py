"""All that one segmented volume teaches, and what several lessons say of a new volume together."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Generator, Tensor

from ..roi import Grid, Triple, resample
from ..watch import Watch
from .components import largest_part
from .delineator import CELLS as STRUCTURE_CELLS
from .delineator import ROOM, Delineator, around, learn_to_delineate
from .locator import Locator, learn_to_locate
from .perceptron import Perceptron

#: A structure is not there where no cell of the first look is at least so probable.
LEAST_PROBABILITY = 0.15


@dataclass(frozen=True)
class Lesson:
    """Where structures lie, and each of them, in their order."""

    locator: Locator
    delineators: tuple[Delineator, ...]


@dataclass(frozen=True)
class Sighting:
    """A structure found: its probability (k, j, i), 0…1, on a grid of the volume around it."""

    grid: Grid
    probability: Tensor


def learn_lesson(image: Tensor, masks: Sequence[Tensor], spacing: Sequence[float], seed: int, watch: Watch) -> Lesson:
    """Learns from an image and the masks of its structures, float32 (k, j, i), with voxels of `spacing` mm."""
    generator = Generator().manual_seed(seed)
    watch.enter("learning the task", 0.0)
    locator = learn_to_locate(image, masks, spacing, generator, watch)
    delineators = []
    for number, mask in enumerate(masks):
        watch.enter("learning the task", (number + 1) / (len(masks) + 1))
        delineators.append(learn_to_delineate(image, mask, spacing, generator, watch))
    watch.leave()
    return Lesson(locator, tuple(delineators))


def look_for(lessons: Sequence[Lesson], image: Tensor, spacing: Sequence[float], watch: Watch) -> list[Sighting | None]:
    """Each structure as the lessons find it in an image (k, j, i), on average; None where it seems not to be there."""
    found: list[list[Sighting]] = [[] for _ in lessons[0].delineators]
    for lesson in lessons:
        grid, probabilities = lesson.locator.probabilities(image, spacing, watch)
        for sightings, delineator, probability in zip(found, lesson.delineators, probabilities, strict=True):
            centre = _centre(probability, grid, spacing)
            if centre:
                sightings.append(Sighting(*delineator.probability(image, spacing, centre, watch)))
    return [_agreed(sightings, len(lessons), spacing) for sightings in found]


def _centre(probability: Tensor, grid: Grid, spacing: Sequence[float]) -> Triple | None:
    """Centre in mm of the largest part that is at least half as probable as the most probable cell."""
    highest = float(probability.max())
    if highest < LEAST_PROBABILITY:
        return None
    places = largest_part(probability > highest / 2).nonzero().float()
    middle = (places.amin(0) + places.amax(0) + 1) / 2
    k, j, i = (float(m) * step * s for m, step, s in zip(middle, grid.step, spacing, strict=True))
    return k, j, i


def _agreed(sightings: Sequence[Sighting], lessons: int, spacing: Sequence[float]) -> Sighting | None:
    """The mean of the sightings, where at least half of the lessons have one."""
    if 2 * len(sightings) < lessons or not sightings:
        return None
    if len(sightings) == 1:
        return sightings[0]
    boxes = [s.grid.box for s in sightings]
    centre, size = [], []
    for axis in range(3):
        starts, stops = (
            sorted(edge[axis] for edge in edges) for edges in zip(*((b.start, b.stop) for b in boxes), strict=True)
        )
        low, high = starts[len(starts) // 2], stops[len(stops) // 2]
        centre.append((low + high) / 2 * spacing[axis])
        size.append((high - low) * spacing[axis] / ROOM)
    grid, _ = around((centre[0], centre[1], centre[2]), (size[0], size[1], size[2]), ROOM, STRUCTURE_CELLS, spacing)
    return Sighting(grid, torch.stack([resample(s.probability, grid.within(s.grid)) for s in sightings]).mean(0))


def to_numbers(lessons: Sequence[Lesson]) -> dict[str, np.ndarray]:
    """The lessons as named arrays of half precision, but for a few sizes."""
    numbers: dict[str, np.ndarray] = {}
    for n, lesson in enumerate(lessons):
        numbers[f"{n}/cell_mm"] = np.array(lesson.locator.cell_mm, np.float32)
        numbers |= _of(lesson.locator.perceptron, f"{n}/locator")
        for m, delineator in enumerate(lesson.delineators):
            numbers[f"{n}/{m}/size_mm"] = np.array(delineator.size_mm, np.float32)
            numbers |= _of(delineator.perceptron, f"{n}/{m}")
    return numbers


def from_numbers(numbers: Mapping[str, np.ndarray]) -> list[Lesson]:
    """What `to_numbers` was given, as far as half precision keeps it; KeyError where something is missing."""
    lessons: list[Lesson] = []
    while f"{len(lessons)}/cell_mm" in numbers:
        n = len(lessons)
        delineators: list[Delineator] = []
        while f"{n}/{len(delineators)}/size_mm" in numbers:
            prefix = f"{n}/{len(delineators)}"
            k, j, i = (float(v) for v in numbers[f"{prefix}/size_mm"])
            delineators.append(Delineator(_perceptron(numbers, prefix), (k, j, i)))
        locator = Locator(_perceptron(numbers, f"{n}/locator"), float(numbers[f"{n}/cell_mm"]))
        lessons.append(Lesson(locator, tuple(delineators)))
    return lessons


def _of(perceptron: Perceptron, prefix: str) -> dict[str, np.ndarray]:
    return {f"{prefix}/{name}": values.half().numpy() for name, values in perceptron.numbers.items()}


def _perceptron(numbers: Mapping[str, np.ndarray], prefix: str) -> Perceptron:
    names = [name for name in numbers if name.rpartition("/")[0] == prefix and not name.endswith("_mm")]
    return Perceptron({n.rpartition("/")[2]: torch.from_numpy(numbers[n].astype(np.float32)) for n in names})
