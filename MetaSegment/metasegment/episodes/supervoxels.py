"""Supervoxels of an image: SLIC (Achanta et al., IEEE TPAMI 34(11), 2012) in 3D, on whatever device the image is on.

A voxel chooses among the eight clusters whose cells of the seed grid are nearest: those that could see it in the
paper, whose search windows are two cells wide. Regions need not be connected.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence

import torch
from torch import Tensor

#: Assignments of voxels to clusters. ITK's three begin at single voxels; two from the means of cells are as good.
ROUNDS = 2
#: Intensities are scaled to this standard deviation, so that a compactness means the same for every image.
CONTRAST = 100.0
#: Intensities are summed in units of one over this: whole numbers give one sum in any order, also on a GPU.
UNIT = 256.0


def slic(image: Tensor, edge: int, compactness: float) -> Tensor:
    """Returns regions (k, j, i) int64, numbered from 0, of about `edge` voxels along each axis, of an image (k, j, i)
    float32.

    A step of `edge` voxels weighs as much as `compactness` hundredths of the image's standard deviation. A region
    may be empty.
    """
    values = CONTRAST * (image - image.mean()) / image.std().clamp(min=1e-6)
    cells = [max(1, n // min(edge, n // 2)) for n in image.shape]
    weights = [compactness * count / n for count, n in zip(cells, image.shape, strict=True)]
    places = [_along(torch.arange(n, device=image.device).float(), axis) for axis, n in enumerate(image.shape)]
    regions = _seeds(image.shape, cells, image.device)
    for _ in range(ROUNDS):
        centres = _centres(regions, values, places, cells)
        regions = _nearest(centres, values, [p * w for p, w in zip(places, weights, strict=True)], weights, cells)
    return regions


def region_means(regions: Tensor, field: Tensor, count: int) -> Tensor:
    """Returns mean of a field that broadcasts to (k, j, i) over each of `count` regions; 0 over an empty one."""
    index = regions.flatten()
    weights = (field * UNIT).round().double().expand(regions.shape).flatten()
    sums = torch.bincount(index, weights, minlength=count) / UNIT
    return (sums / torch.bincount(index, minlength=count).clamp(min=1)).float()


def _seeds(shape: Sequence[int], cells: Sequence[int], device: torch.device) -> Tensor:
    """The cell of the seed grid in which each voxel lies."""
    k, j, i = (
        _along(torch.arange(n, device=device) * count // n, axis)
        for axis, (n, count) in enumerate(zip(shape, cells, strict=True))
    )
    return (k * cells[1] + j) * cells[2] + i


def _centres(regions: Tensor, values: Tensor, places: Sequence[Tensor], cells: Sequence[int]) -> list[Tensor]:
    """Mean intensity, k, j and i of each region, on the seed grid."""
    total = cells[0] * cells[1] * cells[2]
    return [region_means(regions, field, total).view(*cells) for field in (values, *places)]


def _nearest(
    centres: Sequence[Tensor], values: Tensor, places: Sequence[Tensor], weights: Sequence[float], cells: Sequence[int]
) -> Tensor:
    """The region of the nearest of eight centres; `places` and the centres' places are scaled by `weights`."""
    scaled = [c * w for c, w in zip(centres[1:], weights, strict=True)]
    squares = torch.stack(scaled).square().sum(0)
    pairs = [_pair(n, count, values.device) for n, count in zip(values.shape, cells, strict=True)]
    best = torch.full_like(values, torch.inf)
    corner = torch.zeros_like(values, dtype=torch.uint8)
    for number, (k, j, i) in enumerate(itertools.product(*pairs)):
        intensity, square, at_k, at_j, at_i = (
            c.index_select(0, k).index_select(1, j) for c in (centres[0], squares, *scaled)
        )
        # |c - p|² less |p|², which is the same for all eight; what does not depend on i is cheap to add first.
        square = square - 2 * (at_k * places[0] + at_j * places[1])
        distance = (intensity.index_select(2, i) - values).square_()
        distance += square.index_select(2, i)
        distance.addcmul_(at_i.index_select(2, i), places[2], value=-2)
        corner.masked_fill_(distance < best, number)
        best = torch.minimum(best, distance)
    k, j, i = (
        torch.where((corner & bit) > 0, _along(pair[1], axis), _along(pair[0], axis))
        for axis, (bit, pair) in enumerate(zip((4, 2, 1), pairs, strict=True))
    )
    return (k * cells[1] + j) * cells[2] + i


def _pair(size: int, count: int, device: torch.device) -> tuple[Tensor, Tensor]:
    """For each voxel along an axis the two cells of the seed grid whose middles are nearest."""
    position = (torch.arange(size, device=device) + 0.5) * count / size - 0.5
    below = position.floor().long()
    return below.clamp(min=0), (below + 1).clamp(max=count - 1)


def _along(values: Tensor, axis: int) -> Tensor:
    return values.view([-1 if a == axis else 1 for a in range(3)])
