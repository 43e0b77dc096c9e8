"""Where a structure may be, judged from its annotated slices alone: the first working box and how far it may grow."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from ..grid import Box, filled_planes
from .interpolation import annotated_planes

#: The box is this much longer than what is seen of the structure, so that it fills about 60 % of an axis.
MARGIN_FACTOR = 1.6
#: Least margin on each side in voxels: a tiny structure still needs context.
LEAST_MARGIN = 4.0


@dataclass(frozen=True)
class Extent:
    """The voxels `low` … `high` - 1 (k, j, i) that hold the annotated part of a structure.

    `filled` and `empty` are, for each axis, the indices of the annotated planes across it with and without the
    structure.
    """

    low: tuple[int, int, int]
    high: tuple[int, int, int]
    filled: tuple[tuple[int, ...], ...]
    empty: tuple[tuple[int, ...], ...]


def annotated_extent(labels: Tensor, structure: int) -> Extent | None:
    """Returns the extent of a structure in labels (k, j, i) uint8; None where it is not annotated."""
    mask = labels == structure
    found = [filled_planes(mask, axis) for axis in range(3)]
    if not len(found[0]):
        return None
    planes = annotated_planes(labels != 0)
    low, high = [int(f[0]) for f in found], [int(f[-1]) + 1 for f in found]
    shown = [torch.isin(p, f) for p, f in zip(planes, found, strict=True)]
    return Extent(
        (low[0], low[1], low[2]),
        (high[0], high[1], high[2]),
        tuple(tuple(p[s].tolist()) for p, s in zip(planes, shown, strict=True)),
        tuple(tuple(p[~s].tolist()) for p, s in zip(planes, shown, strict=True)),
    )


def structure_box(extent: Extent, spacing: Sequence[float], shape: Sequence[int]) -> Box:
    """Returns box around the annotated part of a structure, with margins, within `box_limits`.

    `spacing` is in mm (k, j, i), `shape` that of the volume. Where all slices are parallel, the unseen axis gets at
    least the mean length seen in the slices.
    """
    lengths = [(b - a) * s for a, b, s in zip(extent.low, extent.high, spacing, strict=True)]
    sliced = [axis for axis in range(3) if extent.filled[axis] or extent.empty[axis]]
    limits = box_limits(extent, shape)
    start, stop = [], []
    for axis in range(3):
        seen = lengths[axis]
        if sliced == [axis]:
            seen = max(seen, (sum(lengths) - lengths[axis]) / 2)
        voxels = extent.high[axis] - extent.low[axis]
        wanted = max(MARGIN_FACTOR * seen / spacing[axis], voxels + 2 * LEAST_MARGIN)
        centre = (extent.low[axis] + extent.high[axis]) / 2
        start.append(max(centre - wanted / 2, limits.start[axis]))
        stop.append(min(centre + wanted / 2, limits.stop[axis]))
    return Box.of(start, stop)


def holding(box: Box, extent: Extent, limits: Box) -> Box:
    """Returns the box, grown with a margin on the sides where it does not hold an extent; as it is where it does."""
    start, stop = list(box.start), list(box.stop)
    for axis in range(3):
        if extent.low[axis] < start[axis]:
            start[axis] = max(extent.low[axis] - LEAST_MARGIN, limits.start[axis])
        if extent.high[axis] > stop[axis]:
            stop[axis] = min(extent.high[axis] + LEAST_MARGIN, limits.stop[axis])
    return Box.of(start, stop)


def box_limits(extent: Extent, shape: Sequence[int]) -> Box:
    """Returns the box that no growth may leave: the volume, cut where an annotated slice says that the structure is
    absent.
    """
    start = [max((p for p in extent.empty[a] if p < extent.low[a]), default=0) for a in range(3)]
    stop = [min((p + 1 for p in extent.empty[a] if p >= extent.high[a]), default=shape[a]) for a in range(3)]
    return Box.of(start, stop)
