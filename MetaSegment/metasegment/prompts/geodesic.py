"""Geodesic competition: which seeds, structure or background, reach a cell along the cheaper path through the image.

The soft, coarse relative of GrowCut (Vezhnevets & Konouchine 2005) and of geodesic matting (Bai & Sapiro, IJCV 2009).
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor

from ..grid import on_axis
from .interpolation import annotated_planes

#: Cost of crossing one mean cell edge of flat tissue, in standard deviations of intensity: ties go to the nearer seed.
LENGTH_COST = 0.05
#: Rounds of six directional sweeps: paths may bend this many times, after which the margin no longer moved on real
#: volumes.
ROUNDS = 4
UNREACHED = 1e4
#: Beyond the outermost of several slices the lead fades by one over so many diameters of the structure on that slice:
#: no seeds stop a leak there, and few structures go on for more than their width. Worth 6 points of Dice with 3 slices
#: and 9 with 5 on the validation structures; a fade by the distance between the slices cut structures short.
FADE_DIAMETERS = 1.25


def margin(image: Tensor, fg: Tensor, bg: Tensor, spacing: Sequence[float]) -> Tensor:
    """Relative lead of the structure's seeds over the background's, -1…1 (k, j, i).

    `image` is standardised (k, j, i); `fg`, `bg` are seed masks of the same shape; `spacing` is the cell size in mm.
    Without seeds of one kind the other wins everywhere; without any the margin is 0.
    """
    seeds = torch.stack([fg, bg]) > 0
    distance = torch.where(seeds, 0.0, UNREACHED)
    mean_edge = sum(spacing) / 3
    costs = [image.diff(dim=axis).abs() + LENGTH_COST * spacing[axis] / mean_edge for axis in range(3)]
    # Measured: a scan is six times slower than planes on a CPU, and takes a twentieth of the kernels on a GPU.
    sweep = sweep_by_scan if distance.is_cuda else sweep_by_planes
    for _ in range(ROUNDS):
        for axis in range(3):
            sweep(distance.movedim(axis + 1, 0), costs[axis].movedim(axis, 0))
    to_fg, to_bg = distance
    return (to_bg - to_fg) / (to_bg + to_fg).clamp(min=LENGTH_COST)


def faded(margin: Tensor, fg: Tensor, known: Tensor, spacing: Sequence[float]) -> Tensor:
    """Returns the margin (k, j, i) less its fading beyond the slices that show the structure, where two or more are
    parallel.

    `fg` is the share of structure on each cell, `known` the annotated cells, both (k, j, i); `spacing` in mm.
    """
    for axis, indices in enumerate(annotated_planes(known)):
        areas = (fg.movedim(axis, 0)[indices] >= 0.5).flatten(1).sum(1) * math.prod(spacing) / spacing[axis]
        shown, areas = indices[areas > 0], areas[areas > 0]
        if len(shown) and shown[-1] - shown[0] >= len(shown):  # neighbours may be one slice in two layers of cells
            first, last = FADE_DIAMETERS * 2 * (areas[[0, -1]] / math.pi).sqrt() / spacing[axis]
            cells = torch.arange(margin.shape[axis], device=margin.device)
            loss = (shown[0] - cells).clamp(min=0) / first + (cells - shown[-1]).clamp(min=0) / last
            margin = margin - on_axis(loss, axis)
    return margin.clamp(min=-2)


def sweep_by_planes(distance: Tensor, cost: Tensor) -> None:
    """Relaxes the planes of one axis in place, forwards and then backwards: `distance` (n, 2, …), `cost` (n - 1, …)."""
    planes, steps = distance.unbind(0), cost.unbind(0)
    for n in range(1, len(planes)):
        torch.minimum(planes[n], planes[n - 1] + steps[n - 1], out=planes[n])
    for n in range(len(planes) - 2, -1, -1):
        torch.minimum(planes[n], planes[n + 1] + steps[n], out=planes[n])


def sweep_by_scan(distance: Tensor, cost: Tensor) -> None:
    """Returns the same as `sweep_by_planes`, up to rounding: from one end, the least of all distances less the way to
    them.
    """
    way = torch.cat([cost.new_zeros(1, *cost.shape[1:]), cost]).cumsum(0)[:, None]
    forwards = (distance - way).cummin(0).values + way
    backwards = (distance + way).flip(0).cummin(0).values.flip(0) - way
    torch.minimum(forwards, backwards, out=distance)
