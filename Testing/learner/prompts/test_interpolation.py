"""The structure between and beyond its drawn slices, straight or oblique, and the distance to what is known."""

from __future__ import annotations

import math
from collections.abc import Sequence

import pytest
import torch
from helpers.masks import ORGAN, annotated, disc, ellipsoid, index_of, voxel_grid
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from metasegment.annotation import BACKGROUND
from metasegment.grid import Grid, to_voxels
from metasegment.measures.dice import dice
from metasegment.prompts import Scene, make_prompt
from metasegment.prompts.interpolation import annotated_planes, distance_to_known, interpolate

#: Two axial slices and two coronal ones (axis, index) on either side of the middle of a ball at 15.
PAIR, CROSSING = ((0, 12), (0, 18)), ((1, 12), (1, 18))


def annotated_obliquely(mask: Tensor, normal: Sequence[float], through: Sequence[float], thin: bool = True) -> Tensor:
    """Labels of the voxels that a slanted plane passes through: one on each line along its steepest axis, or all."""
    off = index_of(mask.shape) - torch.tensor(through)[:, None, None, None]
    height = torch.tensordot(torch.tensor(normal), off, 1)
    reach = 0.5 * (max if thin else sum)(abs(n) for n in normal)
    sheet = (height > -reach) & (height <= reach)
    labels = torch.zeros(mask.shape, dtype=torch.uint8)
    labels[sheet] = torch.where(mask[sheet], ORGAN, BACKGROUND).to(torch.uint8)
    return labels


def interpolated(labels: Tensor, spacing: Sequence[float] = (1, 1, 1)) -> Tensor:
    return interpolate(labels == ORGAN, labels != 0, spacing)


# --- shape interpolation -------------------------------------------------------------------------------------------


@settings(max_examples=15, deadline=None)
@given(st.integers(3, 12), st.integers(3, 12), st.integers(2, 8), st.sampled_from([0.5, 1.0, 3.0]))
def test_half_way_between_two_discs_lies_the_disc_of_mean_radius(
    first: int, last: int, half_gap: int, spacing: float
) -> None:
    mask = torch.zeros(2 * half_gap + 1, 33, 33, dtype=torch.bool)
    mask[0], mask[-1] = disc((33, 33), first), disc((33, 33), last)
    middle = interpolated(annotated(mask, (0, 0), (0, 2 * half_gap)), (spacing, 1, 1))[half_gap] > 0
    radius = math.sqrt(int(middle.sum()) / math.pi)
    assert radius == pytest.approx((first + last) / 2, abs=0.75)


@pytest.mark.parametrize("axis", [0, 1, 2])
def test_the_drawn_slices_themselves_come_back_unchanged(axis: int, an_organ: Tensor) -> None:
    field = interpolated(annotated(an_organ, (axis, 8), (axis, 14)), (2.0, 1.0, 0.5))
    for index in (8, 14):
        assert torch.equal(field.movedim(axis, 0)[index] > 0, an_organ.movedim(axis, 0)[index])


@pytest.mark.parametrize("last", [False, True])
def test_a_structure_keeps_its_width_until_shortly_before_a_slice_without_it(last: bool) -> None:
    mask = torch.zeros(21, 33, 33, dtype=torch.bool)
    mask[20 if last else 0] = disc((33, 33), 10)
    field = interpolated(annotated(mask, (0, 0), (0, 20)))
    areas = (field > 0).flatten(1).sum(1)
    areas = areas.flip(0) if last else areas
    assert areas[10] > 0.8 * areas[0]
    assert (areas[18:] == 0).all()
    assert (areas.diff() <= 0).all()


def test_beyond_the_last_slice_a_structure_tapers_off_by_a_mm_a_mm() -> None:
    mask = torch.zeros(16, 41, 41, dtype=torch.bool)
    mask[4] = disc((41, 41), 12)
    field = interpolated(annotated(mask, (0, 4)), (2, 1, 1))
    torch.testing.assert_close(field[9], field[4] - 10)
    assert (field[9] > 0).any()
    assert not (field[12] > 0).any()


