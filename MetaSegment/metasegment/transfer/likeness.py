"""How much a part resembles the examples, as numbers that need no learning: its size, its shape, and what its
intensities are within and around it.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from .object_view import ObjectView, dilated
from .parts import Part

#: Quantiles of the intensities within and around a part.
QUANTILES = (0.1, 0.5, 0.9)
#: Width in cells of what is looked at around a part, beyond one cell of partial volume.
AROUND = 2


@dataclass(frozen=True, eq=False)
class Profile:
    """Volume and elongation as natural logarithms; quantiles (6,) of a view's values within a part and around it."""

    volume: float
    elongation: float
    quantiles: Tensor


@dataclass(frozen=True)
class Difference:
    """From the nearest example, or from what lies between two: 0 is alike."""

    volume: float
    elongation: float
    quantiles: float


def profile_of(part: Part, view: ObjectView, taken: Tensor) -> Profile:
    """Of a part of a view; cells `taken` (k, j, i) by others of the kind do not count around it."""
    margin = AROUND + 1
    starts = [max(0, p.start - margin) for p in part.region]
    stops = [min(n, p.stop + margin) for p, n in zip(part.region, view.values.shape, strict=True)]
    k, j, i = (slice(a, b) for a, b in zip(starts, stops, strict=True))
    own = torch.zeros([b - a for a, b in zip(starts, stops, strict=True)], dtype=torch.bool)
    own[tuple(slice(p.start - a, p.stop - a) for p, a in zip(part.region, starts, strict=True))] = part.mask
    near = dilated(own, (1, 1, 1))
    around = dilated(near, (AROUND,) * 3) & ~near & ~taken[k, j, i]
    values, levels = view.values[k, j, i], torch.tensor(QUANTILES)
    within = torch.quantile(values[own], levels)
    beyond = torch.quantile(values[around], levels) if bool(around.any()) else within
    return Profile(math.log(part.volume_mm3), part.elongation, torch.cat([within, beyond]))


def difference(one: Profile, examples: Sequence[Profile]) -> Difference:
    """How a part differs from the examples."""
    return Difference(
        _beyond(one.volume, [e.volume for e in examples]),
        _beyond(one.elongation, [e.elongation for e in examples]),
        min(float((one.quantiles - e.quantiles).abs().mean()) for e in examples),
    )


def _beyond(value: float, known: Sequence[float]) -> float:
    return max(0.0, min(known) - value, value - max(known))
