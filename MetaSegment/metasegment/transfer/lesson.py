"""All that one segmented volume teaches, and what several lessons say of a new volume together."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from statistics import mean

import numpy as np
import torch
from torch import Generator, Tensor

from ..overlap import overlap
from ..roi import Grid, Triple, resample
from ..watch import Watch
from .components import largest_part
from .delineator import FEATURES as SHAPE_FEATURES
from .delineator import Delineator, learn_to_delineate
from .locator import FEATURES as PLACE_FEATURES
from .locator import Locator, learn_to_locate
from .perceptron import Perceptron

#: Sightings that overlap by this Dice mean the same place.
SAME_PLACE = 0.3
#: Names of sizes among the numbers of a lesson, and what they can be in mm or mm³.
CELL, SIZE = "cell_mm", "size_mm"
LEAST_SIZE, LARGEST_SIZE = 1e-6, 1e9
#: A structure is not there where no cell of the first look is at least so probable.
LEAST_PROBABILITY = 0.15


@dataclass(frozen=True)
class Lesson:
    """Where structures lie, and each of them, in their order."""

    locator: Locator
    delineators: tuple[Delineator, ...]


@dataclass(frozen=True)
class Sighting:
    """A structure found: its probability (k, j, i), 0…1, on a grid of the volume around it.

    What speaks for it: `agreement` is the Dice of the first look at the whole volume and this one, `growth` the natural
    logarithm of its volume over that of the structure where it was taught.
    """

    grid: Grid
    probability: Tensor
    agreement: float
    growth: float


@dataclass(frozen=True)
class Clue:
    """What else is known of where a structure is: a place in mm, and how well a sighting fits, 0…1."""

    centre_mm: Triple
    fit: Callable[[Sighting], float]


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


def look_for(
    lessons: Sequence[Lesson],
    image: Tensor,
    spacing: Sequence[float],
    watch: Watch,
    clues: Mapping[int, Clue] | None = None,
) -> list[Sighting | None]:
    """Each structure as the lessons find it in an image (k, j, i), on average; None where it seems not to be there.

    Where there is a clue, by the structure's place in the lessons, it is looked for there as well.
    """
    found: list[list[Sighting]] = [[] for _ in lessons[0].delineators]
    for lesson in lessons:
        grid, probabilities = lesson.locator.probabilities(image, spacing, watch)
        for number, (delineator, probability) in enumerate(zip(lesson.delineators, probabilities, strict=True)):
            highest, clue = float(probability.max()), (clues or {}).get(number)
            first = probability > highest / 2
            centres = [_centre(first, grid, spacing)] if highest >= LEAST_PROBABILITY else []
            centres += [clue.centre_mm] if clue else []
            closer = [_closer_look(first, grid, delineator, image, spacing, centre, watch) for centre in centres]
            if closer:
                found[number].append(max(closer, key=clue.fit) if clue else closer[0])
    return [_agreed(sightings, len(lessons)) for sightings in found]


def _closer_look(
    first: Tensor,
    grid: Grid,
    delineator: Delineator,
    image: Tensor,
    spacing: Sequence[float],
    centre_mm: Triple,
    watch: Watch,
) -> Sighting:
    """The structure around a place, compared with the first look, a mask (k, j, i) on a grid of the whole volume."""
    fine, probability = delineator.probability(image, spacing, centre_mm, watch)
    found = probability > 0.5
    both = found & (resample(first, fine.within(grid)) > 0.5)
    here, there = (math.prod(g.cell_spacing(spacing)) for g in (fine, grid))
    seen, before = float(found.sum()) * here, float(first.sum()) * there
    agreement = 2 * float(both.sum()) * here / max(seen + before, here)
    return Sighting(fine, probability, agreement, math.log(max(seen, here) / delineator.volume_mm3))


def _centre(mask: Tensor, grid: Grid, spacing: Sequence[float]) -> Triple:
    """Centre in mm of the largest part of a mask (k, j, i)."""
    places = largest_part(mask).nonzero().float()
    middle = (places.amin(0) + places.amax(0) + 1) / 2
    k, j, i = (float(m) * step * s for m, step, s in zip(middle, grid.step, spacing, strict=True))
    return k, j, i


def _agreed(sightings: Sequence[Sighting], lessons: int) -> Sighting | None:
    """The mean of the sighting that most speaks for, and of those that mean the same place, where at least half of the
    lessons have one.
    """
    if 2 * len(sightings) < lessons or not sightings:
        return None
    best = max(sightings, key=lambda s: s.agreement - abs(s.growth))
    seen = [resample(s.probability, best.grid.within(s.grid)) for s in sightings]
    same = [n for n, other in enumerate(seen) if overlap(other > 0.5, best.probability > 0.5) >= SAME_PLACE]
    if not same:
        return best
    agreement, growth = mean(sightings[n].agreement for n in same), mean(sightings[n].growth for n in same)
    return Sighting(best.grid, torch.stack([seen[n] for n in same]).mean(0), agreement, growth)


def to_numbers(lessons: Sequence[Lesson]) -> dict[str, np.ndarray]:
    """The lessons as named arrays of half precision, but for a few sizes."""
    numbers: dict[str, np.ndarray] = {}
    for n, lesson in enumerate(lessons):
        numbers[f"{n}/{CELL}"] = np.array(lesson.locator.cell_mm, np.float32)
        numbers |= _of(lesson.locator.perceptron, f"{n}/locator")
        for m, delineator in enumerate(lesson.delineators):
            numbers[f"{n}/{m}/{SIZE}"] = np.array([*delineator.size_mm, delineator.volume_mm3], np.float32)
            numbers |= _of(delineator.perceptron, f"{n}/{m}")
    return numbers


def from_numbers(numbers: Mapping[str, np.ndarray], structures: int) -> list[Lesson]:
    """What `to_numbers` was given, as far as half precision keeps it; ValueError where it is not that."""
    lessons: list[Lesson] = []
    while f"{len(lessons)}/{CELL}" in numbers:
        n = len(lessons)
        delineators = []
        for m in range(structures):
            k, j, i, volume = _sizes(numbers, f"{n}/{m}/{SIZE}", 4)
            perceptron = _perceptron(numbers, f"{n}/{m}", SHAPE_FEATURES, 1)
            delineators.append(Delineator(perceptron, (k, j, i), volume))
        (cell,) = _sizes(numbers, f"{n}/{CELL}", 1)
        locator = Locator(_perceptron(numbers, f"{n}/locator", PLACE_FEATURES, structures), cell)
        lessons.append(Lesson(locator, tuple(delineators)))
    if not lessons:
        raise ValueError("no lesson")
    return lessons


def _of(perceptron: Perceptron, prefix: str) -> dict[str, np.ndarray]:
    return {f"{prefix}/{name}": values.half().numpy() for name, values in perceptron.numbers.items()}


def _perceptron(numbers: Mapping[str, np.ndarray], prefix: str, features: int, structures: int) -> Perceptron:
    names = [name for name in numbers if name.rpartition("/")[0] == prefix and name.rpartition("/")[2] != SIZE]
    found = Perceptron({n.rpartition("/")[2]: torch.from_numpy(numbers[n].astype(np.float32)) for n in names})
    found.require(features, structures)
    return found


def _sizes(numbers: Mapping[str, np.ndarray], name: str, count: int) -> list[float]:
    found = numbers.get(name, np.zeros(0)).reshape(-1).tolist()
    if len(found) != count or not all(LEAST_SIZE < size < LARGEST_SIZE for size in found):
        raise ValueError(f"{name} is missing or no size")
    return found
