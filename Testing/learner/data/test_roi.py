"""The working grid: nothing moves, jags or tears between the volume's voxels and the network's cells."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence

import numpy as np
import pytest
import torch
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from torch import Tensor

from metasegment.grid import (
    CELL_COUNTS,
    Box,
    Grid,
    Shape,
    cell_count,
    grown,
    on_axis,
    rasterise,
    resample,
    to_voxels,
    working_grid,
)
from metasegment.volume import Geometry

#: Voxels by which a cell that is 1 to 4 voxels long may miss its centre: a triangle of fractional width, summed over
#: whole voxels, is off by at most this much, to either side in turn.
RIPPLE = 0.09

seldom = settings(max_examples=40, deadline=None)
shapes = st.tuples(*[st.integers(18, 40)] * 3)


def box(start: Iterable[float], stop: Iterable[float]) -> Box:
    (a, b, c), (d, e, f) = start, stop
    return Box((a, b, c), (d, e, f))


@st.composite
def grids(draw: st.DrawFn, finest: float, coarsest: float) -> tuple[Shape, Grid]:
    """A volume's shape and a grid over the middle of it, of `finest` to `coarsest` voxels a cell, each axis its own."""
    shape = draw(shapes)
    start = [draw(st.floats(0, n / 4)) for n in shape]
    stop = [draw(st.floats(0.75 * n, n)) for n in shape]
    steps = [draw(st.floats(finest, coarsest)) for _ in range(3)]
    k, j, i = (max(1, math.floor((b - a) / s)) for a, b, s in zip(start, stop, steps, strict=True))
    return shape, Grid(box(start, stop), (k, j, i))


def centres(grid: Grid, axis: int) -> Tensor:
    """Where the cells of an axis are centred, in voxel-edge coordinates."""
    return grid.box.start[axis] + (torch.arange(grid.shape[axis], dtype=torch.float64) + 0.5) * grid.step[axis]


def voxel_grid(shape: Sequence[int]) -> Grid:
    k, j, i = shape
    return Grid(Box((0, 0, 0), (k, j, i)), (k, j, i))


def positions(grid: Grid) -> Tensor:
    """The centres of all cells (3, k, j, i)."""
    return torch.stack(torch.meshgrid(*(centres(grid, axis) for axis in range(3)), indexing="ij"))


def plane_height(points: Tensor, normal: Sequence[float], through: Sequence[float]) -> Tensor:
    """Signed distance of points (3, k, j, i) to a slanted plane."""
    unit = torch.tensor(normal, dtype=torch.float64)
    unit = unit / unit.norm()
    return torch.tensordot(unit, points - torch.tensor(through)[:, None, None, None], 1).float()


def voxels_between_the_outermost_cells(grid: Grid, where: tuple[slice, slice, slice]) -> tuple[slice, slice, slice]:
    """The part of what `to_voxels` returned that lies between cell centres, so that nothing is extrapolated."""
    inner = []
    for axis, covered in enumerate(where):
        first, last = float(centres(grid, axis)[0]), float(centres(grid, axis)[-1])
        reach = max(1.0, 1 / grid.step[axis])
        low, high = math.ceil(first - 0.5 + reach), math.floor(last - 0.5 - reach)
        inner.append(slice(max(0, low - covered.start), max(0, high + 1 - covered.start)))
    return inner[0], inner[1], inner[2]


def centre_of_mass(field: Tensor, offset: Sequence[float] = (0, 0, 0)) -> Tensor:
    index = torch.stack(torch.meshgrid(*(torch.arange(n) + 0.5 for n in field.shape), indexing="ij"))
    return (index * field).flatten(1).sum(1) / field.sum() + torch.tensor(offset)


@seldom
@given(grids(1, 4))
def test_a_ramp_on_the_cells_is_the_same_ramp_on_the_voxels(drawn: tuple[Shape, Grid]) -> None:
    shape, grid = drawn
    ramp, expected = (plane_height(positions(g), (0.3, -0.8, 0.5), (5, 6, 7)) for g in (grid, voxel_grid(shape)))
    values, where = to_voxels(ramp, grid, shape)
    inner = voxels_between_the_outermost_cells(grid, where)
    torch.testing.assert_close(values[inner], expected[where][inner], atol=1e-4, rtol=0)


