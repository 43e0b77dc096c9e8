"""Where a structure may be, judged from its annotated slices alone: the first working box."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from ..roi import Box
from .interpolation import annotated_planes

#: The box is this much longer than what is seen of the structure, so that it fills about 60 % of an axis.
MARGIN_FACTOR = 1.6
#: Least margin on each side in voxels: a tiny structure still needs context.
LEAST_MARGIN = 4.0


def structure_box(labels: Tensor, structure: int, spacing: Sequence[float]) -> Box | None:
    """Box around the annotated part of a structure, with margins, within the volume; None where it is not annotated.

    `labels` is (k, j, i) uint8. Where all slices are parallel, the unseen axis gets at least the mean length seen in the
    slices; an annotated slice without the structure ends the box there.
    """
    mask = labels == structure
    found = [mask.any(dim=_others(axis)[1]).any(dim=_others(axis)[0]).nonzero()[:, 0] for axis in range(3)]
    if not len(found[0]):
        return None
    low = [int(f[0]) for f in found]
    high = [int(f[-1]) + 1 for f in found]
    lengths = [(b - a) * s for a, b, s in zip(low, high, spacing, strict=True)]
    planes = annotated_planes(labels != 0)
    sliced = [axis for axis in range(3) if len(planes[axis])]
    start, stop = [], []
    for axis in range(3):
        seen = lengths[axis]
        if sliced == [axis]:
            seen = max(seen, sum(lengths[a] for a in _others(axis)) / 2)
        wanted = max(MARGIN_FACTOR * seen / spacing[axis], high[axis] - low[axis] + 2 * LEAST_MARGIN)
        centre = (low[axis] + high[axis]) / 2
        empty = planes[axis][~torch.isin(planes[axis], found[axis])]
        floor = max((int(p) for p in empty if p < low[axis]), default=0)
        ceiling = min((int(p) + 1 for p in empty if p >= high[axis]), default=labels.shape[axis])
        start.append(max(centre - wanted / 2, float(floor)))
        stop.append(min(centre + wanted / 2, float(ceiling)))
    return Box((start[0], start[1], start[2]), (stop[0], stop[1], stop[2]))


def _others(axis: int) -> tuple[int, int]:
    return {0: (1, 2), 1: (0, 2), 2: (0, 1)}[axis]
