"""Which slices a simulated user annotates, and how well."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Generator, Tensor
from torch.nn.functional import avg_pool2d, interpolate

from ..annotation import BACKGROUND
from ..fields.chance import choose, happens, integer, uniform
from .filled import filled_planes

#: Chances of 1…7 annotated slices.
SLICE_COUNTS = (0.32, 0.2, 0.25, 0.07, 0.08, 0.04, 0.04)
#: The structure's number in an episode.
STRUCTURE = 1


def annotate(mask: Tensor, generator: Generator) -> Tensor:
    """Returns labels (k, j, i) uint8 of a few slices of a boolean mask: 0 unknown, 1 structure, 255 background."""
    labels = torch.zeros(mask.shape, dtype=torch.uint8, device=mask.device)
    drawn = _noisy(mask, generator) if happens(generator, 0.25) else mask
    if happens(generator, 0.06):
        return _annotate_oblique(labels, drawn, generator)
    count = choose(generator, range(1, 8), SLICE_COUNTS)
    axis = choose(generator, (0, 1, 2), (0.6, 0.2, 0.2))
    crossing = happens(generator, 0.2)
    filled = filled_planes(drawn)
    for n, share in enumerate(_placement(count, generator)):
        across = (axis + n) % 3 if crossing else axis
        _draw(labels, drawn, across, filled[across], share)
    if happens(generator, 0.3):
        _draw_empty(labels, mask, axis, generator)
    return labels


def _placement(count: int, generator: Generator) -> list[float]:
    """Positions of slices within the extent of the structure, 0…1."""
    style = choose(generator, ("even", "random", "clustered", "one side", "ends"), (0.55, 0.2, 0.1, 0.1, 0.05))
    if style == "ends" and count > 1:
        return [
            uniform(generator, 0, 0.1),
            uniform(generator, 0.9, 1),
            *(uniform(generator, 0.1, 0.9) for _ in range(count - 2)),
        ]
    if style in ("clustered", "one side") and count > 1:
        width = uniform(generator, 0.15, 0.5)
        first = (
            choose(generator, (0.05, 0.95 - width)) if style == "one side" else uniform(generator, 0.05, 0.95 - width)
        )
        return [uniform(generator, first, first + width) for _ in range(count)]
    if style == "random":
        return [uniform(generator, 0.05, 0.95) for _ in range(count)]
    if count == 1:
        return [uniform(generator, 0.3, 0.7)]
    return [0.12 + 0.76 * n / (count - 1) + uniform(generator, -0.05, 0.05) for n in range(count)]


def _draw(labels: Tensor, mask: Tensor, axis: int, filled: Sequence[int], share: float) -> None:
    if filled:
        index = filled[min(max(round(share * (len(filled) - 1)), 0), len(filled) - 1)]
        plane = mask.movedim(axis, 0)[index]
        labels.movedim(axis, 0)[index] = torch.where(plane, STRUCTURE, BACKGROUND).to(torch.uint8)


def _draw_empty(labels: Tensor, mask: Tensor, axis: int, generator: Generator) -> None:
    """A slice beyond one end or both, mostly just beyond, on which the user says "not here"."""
    filled = filled_planes(mask)[axis]
    if not filled:
        return
    length = filled[-1] - filled[0] + 1
    beyond = integer(generator, 1, 2 if happens(generator, 0.6) else max(4, length // 2))
    ends = choose(generator, ((-1,), (1,), (-1, 1)))
    for end in ends:
        index = filled[0] - beyond if end < 0 else filled[-1] + beyond
        if 0 <= index < labels.shape[axis]:
            labels.movedim(axis, 0)[index] = BACKGROUND


def _annotate_oblique(labels: Tensor, mask: Tensor, generator: Generator) -> Tensor:
    """One plane of random orientation through a random voxel of the structure."""
    inside = mask.nonzero()
    if not len(inside):
        return labels
    point = inside[integer(generator, 0, len(inside) - 1)]
    normal = torch.randn(3, generator=generator, device=generator.device)
    normal = normal / normal.norm()
    axes = [torch.arange(n, device=mask.device) - p for n, p in zip(mask.shape, point, strict=True)]
    height = normal[0] * axes[0][:, None, None] + normal[1] * axes[1][:, None] + normal[2] * axes[2]
    sheet = height.abs() <= 0.5 * normal.abs().sum()
    return torch.where(sheet, torch.where(mask, STRUCTURE, BACKGROUND), labels).to(torch.uint8)


def _noisy(mask: Tensor, generator: Generator) -> Tensor:
    """A hand's contour: off by about a voxel, smoothly along the outline, sometimes systematically wide or tight."""
    soft = avg_pool2d(mask[None].float(), 3, stride=1, padding=1)[0]
    coarse = torch.randn(1, 1, *(max(2, n // 5) for n in mask.shape), generator=generator, device=generator.device)
    jitter = interpolate(coarse, size=mask.shape, mode="trilinear")[0, 0]
    bias = choose(generator, (0.0, -0.25, 0.25), (0.6, 0.2, 0.2))
    drawn = soft + uniform(generator, 0.1, 0.35) * jitter + bias > 0.5
    return torch.where((soft > 0) & (soft < 1), drawn, mask)