@seldom
@given(shapes, st.tuples(*[st.integers(1, 3)] * 3))
def test_a_ramp_on_the_voxels_is_the_same_ramp_on_cells_of_whole_voxels(
    shape: Shape, step: tuple[int, int, int]
) -> None:
    k, j, i = (n // s - 1 for n, s in zip(shape, step, strict=True))
    grid = Grid(box((1, 1, 1), (1 + c * s for c, s in zip((k, j, i), step, strict=True))), (k, j, i))
    ramp, expected = (plane_height(positions(g), (1, 2, -1), (5, 6, 7)) for g in (voxel_grid(shape), grid))
    inner = (slice(1, -1),) * 3
    torch.testing.assert_close(resample(ramp, grid)[inner], expected[inner], atol=1e-4, rtol=0)


@seldom
@given(grids(0.3, 4))
def test_no_cell_looks_more_than_a_ripple_beside_its_centre(drawn: tuple[Shape, Grid]) -> None:
    shape, grid = drawn
    for axis in range(3):
        ramp = positions(voxel_grid(shape))[axis].float()
        found, expected = resample(ramp, grid).movedim(axis, 0).flatten(1)[:, 0], centres(grid, axis)
        reach = max(1.0, grid.step[axis]) + 0.5
        inside = (expected > reach) & (expected < shape[axis] - reach)
        assume(bool(inside.any()))
        assert float((found - expected)[inside].abs().max()) < RIPPLE


@seldom
@given(
    st.tuples(*[st.floats(-2, 2)] * 3),
    st.tuples(*[st.floats(0, 3)] * 3),
    st.tuples(*[st.floats(0.5, 3.5)] * 3),
)
def test_a_blob_keeps_its_centre_on_the_way_to_the_cells_and_back(
    off: tuple[float, float, float], start: tuple[float, float, float], steps: tuple[float, float, float]
) -> None:
    shape, length = (48, 48, 48), 42.0
    centre = torch.tensor([24 + o for o in off], dtype=torch.float64)
    squares = (positions(voxel_grid(shape)) - centre[:, None, None, None]) ** 2
    blob = torch.exp(-squares.sum(0) / (2 * 4.0**2)).float()
    k, j, i = (round(length / s) for s in steps)
    grid = Grid(box(start, (a + length for a in start)), (k, j, i))
    back, where = to_voxels(resample(blob, grid), grid, shape)
    found = centre_of_mass(back, [s.start for s in where])
    torch.testing.assert_close(found, centre_of_mass(blob), atol=0.05, rtol=0, check_dtype=False)


@seldom
@given(
    st.tuples(*[st.floats(-1, 1)] * 3),
    st.tuples(*[st.floats(-2, 2)] * 3),
    grids(2, 4),
)
def test_a_slanted_surface_comes_back_without_a_staircase(
    normal: tuple[float, float, float],
    off: tuple[float, float, float],
    drawn: tuple[Shape, Grid],
) -> None:
    assume(math.hypot(*normal) > 0.3)
    shape, grid = drawn
    through = [n / 2 + o for n, o in zip(shape, off, strict=True)]
    truth = plane_height(positions(voxel_grid(shape)), normal, through)
    back, where = to_voxels(resample(truth, grid), grid, shape)
    inner = voxels_between_the_outermost_cells(grid, where)
    back, truth = back[inner][2:-2, 2:-2, 2:-2], truth[where][inner][2:-2, 2:-2, 2:-2]
    near = truth.abs() < 2
    assume(bool(near.any()))
    # The field has unit slope, so its error is the distance by which the surface is off.
    assert float((back - truth)[near].abs().max()) < 2 * RIPPLE


def test_a_curved_surface_comes_back_within_a_fraction_of_a_voxel() -> None:
    shape = (20, 60, 60)
    squares = (positions(voxel_grid(shape)) - torch.tensor([10.0, 30.2, 29.7])[:, None, None, None]) ** 2
    squares[0] *= 3**2  # slices three times as thick as pixels
    ball = 22 - squares.sum(0).sqrt().float()
    grid = Grid(Box((0, 0, 0), (20, 60, 60)), (20, 24, 24))
    back, _ = to_voxels(resample(ball, grid), grid, shape)
    near = ball.abs() < 1
    assert float((back - ball)[near].abs().max()) < 0.25
    agree = (back > 0) == (ball > 0)
    assert float(agree[ball.abs() > 0.25].float().mean()) == 1


def test_a_surface_in_the_world_comes_back_in_place_on_awkward_grids(awkward_geometry: Geometry) -> None:
    shape = awkward_geometry.shape
    along = np.meshgrid(*(np.arange(n) for n in awkward_geometry.size), indexing="ij")
    index = np.stack([*along, np.ones_like(along[0])]).transpose(0, 3, 2, 1).astype(float)
    world = np.tensordot(awkward_geometry.index_to_world, index, 1)[:3]
    normal, (k, j, i) = np.array([0.6, 0.64, 0.48]), (n // 2 for n in shape)
    height_mm = torch.from_numpy(np.tensordot(normal, world - world[:, k, j, i, None, None, None], 1)).float()
    grid = Grid(Box((0, 0, 0), shape), (k + 1, j + 1, i + 1))
    back, where = to_voxels(resample(height_mm, grid), grid, shape)
    inner = (slice(2, -2),) * 3
    assert [s.stop - s.start for s in where] == list(shape)
    assert float((back - height_mm)[inner].abs().max()) < 2 * RIPPLE * max(awkward_geometry.spacing)


def rasterised(masks: Tensor, grid: Grid) -> Tensor:
    """Marks anywhere."""
    size = masks.shape[-3]
    return rasterise(masks, 0, torch.arange(size), size, grid)


def test_cells_that_are_the_voxels_change_nothing() -> None:
    field = torch.randn(2, 7, 5, 9, generator=torch.Generator().manual_seed(0))
    grid = voxel_grid((7, 5, 9))
    assert torch.equal(resample(field, grid), field)
    assert torch.equal(rasterised(field > 0, grid), (field > 0).float())
    values, where = to_voxels(field, grid, (7, 5, 9))
    assert torch.equal(values, field)
    assert where == (slice(0, 7), slice(0, 5), slice(0, 9))


def test_coarse_cells_see_every_voxel_with_equal_weight() -> None:
    grid = Grid(Box((0, 0, 0), (24, 1, 1)), (8, 1, 1))
    for voxel in range(6, 18):  # the cells at the border see fewer, and weigh them more
        spot = torch.zeros(24, 1, 1)
        spot[voxel] = 1
        assert float(resample(spot, grid).sum()) == pytest.approx(1 / 3)


def test_cells_beyond_the_volume_repeat_its_border() -> None:
    field = torch.arange(4.0)[:, None, None].expand(4, 4, 4)
    out = resample(field, Grid(Box((-3, 0, 0), (7, 4, 4)), (10, 4, 4)))
    assert out[:, 0, 0].tolist() == [0, 0, 0, 0, 1, 2, 3, 3, 3, 3]


@seldom
@given(grids(0.6, 3), st.booleans())
def test_only_voxels_whose_centre_lies_in_the_box_come_back(drawn: tuple[Shape, Grid], at_the_end: bool) -> None:
    shape, grid = drawn
    limit = [n - 3 for n in shape] if at_the_end else list(shape)
    values, where = to_voxels(torch.ones(grid.shape), grid, limit)
    assert list(values.shape) == [s.stop - s.start for s in where]
    for covered, low, high, n in zip(where, grid.box.start, grid.box.stop, limit, strict=True):
        inside = [v for v in range(n) if low <= v + 0.5 <= high]
        assert inside == list(range(covered.start, covered.stop))


@settings(max_examples=100, deadline=None)
@given(grids(0.25, 4), st.integers(0, 2), st.data())
def test_an_annotated_plane_stays_a_plane_without_holes_at_any_resolution(
    drawn: tuple[Shape, Grid], axis: int, data: st.DataObject
) -> None:
    shape, grid = drawn
    low, high = math.ceil(grid.box.start[axis] + 0.5), math.floor(grid.box.stop[axis] - 1.5)
    index = data.draw(st.integers(low, high))
    marked = torch.zeros(shape, dtype=torch.bool)
    marked.movedim(axis, 0)[index] = True
    cells = rasterised(marked, grid) > 0
    planes = cells.movedim(axis, 0).flatten(1)
    assert torch.equal(planes.all(1), planes.any(1))
    found = planes.any(1).nonzero()[:, 0]
    assert len(found) >= 1
    assert int(found[-1] - found[0]) == len(found) - 1
    # Cells finer than voxels are marked where the voxel is their nearest; of coarser ones there is a single layer.
    assert len(found) <= max(1, math.ceil(1 / grid.step[axis]) + 1)
    off = (centres(grid, axis)[found] - (index + 0.5)).abs().max()
    assert float(off) <= 0.5 * max(1.0, grid.step[axis]) + 1e-3


@seldom
@given(grids(0.25, 4), st.integers(0, 2), st.integers(0, 1000))
def test_planes_without_a_mark_may_be_left_out(drawn: tuple[Shape, Grid], axis: int, seed: int) -> None:
    shape, grid = drawn
    chance = torch.Generator().manual_seed(seed)
    some = torch.rand(shape[axis], generator=chance) < 0.3
    marked = (torch.rand(shape, generator=chance) < 0.5) & on_axis(some, axis)
    planes = some.nonzero()[:, 0]
    found = rasterise(marked.index_select(axis, planes), axis, planes, shape[axis], grid)
    assert torch.equal(found, rasterised(marked, grid))


@seldom
@given(shapes, st.tuples(*[st.floats(1, 4)] * 3), st.integers(0, 1000))
def test_coarse_cells_count_every_voxel_once(shape: Shape, steps: tuple[float, float, float], seed: int) -> None:
    marked = torch.rand(shape, generator=torch.Generator().manual_seed(seed)) < 0.2
    k, j, i = (math.floor(n / s) for n, s in zip(shape, steps, strict=True))
    counted = rasterised(marked, Grid(voxel_grid(shape).box, (k, j, i)))
    assert int(counted.sum()) == int(marked.sum())


@seldom
@given(grids(1, 4), st.tuples(*[st.floats(0.05, 0.4)] * 6), st.floats(0.3, 1))
def test_a_part_of_a_grid_sees_its_parent_where_it_lies(
    drawn: tuple[Shape, Grid], cuts: tuple[float, ...], fineness: float
) -> None:
    _, parent = drawn
    assume(min(parent.shape) >= 4)
    part = box(
        (a + c * e for a, c, e in zip(parent.box.start, cuts[:3], parent.box.extent, strict=True)),
        (b - c * e for b, c, e in zip(parent.box.stop, cuts[3:], parent.box.extent, strict=True)),
    )
    k, j, i = (math.ceil(e / (s * fineness)) for e, s in zip(part.extent, parent.step, strict=True))
    child = Grid(part, (k, j, i))
    field, expected = (plane_height(positions(g), (2, -1, 1), (9, 9, 9)) for g in (parent, child))
    found = resample(field, child.within(parent))
    inner = tuple(
        (centres(child, a) >= centres(parent, a)[0]) & (centres(child, a) <= centres(parent, a)[-1]) for a in range(3)
    )
    kept = torch.einsum("k,j,i->kji", *(m.double() for m in inner)) > 0
    torch.testing.assert_close(found[kept], expected[kept], atol=1e-3, rtol=0)


def test_a_grid_within_itself_is_its_own_cells() -> None:
    grid = Grid(Box((1.5, 2, 3), (9.5, 10, 18)), (4, 8, 6))
    assert grid.within(grid) == voxel_grid((4, 8, 6))


@settings(max_examples=100, deadline=None)
@given(
    st.tuples(*[st.floats(1, 600)] * 3),
    st.tuples(*[st.floats(0.1, 8)] * 3),
    st.integers(min(CELL_COUNTS) ** 3, 128**3),
)
def test_a_working_grid_keeps_to_its_cells_and_is_no_finer_than_the_volume(
    extent: tuple[float, float, float], spacing: tuple[float, float, float], max_cells: int
) -> None:
    grid = working_grid(Box((0, 0, 0), extent), spacing, max_cells)
    assert math.prod(grid.shape) <= max_cells
    assert set(grid.shape) <= set(CELL_COUNTS)
    assert all(n <= cell_count(e) for n, e in zip(grid.shape, extent, strict=True))


@seldom
@given(st.tuples(*[st.floats(20, 300)] * 3), st.tuples(*[st.floats(0.3, 6)] * 3), st.integers(4096, 10**6))
def test_more_cells_never_make_a_grid_coarser(
    extent: tuple[float, float, float], spacing: tuple[float, float, float], max_cells: int
) -> None:
    whole = Box((0, 0, 0), extent)
    fewer, more = (working_grid(whole, spacing, n).shape for n in (max_cells, 2 * max_cells))
    assert all(a <= b for a, b in zip(fewer, more, strict=True))


def test_a_thin_stack_keeps_its_slices_and_spends_the_cells_in_plane() -> None:
    grid = working_grid(Box((0, 0, 0), (20, 200, 200)), (5, 1, 1), 64**3)
    assert grid.shape == (24, 96, 96)
    assert grid.cell_spacing((5, 1, 1)) == pytest.approx((20 * 5 / 24, 200 / 96, 200 / 96))


def test_a_volume_of_equal_voxels_gets_equal_cells() -> None:
    grid = working_grid(Box((0, 0, 0), (192, 192, 192)), (1, 1, 1), 64**3)
    assert grid.shape == (64, 64, 64)
    assert grid.step == (3, 3, 3)


@settings(max_examples=100, deadline=None)
@given(
    st.tuples(*[st.tuples(st.floats(0, 40), st.floats(41, 100))] * 3),
    st.tuples(*[st.tuples(st.booleans(), st.booleans())] * 3),
    st.floats(1, 3),
)
def test_a_box_grows_at_the_named_faces_only_and_stays_in_the_volume(
    sides: tuple[tuple[float, float], ...], faces: tuple[tuple[bool, bool], ...], factor: float
) -> None:
    volume = Box((0, 0, 0), (100, 100, 100))
    small = box((a for a, _ in sides), (b for _, b in sides))
    large = grown(small, faces, factor, volume)
    for axis, (low, high) in enumerate(faces):
        extra = (factor - 1) * small.extent[axis]
        assert large.start[axis] == pytest.approx(max(0, small.start[axis] - extra * low))
        assert large.stop[axis] == pytest.approx(min(100, small.stop[axis] + extra * high))
        assert low or large.start[axis] == small.start[axis]
        assert high or large.stop[axis] == small.stop[axis]
