"""Where a mask is: the planes of a volume that hold any of it, asked of the device in one go, and its surroundings."""

from __future__ import annotations

import torch
from torch import Tensor

#: A crop shows this many times the length of the structure, and so many voxels beyond a small one: the ROI and its
#: context come from inside it.
CONTEXT, LEAST_CONTEXT = 2.2, 12


def filled_planes(mask: Tensor) -> list[list[int]]:
    """Returns indices of the planes across k, j and i that hold a part of a boolean mask (k, j, i), in
    ascending order.
    """
    rows = mask.any(2)
    present: list[bool] = torch.cat([rows.any(1), rows.any(0), mask.flatten(0, 1).any(0)]).tolist()
    found, first = [], 0
    for size in mask.shape:
        found.append([n for n in range(size) if present[first + n]])
        first += size
    return found


def surroundings(mask: Tensor) -> tuple[slice, slice, slice]:
    """Returns the crop of a volume that shows a mask (k, j, i), not empty, with its context."""
    slices = []
    for size, found in zip(mask.shape, filled_planes(mask), strict=True):
        low, high = found[0], found[-1] + 1
        margin = max(LEAST_CONTEXT, round((CONTEXT - 1) / 2 * (high - low)))
        slices.append(slice(max(0, low - margin), min(size, high + margin)))
    return slices[0], slices[1], slices[2]
