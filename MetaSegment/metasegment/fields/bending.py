"""A smooth displacement of every cell, for elastic deformation: of training volumes and of taught ones alike."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Generator, Tensor
from torch.nn.functional import interpolate


def random_bending(shape: Sequence[int], points: Sequence[int], deviation: float, generator: Generator) -> Tensor:
    """Draws displacements (1, k, j, i, 3) in grid_sample's units, normal at `points` along each axis, linear between.

    `deviation` is that at the points, as a share of half the field.
    """
    coarse = torch.randn(1, 3, *points, generator=generator, device=generator.device) * deviation
    return interpolate(coarse, size=list(shape), mode="trilinear", align_corners=True).movedim(1, -1)
