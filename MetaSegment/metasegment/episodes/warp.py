"""Spatial augmentation: one random rotation, flip, scale and elastic deformation, sampled once for image and masks."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Generator, Tensor
from torch.nn.functional import affine_grid, avg_pool3d, grid_sample

from ..fields.bending import random_bending
from ..fields.chance import choose, happens, integer, shuffled, uniform
from ..fields.rotation import rotation

#: Largest displacement of the elastic field as a share of the volume's edge.
ELASTIC = 0.06


@dataclass(frozen=True)
class View:
    """A part of a source volume, resampled: `values` (c, k, j, i) float32, `spacing` in mm (k, j, i)."""

    values: Tensor
    spacing: tuple[float, float, float]


def random_view(
    values: Tensor,
    spacing: tuple[float, float, float],
    cells: int,
    generator: Generator,
    mode: str = "bilinear",
) -> View:
    """Warps a crop (c, k, j, i) onto a new grid of about `cells` voxels with its own axes, orientation and slice
    thickness.
    """
    lengths = [n * s for n, s in zip(values.shape[1:], spacing, strict=True)]
    edge = max((math.prod(lengths) / cells) ** (1 / 3), 0.5 * min(spacing))
    order = shuffled(generator, 3)
    values = values.permute(0, *(1 + axis for axis in order))
    shape = [max(16, min(128, round(lengths[axis] / edge))) for axis in order]
    theta = _affine([lengths[axis] for axis in order], generator).to(values.device)
    field = affine_grid(theta[None], [1, 1, *shape], align_corners=False)
    if happens(generator, 0.5):
        field = field + _elastic(shape, generator)
    out = grid_sample(values[None].float(), field, mode=mode, padding_mode="border", align_corners=False)[0]
    edges = [lengths[axis] / n for axis, n in zip(order, shape, strict=True)]
    if mode == "bilinear" and happens(generator, 0.4):
        out, edges = _thick_slices(out, edges, integer(generator, 2, 5))
    return View(out, (edges[0], edges[1], edges[2]))


def random_rotation(limit: float, generator: Generator) -> Tensor:
    """Returns a rotation (3, 3) about each axis in turn, by at most `limit` radians. On the host."""
    return rotation([uniform(generator, -limit, limit) for _ in range(3)])


def _affine(lengths: list[float], generator: Generator) -> Tensor:
    """Output to input coordinates (3, 4) in grid_sample's units: x, y, z, each -1…1 over the crop. On the host."""
    turn = random_rotation(choose(generator, (0.0, math.pi / 12, math.pi), (0.3, 0.45, 0.25)), generator)
    stretch = torch.tensor([uniform(generator, 0.8, 1.1) * choose(generator, (-1, 1)) for _ in range(3)], device="cpu")
    physical = torch.tensor(lengths[::-1], device="cpu")
    matrix = turn * stretch * physical / physical[:, None]
    return torch.cat([matrix, matrix.new_zeros(3, 1)], 1)


def _elastic(shape: list[int], generator: Generator) -> Tensor:
    points = [integer(generator, 3, 7) for _ in range(3)]
    return random_bending(shape, points, ELASTIC * uniform(generator, 0.2, 1.0), generator)


def _thick_slices(values: Tensor, edges: list[float], factor: int) -> tuple[Tensor, list[float]]:
    """Averages slices along the first axis, as a scanner with thick slices does."""
    factor = min(factor, values.shape[1] // 10)
    if factor < 2:
        return values, edges
    return avg_pool3d(values[None], (factor, 1, 1))[0], [edges[0] * factor, *edges[1:]]
