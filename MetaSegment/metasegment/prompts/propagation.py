"""Slice propagation: annotated slices carried along the image, from slice to slice, as far as the grid goes.

The idea of Sli2Vol (Yeung et al., arXiv 2105.12722) with optical flow in place of a learnt affinity. It sees the image
and the annotated slices that it is given, nothing else.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from .flow import flows, warp
from .interpolation import annotated_planes, signed_distance

#: Image change, in standard deviations a slice, that even a perfect match adds: of two equal matches the nearer counts.
STEP_CHANGE = 0.1
#: Image change at which half of the trust in a carried slice is gone; the channel is change / (change + this).
HALF_TRUST = 2.0


@dataclass(frozen=True)
class Propagation:
    """What was carried to each cell (k, j, i): `surface`, the signed distance in mm, positive inside, no further than a
    cell, and `change`, the image change met on the way there, 0 (none) … 1.
    """

    surface: Tensor
    change: Tensor


def propagate(image: Tensor, fg: Tensor, known: Tensor, spacing: Sequence[float]) -> Propagation | None:
    """Carries the fully known planes of every family of parallel planes to all cells; None where there is none.

    `image` is standardised (k, j, i) float32, `fg` and `known` are boolean (k, j, i), `spacing` the cells' size in mm.
    A plane that is known to be empty ends the structure there and says nothing before.
    """
    found = [
        _along(axis, indices, image, fg, spacing)
        for axis, indices in enumerate(annotated_planes(known))
        if len(indices) and bool(fg.movedim(axis, 0)[indices].any())
    ]
    if not found:
        return None
    both = _by_least_change(torch.stack([f.surface for f in found]), torch.stack([f.change for f in found]))
    return Propagation(both.surface, 1 - HALF_TRUST / (both.change + HALF_TRUST))


def _along(axis: int, indices: Tensor, image: Tensor, fg: Tensor, spacing: Sequence[float]) -> Propagation:
    slices, masks = image.movedim(axis, 0), fg.movedim(axis, 0)[indices]
    plane_spacing = [s for a, s in enumerate(spacing) if a != axis]
    filled = masks.flatten(1).any(1)
    # The mean of far distances would make sections vanish that no longer overlap: 1.5 points of Dice on training
    # structures, 5 where slices are 16 cells apart.
    fields = signed_distance(masks[filled], plane_spacing).clamp(-min(plane_spacing), min(plane_spacing))
    shown = dict(zip(indices[filled].tolist(), fields, strict=True))
    empty = set(indices[~filled].tolist())
    forwards = _carried(slices, shown, empty)
    backwards = _carried(slices.flip(0), *_mirrored(shown, empty, len(slices)))
    both = _by_least_change(
        torch.stack([forwards.surface, backwards.surface.flip(0)]),
        torch.stack([forwards.change, backwards.change.flip(0)]),
    )
    return Propagation(both.surface.movedim(0, axis), both.change.movedim(0, axis))


def _mirrored(shown: dict[int, Tensor], empty: set[int], size: int) -> tuple[dict[int, Tensor], set[int]]:
    return {size - 1 - n: field for n, field in shown.items()}, {size - 1 - n for n in empty}


def _carried(slices: Tensor, shown: dict[int, Tensor], empty: set[int]) -> Propagation:
    """Each shown slice carried towards higher indices, up to the next known one; `change` is infinite where nothing
    came, `surface` far outside there.
    """
    nowhere = -sum(slices.shape[1:]) * torch.ones_like(slices[0])
    surfaces, changes = [], []
    first = min(shown)
    moves = flows(slices[first:-1], slices[first + 1 :]) if first + 1 < len(slices) else None
    state: Tensor | None = None
    for n, content in enumerate(slices):
        if n in shown:
            state = torch.stack([shown[n], torch.zeros_like(content)])
        elif n in empty:
            state = None
        elif state is not None and moves is not None:
            moved = warp(torch.cat([state, slices[n - 1][None]])[None], moves[n - 1 - first][None])[0]
            state = torch.stack([moved[0], moved[1] + (content - moved[2]).abs() + STEP_CHANGE])
        surfaces.append(nowhere if state is None else state[0])
        changes.append(torch.full_like(content, torch.inf) if state is None else state[1])
    return Propagation(torch.stack(surfaces), torch.stack(changes))


def _by_least_change(surfaces: Tensor, changes: Tensor) -> Propagation:
    """Means of what came on several ways (n, …), by the inverse of the change that each met."""
    weights = 1 / (changes + STEP_CHANGE)
    total = weights.sum(0)
    surface = torch.where(total > 0, (weights * surfaces).sum(0) / total.clamp(min=1e-9), surfaces.amax(0))
    return Propagation(surface, changes.amin(0))
