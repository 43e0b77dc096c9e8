"""The working box around a structure and the grid the network sees, with resampling between them and the voxels.

Boxes are in voxel-edge coordinates of the volume (axes k, j, i): voxel n spans n…n+1, so neither a crop nor a change
of resolution shifts anything by half a voxel. Nothing here knows about annotation or networks.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

Triple = tuple[float, float, float]
#: What makes the weights (cells, voxels) of a grid along an axis, for voxels from an index up to another.
Weights = Callable[["Grid", int, int, int, torch.device], Tensor]
Shape = tuple[int, int, int]

#: Cell counts an axis may have. Multiples of 8, as the U-Net halves the grid three times; at least two at the
#: bottleneck (oneDNN is wrong for an output width of one, pytorch#169688); few, as every new shape costs oneDNN's
#: set-up (65 ms measured).
CELL_COUNTS = (16, 24, 32, 48, 64, 80, 96, 128, 160, 192, 256)


@dataclass(frozen=True)
class Box:
    """An axis-aligned box in voxel-edge coordinates (k, j, i)."""

    start: Triple
    stop: Triple

    @classmethod
    def of(cls, start: Iterable[float], stop: Iterable[float]) -> Box:
        """Makes a box from three first and three last edges."""
        return cls(_triple(start), _triple(stop))

    @classmethod
    def whole(cls, shape: Iterable[float]) -> Box:
        """Makes the box of a whole volume of so many voxels."""
        return cls.of((0.0, 0.0, 0.0), shape)

    @property
    def extent(self) -> Triple:
        """Lengths in voxels."""
        k, j, i = (b - a for a, b in zip(self.start, self.stop, strict=True))
        return k, j, i

    def clipped(self, limits: Box) -> Box:
        """Returns the part of the box inside another."""
        return Box.of(map(max, self.start, limits.start), map(min, self.stop, limits.stop))

    def region(self, shape: Sequence[int]) -> tuple[slice, slice, slice]:
        """Returns the voxels of a volume of `shape` that the box touches."""
        k, j, i = (
            slice(max(0, math.floor(a)), min(n, math.ceil(b)))
            for a, b, n in zip(self.start, self.stop, shape, strict=True)
        )
        return k, j, i

    def seen_from(self, region: Sequence[slice]) -> Box:
        """Returns the box in the voxel-edge coordinates of a region of the volume."""
        firsts = [part.start for part in region]
        return Box.of(
            (edge - first for edge, first in zip(self.start, firsts, strict=True)),
            (edge - first for edge, first in zip(self.stop, firsts, strict=True)),
        )


@dataclass(frozen=True)
class Grid:
    """A box cut into equal cells; `shape` counts them along k, j, i."""

    box: Box
    shape: Shape

    @property
    def step(self) -> Triple:
        """Voxels per cell along k, j, i; below one where the grid is finer than the volume."""
        return _triple(e / n for e, n in zip(self.box.extent, self.shape, strict=True))

    def cell_spacing(self, spacing: Sequence[float]) -> Triple:
        """Returns edge lengths of a cell in mm, for voxels of the given spacing (k, j, i)."""
        return _triple(a * s for a, s in zip(self.step, spacing, strict=True))

    def within(self, parent: Grid) -> Grid:
        """Returns the same cells in the cell coordinates of `parent`, for resampling what lives on the
        parent's grid.
        """
        start, stop = (
            [(e - o) / s for e, o, s in zip(edges, parent.box.start, parent.step, strict=True)]
            for edges in (self.box.start, self.box.stop)
        )
        return Grid(Box.of(start, stop), self.shape)


def working_grid(box: Box, spacing: Sequence[float], max_cells: int) -> Grid:
    """Cuts a box into at most about `max_cells` cells, as fine as the volume but no finer, and as isotropic as that
    allows.

    `spacing` is in mm (k, j, i). The cell follows the anisotropy of the volume: a coarse axis is never oversampled
    to make a cube, except up to the next of CELL_COUNTS.
    """
    lengths = [e * s for e, s in zip(box.extent, spacing, strict=True)]
    finest, coarsest = min(spacing), max(max(lengths), min(spacing))
    for _ in range(30):  # bisection on the cell size in mm: 2^-30 of the range is far below any voxel
        middle = math.sqrt(finest * coarsest)
        if math.prod(_cells(lengths, spacing, middle)) <= max_cells:
            coarsest = middle
        else:
            finest = middle
    return Grid(box, _cells(lengths, spacing, coarsest))


def grown(box: Box, faces: Sequence[tuple[bool, bool]], factor: float, limits: Box) -> Box:
    """Moves the named faces (low, high for each axis) outwards by `factor` - 1 times the axis, within the limits."""
    start, stop = list(box.start), list(box.stop)
    for axis, (low, high) in enumerate(faces):
        extra = (factor - 1) * box.extent[axis]
        start[axis] -= extra * low
        stop[axis] += extra * high
    return Box.of(start, stop).clipped(limits)


def united(one: Box, other: Box) -> Box:
    """Returns the smallest box around two."""
    return Box.of(map(min, one.start, other.start), map(max, one.stop, other.stop))


def resample(array: Tensor, grid: Grid) -> Tensor:
    """Samples an array (…, k, j, i) at the cells of a grid: linear where the grid is finer, area-weighted where it
    is coarser.

    Cells outside the array repeat its border. Returns float32 of shape (…, *grid.shape) on the array's device.
    """
    for axis in range(3):
        array = _applied(array, grid, axis, _linear_weights)
    return array


class Resampled:
    """An array on grids: resampled once for each that is asked for, and therefore never to be written to."""

    def __init__(self, array: Tensor) -> None:
        self._array = array
        self._on: dict[Grid, Tensor] = {}

    def on(self, grid: Grid) -> Tensor:
        """Returns the array at the cells of a grid, as `resample` gives it."""
        if grid not in self._on:
            self._on[grid] = resample(self._array, grid)
        return self._on[grid]


def rasterise(masks: Tensor, axis: int, planes: Tensor, size: int, grid: Grid) -> Tensor:
    """Counts, for each cell, the marked voxels whose centre it holds; a cell between voxels takes its nearest one.

    `masks` (…, k, j, i) are those planes across an axis, of `size` in all, that may hold a marked voxel; `planes` are
    their indices. A plane of marked voxels stays a plane without holes at any resolution. Returns float32
    (…, *grid.shape).
    """
    lo, hi = _needed(grid, axis, size)
    within = (planes >= lo) & (planes < hi)
    weights = _membership(grid, axis, lo, hi, masks.device)[:, planes[within] - lo]
    out = masks.movedim(axis - 3, 0)[within].movedim(0, axis - 3)
    for other in (a for a in range(3) if a != axis):
        out = _applied(out, grid, other, _membership)
    return _along(out.float(), weights, axis - 3)


def ends(mask: Tensor, stray: float = 0.0) -> tuple[Tensor, Tensor] | None:
    """Returns first and last cell edges, as (k, j, i), of a boolean mask but for a share of stray cells at each end of
    an axis.

    None where the mask is empty.
    """
    found = mask.nonzero().float()
    if not len(found):
        return None
    if beyond := int(stray * len(found)):
        found = found.sort(0).values[beyond:-beyond]
    return found.amin(0), found.amax(0) + 1


def filled_planes(mask: Tensor, axis: int) -> Tensor:
    """Returns indices of the planes across an axis that hold a marked cell of a boolean mask (k, j, i)."""
    return mask.movedim(axis, 0).flatten(1).any(1).nonzero()[:, 0]


def on_axis(values: Tensor, axis: int) -> Tensor:
    """Returns values along one axis, k, j or i, shaped to broadcast over a grid."""
    return values.reshape([-1 if a == axis else 1 for a in range(3)])


def to_voxels(field: Tensor, grid: Grid, shape: Sequence[int]) -> tuple[Tensor, tuple[slice, slice, slice]]:
    """Samples a field on a grid (…, *grid.shape) at the voxels of a volume of `shape` that lie inside the grid's box.

    Returns the values and the slices of the volume they belong to.
    """
    lows = [max(0, math.ceil(a - 0.5)) for a in grid.box.start]
    highs = [min(n, math.floor(b - 0.5) + 1) for b, n in zip(grid.box.stop, shape, strict=True)]
    size = (highs[0] - lows[0], highs[1] - lows[1], highs[2] - lows[2])
    voxels = Grid(Box.of(lows, highs), size)
    k, j, i = (slice(a, b) for a, b in zip(lows, highs, strict=True))
    return resample(field, voxels.within(grid)), (k, j, i)


def _triple(values: Iterable[float]) -> Triple:
    k, j, i = (float(v) for v in values)
    return k, j, i


def cell_count(cells: float) -> int:
    """Returns the least allowed number of cells that is no smaller, or the largest there is."""
    return next((n for n in CELL_COUNTS if n >= cells - 0.5), CELL_COUNTS[-1])


def _cells(lengths: Sequence[float], spacing: Sequence[float], cell: float) -> Shape:
    k, j, i = (cell_count(length / max(cell, own)) for length, own in zip(lengths, spacing, strict=True))
    return k, j, i


def _applied(array: Tensor, grid: Grid, axis: int, weights_of: Weights) -> Tensor:
    """Applies the weights (cells, voxels) of an axis to an array (…, k, j, i), looking only at the voxels needed."""
    dim = axis - 3
    lo, hi = _needed(grid, axis, array.shape[dim])
    return _along(array.narrow(dim, lo, hi - lo).float(), weights_of(grid, axis, lo, hi, array.device), dim)


def _needed(grid: Grid, axis: int, size: int) -> tuple[int, int]:
    """The voxels along an axis that can touch the grid, at least one."""
    reach = max(1.0, grid.step[axis])
    lo = min(max(0, math.floor(grid.box.start[axis] - reach)), size - 1)
    hi = max(min(size, math.ceil(grid.box.stop[axis] + reach)), lo + 1)
    return lo, hi


def _centres(grid: Grid, axis: int, lo: int, hi: int, device: torch.device) -> Tensor:
    """Centres of the cells as positions in the index of voxels lo…hi-1, kept inside them."""
    cells = torch.arange(grid.shape[axis], device=device, dtype=torch.float32) + 0.5
    return (grid.box.start[axis] - lo + cells * grid.step[axis] - 0.5).clamp(0, hi - lo - 1)


def _linear_weights(grid: Grid, axis: int, lo: int, hi: int, device: torch.device) -> Tensor:
    voxels = torch.arange(hi - lo, device=device)
    reach = max(1.0, grid.step[axis])
    distance = (voxels - _centres(grid, axis, lo, hi, device)[:, None]).abs()
    weights = (1 - distance / reach).clamp(min=0)
    return weights / weights.sum(1, keepdim=True)


def _membership(grid: Grid, axis: int, lo: int, hi: int, device: torch.device) -> Tensor:
    voxels = torch.arange(hi - lo, device=device)
    cell = torch.floor((voxels + 0.5 + lo - grid.box.start[axis]) / grid.step[axis])
    cells = torch.arange(grid.shape[axis], device=device)
    member = (cell == cells[:, None]).float()
    nearest = _centres(grid, axis, lo, hi, device).round().long()
    filled = member.sum(1, keepdim=True) > 0
    return torch.where(filled, member, torch.nn.functional.one_hot(nearest, hi - lo).float())


def _along(array: Tensor, weights: Tensor, dim: int) -> Tensor:
    if weights.shape[0] == weights.shape[1] and torch.equal(weights, torch.eye(len(weights), device=weights.device)):
        return array
    return torch.tensordot(array, weights, dims=([dim], [1])).movedim(-1, dim)
