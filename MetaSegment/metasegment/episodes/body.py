"""Fills what a label map of a body leaves open: space between organs that no label names is tissue, not air."""

from __future__ import annotations

import torch
from torch import Generator, Tensor
from torch.nn.functional import interpolate, max_pool3d

from ..fields.chance import integer, uniform
from ..fields.smooth import smooth_field

#: Cells of the coarse copy on which the body is closed, along its longest side, and how many of them are bridged.
COARSE, BRIDGED = 40, 4
#: Share of the body without a label above which it is filled.
OPEN = 0.05


def filled_body(labels: Tensor, generator: Generator) -> Tensor:
    """Returns labels (k, j, i) with random tissue, numbered from the largest label on, in the unlabelled part of the
    body.
    """
    inside = _closed(labels > 0)
    gaps = inside & (labels == 0)
    if int(gaps.sum()) < OPEN * int(inside.sum()):
        return labels
    field = smooth_field(labels.shape, max(labels.shape) * uniform(generator, 0.05, 0.3), generator)[0]
    kinds = integer(generator, 2, 6)
    levels = (
        field[gaps].quantile(torch.linspace(0, 1, kinds + 1, device=field.device)[1:-1]) if kinds > 1 else field[:0]
    )
    tissue = int(labels.max()) + 1 + torch.bucketize(field[gaps], levels)
    out = labels.clone()
    out[gaps] = tissue.to(labels.dtype)
    return out


def _closed(mask: Tensor) -> Tensor:
    """The mask (k, j, i) with bays and gaps bridged, and what it surrounds along two axes, on a coarse copy."""
    scale = COARSE / max(mask.shape)
    size = [max(4, round(n * min(1.0, scale))) for n in mask.shape]
    coarse = interpolate(mask[None, None].float(), size=size, mode="area") > 0.2
    width = 2 * BRIDGED + 1
    padded = torch.nn.functional.pad(coarse.float(), [BRIDGED] * 6)
    wide = max_pool3d(padded, width, stride=1, padding=BRIDGED)
    closed = -max_pool3d(-wide, width, stride=1, padding=BRIDGED)
    cut = closed[0, 0, BRIDGED:-BRIDGED, BRIDGED:-BRIDGED, BRIDGED:-BRIDGED] > 0.5
    votes = torch.stack([_between(cut, axis) for axis in range(3)]).sum(0)
    return interpolate((cut | (votes > 1))[None, None].float(), size=mask.shape, mode="nearest")[0, 0] > 0.5


def _between(mask: Tensor, axis: int) -> Tensor:
    """Cells with a part of the mask on either side along an axis."""
    whole = mask.int()
    return (whole.cummax(axis).values & whole.flip(axis).cummax(axis).values.flip(axis)) > 0
