"""Masks of simple structures, and slices drawn on them, as tensors."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from metasegment.annotation import BACKGROUND
from metasegment.grid import Box, Grid

ORGAN = 1


def index_of(shape: Sequence[int]) -> Tensor:
    """Voxel indices (3, k, j, i)."""
    return torch.stack(torch.meshgrid(*(torch.arange(n) for n in shape), indexing="ij"))


def ellipsoid(shape: Sequence[int], centre: Sequence[float], radii: Sequence[float]) -> Tensor:
    off = (index_of(shape) - torch.tensor(centre)[:, None, None, None]) / torch.tensor(radii)[:, None, None, None]
    return (off**2).sum(0) <= 1


def disc(shape: Sequence[int], radius: float, centre: tuple[float, float] | None = None) -> Tensor:
    rows, columns = torch.meshgrid(*(torch.arange(n) for n in shape), indexing="ij")
    row, column = centre or ((shape[0] - 1) / 2, (shape[1] - 1) / 2)
    return (rows - row) ** 2 + (columns - column) ** 2 <= radius**2


def annotated(mask: Tensor, *slices: tuple[int, int]) -> Tensor:
    """Labels of the given slices (axis, index) of a mask."""
    labels = torch.zeros(mask.shape, dtype=torch.uint8)
    for axis, index in slices:
        plane = mask.movedim(axis, 0)[index]
        labels.movedim(axis, 0)[index] = torch.where(plane, ORGAN, BACKGROUND).to(torch.uint8)
    return labels


def voxel_grid(shape: Sequence[int]) -> Grid:
    k, j, i = shape
    return Grid(Box((0, 0, 0), (k, j, i)), (k, j, i))
