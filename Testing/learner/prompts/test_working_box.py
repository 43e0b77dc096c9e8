"""The extent of what was drawn, and the box around it in which a structure is segmented."""

from __future__ import annotations

import pytest
import torch
from helpers.masks import ORGAN, annotated, ellipsoid
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from metasegment.grid import Box
from metasegment.prompts import annotated_extent, box_limits, structure_box


def test_an_unannotated_structure_has_no_extent() -> None:
    assert annotated_extent(annotated(torch.zeros(8, 8, 8, dtype=torch.bool), (0, 3)), ORGAN) is None


def test_the_extent_tells_slices_with_the_structure_from_those_without(an_organ: Tensor) -> None:
    extent = annotated_extent(annotated(an_organ, (0, 1), (0, 11), (0, 20), (2, 13)), ORGAN)
    assert extent is not None
    assert extent.filled == ((11,), (), (13,))
    assert extent.empty == ((1, 20), (), ())
    low, high = an_organ.nonzero().amin(0), an_organ.nonzero().amax(0) + 1
    # The largest slices were drawn, so together they show the whole length of each axis.
    assert (extent.low, extent.high) == (tuple(low.tolist()), tuple(high.tolist()))


def test_one_slice_gives_the_unseen_axis_the_mean_length_seen_in_it() -> None:
    mask = torch.zeros(100, 100, 100, dtype=torch.bool)
    mask[50, 30:70, 40:60] = True
    spacing = (2.0, 1.0, 1.5)
    extent = annotated_extent(annotated(mask, (0, 50)), ORGAN)
    assert extent is not None
    box = structure_box(extent, spacing, mask.shape)
    seen_mm = (40 * 1.0 + 20 * 1.5) / 2
    assert box.extent == pytest.approx((1.6 * seen_mm / 2, 1.6 * 40, 1.6 * 20))
    assert [(a + b) / 2 for a, b in zip(box.start, box.stop, strict=True)] == [50.5, 50, 50]


def test_crossing_slices_show_the_length_of_every_axis() -> None:
    mask = torch.zeros(60, 60, 60, dtype=torch.bool)
    mask[25:35, 10:50, 10:50] = True
    extent = annotated_extent(annotated(mask, (0, 30), (1, 30)), ORGAN)
    assert extent is not None
    # 10 voxels and the least margin, not the mean of the 40 seen in plane.
    assert structure_box(extent, (1, 1, 1), mask.shape).extent == pytest.approx((18, 60, 60))


def test_an_empty_annotated_slice_ends_the_box_and_what_it_may_grow_to(an_organ: Tensor) -> None:
    extent = annotated_extent(annotated(an_organ, (0, 2), (0, 11), (0, 19), (0, 22)), ORGAN)
    assert extent is not None
    box, limits = structure_box(extent, (1, 1, 1), an_organ.shape), box_limits(extent, an_organ.shape)
    assert (limits.start[0], limits.stop[0]) == (2, 20)
    assert (limits.start[1:], limits.stop[1:]) == ((0, 0), an_organ.shape[1:])
    assert box.start[0] >= 2
    assert box.stop[0] <= 20


def test_a_tiny_structure_gets_context_on_every_side() -> None:
    mask = torch.zeros(40, 40, 40, dtype=torch.bool)
    mask[20, 20, 20] = True
    extent = annotated_extent(annotated(mask, (0, 20)), ORGAN)
    assert extent is not None
    box = structure_box(extent, (1, 1, 1), mask.shape)
    assert box == Box((16, 16, 16), (25, 25, 25))


@settings(max_examples=40, deadline=None)
@given(
    st.tuples(*[st.integers(4, 40)] * 3),
    st.tuples(*[st.floats(0, 1)] * 3),
    st.tuples(*[st.floats(1, 15)] * 3),
    st.tuples(*[st.floats(0.2, 6)] * 3),
    st.integers(0, 2),
)
def test_the_box_holds_what_was_drawn_and_stays_in_the_volume(
    shape: tuple[int, int, int],
    at: tuple[float, float, float],
    radii: tuple[float, float, float],
    spacing: tuple[float, float, float],
    axis: int,
) -> None:
    centre = [round(a * (n - 1)) for a, n in zip(at, shape, strict=True)]
    labels = annotated(ellipsoid(shape, centre, radii), (axis, centre[axis]))
    extent = annotated_extent(labels, ORGAN)
    assert extent is not None
    box = structure_box(extent, spacing, shape)
    for a in range(3):
        assert 0 <= box.start[a] <= extent.low[a]
        assert extent.high[a] <= box.stop[a] <= shape[a]
