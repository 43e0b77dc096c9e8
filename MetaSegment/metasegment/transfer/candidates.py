"""Candidates for objects of a kind: a detector learnt from those drawn, and again from what it found of another size or
shape, which are no such objects.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Generator, Tensor

from ..progress import Progress
from .detector import learn_to_detect
from .likeness import Difference, Profile, difference, profile_of
from .object_view import INSIDE, ObjectView
from .parts import Part, depth_of, part_of, parts_of

#: From so large a difference on from every example, as natural logarithms, a part is surely no such object: of its
#: volume, and of its elongation.
OTHER_SIZE, OTHER_SHAPE = math.log(8), math.log(2)
#: Parts smaller than this share of the smallest example are not looked at.
LEAST_VOLUME = 0.1
#: What a difference of one costs in confidence, as its natural logarithm: of volume, elongation and intensities.
COSTS = (0.35, 1.0, 1.0)
#: A part is an example where that covers this share of it; it is rejected where so much of it is known to be none.
SAME, REJECTED = 0.25, 0.25
#: The detector is learnt so many times.
ROUNDS = 2


@dataclass(frozen=True, eq=False)
class Candidate:
    """A part of a view that may be an object, how it differs from the examples, and how sure it is one, 0…1."""

    part: Part
    difference: Difference
    confidence: float


def find_candidates(view: ObjectView, wrong: Tensor, seed: int, progress: Progress) -> tuple[list[Candidate], Tensor]:
    """Candidates, surest first, and the probability of each cell (k, j, i) of a view to lie in an object.

    `wrong` (k, j, i) marks the cells known to be in none. Examples are no candidates.
    """
    generator = Generator().manual_seed(seed)
    drawn = view.share > INSIDE
    examples = [part_of(view.share[w] > INSIDE, w, view.share, view.cell_mm) for w in view.windows]
    profiles = [profile_of(example, view, drawn) for example in examples]
    depth = min(depth_of(example.mask, view.cell_mm) for example in examples)
    least = LEAST_VOLUME * min(example.volume_mm3 for example in examples)
    unknown, others = torch.ones_like(wrong), wrong
    for number in range(ROUNDS):
        progress.report("looking for objects", 0.1 + 0.5 * number / ROUNDS)
        detector = learn_to_detect(view, unknown, others, generator, progress)
        probability = detector.probability(view, progress)
        parts = list(parts_of(probability, view.cell_mm, depth, least))
        candidates = [_candidate(part, view, profiles, probability) for part in parts]
        unknown, others = _sorted_out(candidates, wrong)
    found = [c for c in candidates if _share(drawn, c.part) < SAME and _share(wrong, c.part) < REJECTED]
    return sorted(found, key=lambda c: -c.confidence), probability


def _candidate(part: Part, view: ObjectView, examples: Sequence[Profile], probability: Tensor) -> Candidate:
    differs = difference(profile_of(part, view, probability > INSIDE), examples)
    size, shape, intensity = COSTS
    cost = size * differs.volume + shape * differs.elongation + intensity * differs.quantiles
    return Candidate(part, differs, part.probability * math.exp(-cost))


def _sorted_out(candidates: Sequence[Candidate], wrong: Tensor) -> tuple[Tensor, Tensor]:
    """Cells (k, j, i) that are in no part, and those known to be in no object or in a part of another size or shape."""
    free, others = torch.ones_like(wrong), wrong.clone()
    for candidate in candidates:
        part, differs = candidate.part, candidate.difference
        free[part.region] &= ~part.mask
        if differs.volume > OTHER_SIZE or differs.elongation > OTHER_SHAPE:
            others[part.region] |= part.mask
    return free, others


def _share(cells: Tensor, part: Part) -> float:
    return float(cells[part.region][part.mask].float().mean())
