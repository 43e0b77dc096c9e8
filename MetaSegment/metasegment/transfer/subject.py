"""All that one segmented volume teaches, and what several subjects say of a new volume together."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from statistics import mean

import numpy as np
import torch
from torch import Generator, Tensor

from ..grid import Grid, Triple, ends, resample
from ..measures.dice import dice
from ..progress import Progress
from .components import largest_part
from .delineator import FEATURES as SHAPE_FEATURES
from .delineator import Delineator, learn_to_delineate
from .locator import FEATURES as PLACE_FEATURES
from .locator import Locator, learn_to_locate
from .perceptron import Perceptron

#: Detections that overlap by this Dice mean the same place.
SAME_PLACE = 0.3
#: Names of sizes among the numbers of a subject, and what they can be in mm or mm³.
CELL, SIZE = "cell_mm", "size_mm"
LEAST_SIZE, LARGEST_SIZE = 1e-6, 1e9
#: A structure is not there where no cell of the first look is at least so probable.
LEAST_PROBABILITY = 0.15


@dataclass(frozen=True)
class TaughtSubject:
    """Where structures lie, and each of them, in their order."""

    locator: Locator
    delineators: tuple[Delineator, ...]


@dataclass(frozen=True)
class Detection:
    """A structure found: its probability (k, j, i), 0…1, on a grid of the volume around it.

    What speaks for it: `agreement` is the Dice of the first look at the whole volume and this one, `growth` the natural
    logarithm of its volume over that of the structure where it was taught.
    """

    grid: Grid
    probability: Tensor
    agreement: float
    growth: float


@dataclass(frozen=True)
class LocationHint:
    """What else is known of where a structure is: a place in mm, and how well a detection fits, 0…1."""

    centre_mm: Triple
    fit: Callable[[Detection], float]


def learn_subject(
    image: Tensor, masks: Sequence[Tensor], spacing: Sequence[float], seed: int, progress: Progress
) -> TaughtSubject:
    """Learns from an image and the masks of its structures, float32 (k, j, i), with voxels of `spacing` mm."""
    generator = Generator().manual_seed(seed)
    progress.enter("learning the task", 0.0)
    locator = learn_to_locate(image, masks, spacing, generator, progress)
    delineators = []
    for number, mask in enumerate(masks):
        progress.enter("learning the task", (number + 1) / (len(masks) + 1))
        delineators.append(learn_to_delineate(image, mask, spacing, generator, progress))
    progress.leave()
    return TaughtSubject(locator, tuple(delineators))


def look_for(
    subjects: Sequence[TaughtSubject],
    image: Tensor,
    spacing: Sequence[float],
    progress: Progress,
    hints: Mapping[int, LocationHint] | None = None,
) -> list[Detection | None]:
    """Returns each structure as the subjects find it in an image (k, j, i), on average; None where it seems not to be
    there.

    Where there is a hint, by the structure's place in the subjects, it is looked for there as well.
    """
    found: list[list[Detection]] = [[] for _ in subjects[0].delineators]
    for subject in subjects:
        grid, probabilities = subject.locator.probabilities(image, spacing, progress)
        for number, (delineator, probability) in enumerate(zip(subject.delineators, probabilities, strict=True)):
            highest, hint = float(probability.max()), (hints or {}).get(number)
            first = probability > highest / 2
            centres = [_centre(first, grid, spacing)] if highest >= LEAST_PROBABILITY else []
            centres += [hint.centre_mm] if hint else []
            closer = [_closer_look(first, grid, delineator, image, spacing, centre, progress) for centre in centres]
            if closer:
                found[number].append(max(closer, key=hint.fit) if hint else closer[0])
    return [_agreed(detections, len(subjects)) for detections in found]


def _closer_look(
    first: Tensor,
    grid: Grid,
    delineator: Delineator,
    image: Tensor,
    spacing: Sequence[float],
    centre_mm: Triple,
    progress: Progress,
) -> Detection:
    """The structure around a place, compared with the first look, a mask (k, j, i) on a grid of the whole volume."""
    fine, probability = delineator.probability(image, spacing, centre_mm, progress)
    found = probability > 0.5
    both = found & (resample(first, fine.within(grid)) > 0.5)
    here, there = (math.prod(g.cell_spacing(spacing)) for g in (fine, grid))
    seen, before = float(found.sum()) * here, float(first.sum()) * there
    agreement = 2 * float(both.sum()) * here / max(seen + before, here)
    return Detection(fine, probability, agreement, math.log(max(seen, here) / delineator.volume_mm3))


def _centre(mask: Tensor, grid: Grid, spacing: Sequence[float]) -> Triple:
    """Centre in mm of the largest part of a mask (k, j, i)."""
    found = ends(largest_part(mask))
    assert found is not None
    middle = (found[0] + found[1]) / 2
    k, j, i = (float(m) * step * s for m, step, s in zip(middle, grid.step, spacing, strict=True))
    return k, j, i


def _agreed(detections: Sequence[Detection], subjects: int) -> Detection | None:
    """The mean of the detection that most speaks for, and of those that mean the same place, where at least half of the
    subjects have one.
    """
    if 2 * len(detections) < subjects or not detections:
        return None
    best = max(detections, key=lambda s: s.agreement - abs(s.growth))
    seen = [resample(s.probability, best.grid.within(s.grid)) for s in detections]
    same = [n for n, other in enumerate(seen) if dice(other > 0.5, best.probability > 0.5) >= SAME_PLACE]
    if not same:
        return best
    agreement, growth = mean(detections[n].agreement for n in same), mean(detections[n].growth for n in same)
    return Detection(best.grid, torch.stack([seen[n] for n in same]).mean(0), agreement, growth)


def to_numbers(subjects: Sequence[TaughtSubject]) -> dict[str, np.ndarray]:
    """Returns the subjects as named arrays of half precision, but for a few sizes."""
    numbers: dict[str, np.ndarray] = {}
    for n, subject in enumerate(subjects):
        numbers[f"{n}/{CELL}"] = np.array(subject.locator.cell_mm, np.float32)
        numbers |= _of(subject.locator.perceptron, f"{n}/locator")
        for m, delineator in enumerate(subject.delineators):
            numbers[f"{n}/{m}/{SIZE}"] = np.array([*delineator.size_mm, delineator.volume_mm3], np.float32)
            numbers |= _of(delineator.perceptron, f"{n}/{m}")
    return numbers


def from_numbers(numbers: Mapping[str, np.ndarray], structures: int) -> list[TaughtSubject]:
    """Returns what `to_numbers` was given, as far as half precision keeps it; ValueError where it is not that."""
    subjects: list[TaughtSubject] = []
    while f"{len(subjects)}/{CELL}" in numbers:
        n = len(subjects)
        delineators = []
        for m in range(structures):
            k, j, i, volume = _sizes(numbers, f"{n}/{m}/{SIZE}", 4)
            perceptron = _perceptron(numbers, f"{n}/{m}", SHAPE_FEATURES, 1)
            delineators.append(Delineator(perceptron, (k, j, i), volume))
        (cell,) = _sizes(numbers, f"{n}/{CELL}", 1)
        locator = Locator(_perceptron(numbers, f"{n}/locator", PLACE_FEATURES, structures), cell)
        subjects.append(TaughtSubject(locator, tuple(delineators)))
    if not subjects:
        raise ValueError("no subject")
    return subjects


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