def test_every_plane_of_slices_adds_to_the_answer() -> None:
    ball = ellipsoid((32, 32, 32), (15, 15, 15), (9, 9, 9))
    single = [dice(interpolated(annotated(ball, *((a, 15) for a in range(n)))) > 0, ball) for n in (1, 2, 3)]
    assert single == sorted(single)
    pairs = [dice(interpolated(annotated(ball, *slices)) > 0, ball) for slices in (PAIR, PAIR + CROSSING)]
    assert pairs[1] > pairs[0] > single[2]
    assert pairs[1] > 0.9


@pytest.mark.parametrize("normal", [(1.0, 0.6, 0.0), (1.0, 1.0, 1.0), (0.2, -1.0, 0.7), (1.0, 0.2, 0.1)])
@pytest.mark.parametrize("thin", [True, False])
@pytest.mark.parametrize("cells", [32, 24, 48])
def test_one_oblique_slice_is_extruded_along_its_own_normal(
    normal: tuple[float, float, float], thin: bool, cells: int
) -> None:
    shape, middle = (32, 32, 32), (15.5, 15.5, 15.5)
    ball = ellipsoid(shape, middle, (10, 10, 10))
    scene = Scene(ball.float(), annotated_obliquely(ball, normal, middle, thin), (1, 1, 1))
    grid = Grid(voxel_grid(shape).box, (cells, cells, cells))
    answer = to_voxels(make_prompt(scene, ORGAN, grid).interpolation, grid, shape)[0] > 0
    off = index_of(shape) - 15.5
    unit = torch.tensor(normal) / math.hypot(*normal)
    height = torch.tensordot(unit, off, 1)
    across = (off - height * unit[:, None, None, None]).norm(dim=0)
    # A disc of radius 10 that shrinks by the distance to the slice: two cones.
    cones = across + height.abs() < 10
    assert dice(answer, cones) > 0.9
    assert (answer & ~ball).sum() < 0.05 * answer.sum()


def test_an_oblique_slice_beside_a_straight_one_helps() -> None:
    ball = ellipsoid((32, 32, 32), (15, 15, 15), (9, 9, 9))
    straight = annotated(ball, (0, 15))
    slanted = annotated_obliquely(ball, (0.3, 1.0, 0.4), (15.0, 15.0, 15.0))
    both = torch.where(straight != 0, straight, slanted)
    assert dice(interpolated(both) > 0, ball) > dice(interpolated(straight) > 0, ball) + 0.02


def test_without_annotation_nothing_is_inside() -> None:
    labels = torch.zeros(8, 8, 8, dtype=torch.uint8)
    assert not (interpolated(labels) > 0).any()


def test_planes_are_found_along_each_axis_and_nowhere_else(an_organ: Tensor) -> None:
    labels = annotated(an_organ, (0, 3), (0, 9), (2, 20))
    assert [p.tolist() for p in annotated_planes(labels != 0)] == [[3, 9], [], [20]]
    slanted = annotated_obliquely(an_organ, (1.0, 1.0, 0.0), (11.0, 15.0, 13.0))
    assert [p.tolist() for p in annotated_planes(slanted != 0)] == [[], [], []]


# --- distance to what is known -------------------------------------------------------------------------------------


@settings(max_examples=15, deadline=None)
@given(
    st.lists(st.tuples(st.integers(0, 2), st.integers(0, 11)), min_size=1, max_size=4),
    st.booleans(),
    st.tuples(*[st.sampled_from([0.5, 1.0, 2.5])] * 3),
)
def test_the_distance_is_that_to_the_nearest_known_voxel(
    slices: list[tuple[int, int]], oblique: bool, spacing: tuple[float, float, float]
) -> None:
    empty = torch.zeros(12, 13, 14, dtype=torch.bool)
    labels = annotated(empty, *slices)
    if oblique:
        slanted = annotated_obliquely(empty, (1.0, 0.5, 0.25), (6.0, 6.0, 6.0))
        labels = torch.where(labels != 0, labels, slanted)
    scale = torch.tensor(spacing)
    cells, known = index_of(empty.shape).flatten(1).T * scale, (labels != 0).nonzero() * scale
    expected = torch.cdist(cells, known, compute_mode="donot_use_mm_for_euclid_dist").amin(1).reshape(empty.shape)
    torch.testing.assert_close(distance_to_known(labels != 0, spacing), expected, atol=1e-3, rtol=0)
