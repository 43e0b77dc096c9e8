"""Smooth random fields and separable linear maps, the material of synthetic anatomy.

Label maps are made of them in shapes.py, images in rendering.py.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Generator, Tensor


def smooth_field(shape: Sequence[int], cell: float, generator: Generator, channels: int = 1) -> Tensor:
    """Gaussian fields (channels, k, j, i), unit variance: cubic B-splines with a knot every `cell` voxels."""
    positions = [torch.arange(n, device=generator.device) / cell for n in shape]
    knots = [math.ceil((n - 1) / cell) + 3 for n in shape]
    bases = [spline_basis(p, count) for p, count in zip(positions, knots, strict=True)]
    coarse = torch.randn(channels, *knots, generator=generator, device=generator.device)
    unit = [basis / basis.norm(dim=1, keepdim=True) for basis in bases]
    return along_axes(coarse, unit)


def along_axes(values: Tensor, matrices: Sequence[Tensor | None]) -> Tensor:
    """Applies a matrix (new, old), or none, to each of the axes k, j, i of `values` (channels, k, j, i)."""
    for_k, for_j, for_i = matrices
    if for_k is not None:
        values = (for_k @ values.flatten(2)).unflatten(2, values.shape[2:])
    if for_j is not None:
        values = for_j @ values
    return values if for_i is None else values @ for_i.T


def spline_basis(positions: Tensor, knots: int) -> Tensor:
    """Returns weights (positions, knots) of the uniform cubic B-spline; position 0 is on the second knot."""
    away = (positions[:, None] + 1 - torch.arange(knots, device=positions.device)).abs()
    near = 2 / 3 - away**2 + away**3 / 2
    return torch.where(away < 1, near, (2 - away).clamp(min=0) ** 3 / 6)
