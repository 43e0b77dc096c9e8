"""What an annotation says of each structure by itself: through the real segmenter, on the wire, completed."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from metasegment.annotation import BACKGROUND, AnnotatedSlice, Annotation, Stroke, annotation_from_labels, complete
from metasegment.errors import InputError
from metasegment.grid import Box
from metasegment.knowledge import finished_slices, stroke_of, with_finished, with_strokes
from metasegment.measures.dice import dice
from metasegment.progress import Progress
from metasegment.segmentation import Budget
from metasegment.segmenter import Segmenter
from metasegment.segmenter.locate import SegmentRequest, locate
from metasegment.volume import Geometry, Volume
from metasegment.wire import FormatError
from metasegment.wire.annotations import pack, unpack

SHAPE = (32, 48, 48)
GEOMETRY = Geometry((48, 48, 32), (1.0, 1.0, 1.0), (0.0, 0.0, 0.0), (1.0, 0, 0, 0, 1.0, 0, 0, 0, 1.0))
QUICK = Budget(seconds=0)


def ball(*centre: float, radius: float) -> np.ndarray:
    grid = np.indices(SHAPE)
    return sum((g - c) ** 2 for g, c in zip(grid, centre, strict=True)) < radius**2


FIRST, SECOND = ball(16, 16, 16, radius=9), ball(16, 32, 32, radius=9)
PLANE = AnnotatedSlice(0, 16)


@pytest.fixture
def volume() -> Volume:
    noise = np.random.default_rng(0).normal(0, 8, SHAPE)
    return Volume((100 * FIRST + 60 * SECOND + noise).astype(np.float32), GEOMETRY)


def drawn(labels: dict[int, np.ndarray], *planes: AnnotatedSlice) -> Annotation:
    """The structures drawn on planes across k."""
    found = np.zeros(SHAPE, np.uint8)
    for plane in planes:
        found[plane.index] = BACKGROUND
        for label, mask in labels.items():
            found[plane.index][mask[plane.index]] = label
    return annotation_from_labels(found, GEOMETRY)


def test_a_structure_that_is_added_later_is_unknown_on_earlier_slices(segmenter: Segmenter, volume: Volume) -> None:
    """The first structure was drawn on slices on which the second, added later, is as well."""
    first_alone = [AnnotatedSlice(0, n) for n in (11, 14, 18, 21)]
    labels = drawn({1: FIRST}, *first_alone).labels.copy()
    labels[PLANE.index] = np.where(SECOND[PLANE.index], 2, np.where(FIRST[PLANE.index], 1, BACKGROUND))
    taught_absent = annotation_from_labels(labels, GEOMETRY)
    known_by_itself = with_finished(taught_absent, dict.fromkeys(first_alone, frozenset({1})))
    harmed, right = (segmenter.segment(volume, a, QUICK).labels for a in (taught_absent, known_by_itself))
    assert dice(harmed == 2, SECOND) < 0.7
    assert dice(right == 2, SECOND) > 0.85
    assert dice(right == 1, FIRST) > 0.85


def test_on_a_slice_finished_for_one_the_other_may_be_found_and_the_drawn_one_stays(
    segmenter: Segmenter, volume: Volume
) -> None:
    beside = AnnotatedSlice(0, 18)
    both = drawn({1: FIRST, 2: SECOND}, PLANE)
    labels = both.labels.copy()
    labels[beside.index] = np.where(FIRST[beside.index], 1, BACKGROUND)
    annotation = with_finished(annotation_from_labels(labels, GEOMETRY), {beside: frozenset({1})})
    found = segmenter.segment(volume, annotation, QUICK).labels
    assert dice(found[beside.index] == 2, SECOND[beside.index]) > 0.8
    np.testing.assert_array_equal(found[beside.index] == 1, FIRST[beside.index])


def test_every_stroked_voxel_is_respected_and_the_answer_changes_around_it(
    segmenter: Segmenter, volume: Volume
) -> None:
    part = FIRST & (np.indices(SHAPE)[1] < 12)  # taken out of the structure by strokes on its slices
    annotation = drawn({1: FIRST}, PLANE)
    before = segmenter.segment(volume, annotation, QUICK).labels == 1
    mark = np.zeros(SHAPE, bool)
    mark[20] = part[20]
    stroke = Stroke(outside=np.flatnonzero(mark))
    after = segmenter.segment(volume, with_strokes(annotation, {1: stroke}), QUICK).labels == 1
    assert before[mark].any() and not after[mark].any()
    near = part & ~mark & (abs(np.indices(SHAPE)[0] - 20) <= 1)
    assert after[near].sum() < before[near].sum()
    far = FIRST & (np.indices(SHAPE)[1] > 18)
    assert dice(after & far, before & far) > 0.95


def test_a_stroke_moves_the_box_only_where_it_lies_outside_of_it(segmenter: Segmenter, volume: Volume) -> None:
    annotation = drawn({1: FIRST}, PLANE)

    def box(*voxel: int) -> Box:
        stroke = Stroke(np.array([np.ravel_multi_index(voxel, SHAPE)])) if voxel else Stroke()
        request = SegmentRequest(volume, with_strokes(annotation, {1: stroke}))
        located = locate(request, 1, None, segmenter.strategies["in_context"], segmenter.engine, Progress())
        parts = zip(located.query.grid.box.start, located.query.grid.box.stop, located.region, strict=True)
        start, stop = zip(*((low + part.start, high + part.start) for low, high, part in parts), strict=True)
        return Box(start, stop)

    alone, inside, outside = box(), box(20, 16, 10), box(16, 16, 44)
    assert inside == alone
    assert outside.stop[2] >= 45 > alone.stop[2]
    assert (outside.start, outside.stop[:2]) == (alone.start, alone.stop[:2])


def test_an_empty_plane_finished_for_one_structure_ends_that_one_alone(segmenter: Segmenter, volume: Volume) -> None:
    annotation = with_finished(drawn({1: FIRST, 2: SECOND}, PLANE), {AnnotatedSlice(0, 20): frozenset({1})})
    found = segmenter.segment(volume, annotation, QUICK).labels
    assert not (found[20:] == 1).any()
    assert (found[20:] == 2).any()


def test_what_others_drew_is_outside_where_a_structure_is_not_finished() -> None:
    annotation = with_finished(drawn({1: FIRST, 2: SECOND}, PLANE), {PLANE: frozenset({1})})
    assert annotation.structures == (1,)
    assert finished_slices(annotation, 2) == () and finished_slices(annotation, 1) == (PLANE,)
    outside = np.zeros(SHAPE, bool)
    outside.reshape(-1)[stroke_of(annotation, 2).outside] = True
    np.testing.assert_array_equal(outside[16], FIRST[16])
    assert not outside[15].any()


def test_strokes_add_up_and_the_last_word_is_in() -> None:
    annotation = drawn({1: FIRST}, PLANE)
    once = with_strokes(annotation, {1: Stroke(np.array([3, 5]), np.array([7, 9]))})
    twice = with_strokes(once, {1: Stroke(np.array([9]), np.array([11]))}).strokes[1]
    assert twice.inside.tolist() == [3, 5, 9] and twice.outside.tolist() == [7, 11]


def test_the_wire_carries_what_slices_are_finished_for_and_strokes() -> None:
    annotation = with_finished(drawn({1: FIRST, 2: SECOND}, PLANE), {AnnotatedSlice(0, 20): frozenset({1})})
    annotation = with_strokes(annotation, {2: Stroke(np.array([5, 6]), np.array([80]))})
    again = unpack(pack(annotation), GEOMETRY)
    np.testing.assert_array_equal(again.labels, annotation.labels)
    assert again.finished == annotation.finished and again.structures == annotation.structures
    assert again.strokes[2].inside.tolist() == [5, 6] and again.strokes[2].outside.tolist() == [80]


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"strokes": {1: Stroke(np.array([10**9]))}}, "inside the volume"),
        ({"strokes": {1: Stroke(np.array([7, 3]))}}, "sorted"),
        ({"finished": {AnnotatedSlice(1, 3): frozenset({1})}}, "not annotated"),
    ],
)
def test_the_wire_refuses_strokes_and_slices_that_cannot_be(change: dict[str, object], reason: str) -> None:
    packed = pack(replace(drawn({1: FIRST}, PLANE), **change))  # type: ignore[arg-type]
    with pytest.raises(FormatError, match=reason):
        unpack(packed, GEOMETRY)


def test_a_slice_outside_the_volume_and_one_that_leaves_nothing_are_refused() -> None:
    annotation = drawn({1: FIRST}, PLANE)
    with pytest.raises(InputError, match="outside the volume"):
        with_finished(annotation, {AnnotatedSlice(0, 99): frozenset({1})})
    with pytest.raises(InputError, match="finish one"):
        with_finished(annotation, {PLANE: frozenset({2})})


def test_completing_keeps_what_was_found_of_others_on_a_slice_finished_for_one() -> None:
    annotation = with_finished(drawn({1: FIRST, 2: SECOND}, PLANE), {AnnotatedSlice(0, 18): frozenset({1})})
    answer = np.where(FIRST, 1, np.where(SECOND, 2, 0)).astype(np.uint8)
    whole = complete(annotation, answer)
    np.testing.assert_array_equal(whole.labels[18] == 2, SECOND[18])
