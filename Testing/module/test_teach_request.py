"""From whole segments to what is taught: every voxel known, and where it is in the patient."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from metasegment.annotation import BACKGROUND
from metasegment.errors import InputError
from metasegment.task import Provenance, Task, TaskStructure
from MetaSegmentLib.learner.TeachRequest import TeachRequest

pytest.importorskip("slicer", reason="slicer-core is not installed")

from helpers.grids import geometry_with

from MetaSegmentLib.scene.SegmentRole import SegmentRole
from MetaSegmentLib.scene.TaskSegments import segmentsWith
from MetaSegmentLib.work.SceneBridge import SceneBridge
from MetaSegmentLib.work.SliceEntry import SliceEntry, SliceState


def request_of(
    volume: Any, segmentation: Any, task: Task | None = None, drawn: tuple[SliceEntry, ...] = ()
) -> TeachRequest:
    bridge = SceneBridge(volume, segmentation)
    return bridge.teachRequest(bridge.volume(), drawn, task)


def listed(axis: int, index: int) -> SliceEntry:
    return SliceEntry(axis, index, "", SliceState.PARTLY, ())


@pytest.fixture
def a_task() -> Task:
    """A task of two structures."""
    entry = "list~SCT^123037004^Anatomical Structure~SCT^10200004^Liver~^^~list~^^~^^"
    structures = (TaskStructure(3, "Liver", (1.0, 0.5, 0.25), entry), TaskStructure(9, "Spleen"))
    return Task(Provenance(structures, "a" * 64, "none", "", 1), {"head": np.ones(3)})


def test_whole_segments_are_taught_on_the_voxels_they_were_painted_on(
    a_volume: Any, a_hand_on: Callable[..., Any]
) -> None:
    hand = a_hand_on(a_volume)
    box = slice(2, 5), slice(3, 7), slice(4, 6)
    hand.paint(hand.add("Liver"), *box)
    annotation = request_of(a_volume, hand.segmentation).annotation()
    expected = np.full(annotation.labels.shape, BACKGROUND)
    expected[box] = 1
    assert np.array_equal(annotation.labels, expected)
    assert annotation.names == {1: "Liver"}


def test_segments_beyond_the_volume_end_where_it_ends(a_hand: Any, a_volume_on: Callable[..., Any]) -> None:
    origin = (10.0 - 0.8 * 2, -20.0 + 0.9 * 3, 30.0 - 2.5 * 4)  # sticks out of the volume along i and k
    part = a_volume_on(geometry_with((20, 20, 10), (0.8, 0.9, 2.5), origin), "part")
    a_hand.segmentation.SetReferenceImageGeometryParameterFromVolumeNode(part)
    liver = a_hand.add("Liver")
    volume, a_hand.volume = a_hand.volume, part
    a_hand.paint(liver, slice(2, 8), slice(5, 9), slice(0, 12))
    labels = request_of(volume, a_hand.segmentation).annotation().labels
    found = {tuple(p) for p in np.argwhere(labels == 1)}
    assert found == {(k, j, i) for k in range(4) for j in range(8, 12) for i in range(10)}


def test_segments_on_a_finer_grid_are_taught_where_they_are(a_hand: Any, a_volume_on: Callable[..., Any]) -> None:
    spacing, origin = np.array((0.4, 0.45, 1.25)), np.array((10.0, -20.0, 30.0))
    fine = a_volume_on(geometry_with((100, 80, 60), tuple(spacing), tuple(origin - spacing / 2)), "fine")
    a_hand.segmentation.SetReferenceImageGeometryParameterFromVolumeNode(fine)
    liver = a_hand.add("Liver")
    coarse, a_hand.volume = a_hand.volume, fine
    a_hand.paint(liver, slice(20, 24), slice(10, 20), slice(30, 50))
    labels = request_of(coarse, a_hand.segmentation).annotation().labels
    found = {tuple(p) for p in np.argwhere(labels == 1)}
    assert found == {(k, j, i) for k in (10, 11) for j in range(5, 10) for i in range(15, 25)}


def test_where_segments_overlap_the_lower_one_in_the_table_is_taught(a_hand: Any) -> None:
    organ, tumour = a_hand.add("Organ"), a_hand.add("Tumour")
    a_hand.paint(tumour, slice(5, 8), slice(10, 20), slice(10, 20))
    a_hand.paint(organ, slice(5, 8), slice(5, 25), slice(5, 25))
    labels = request_of(a_hand.volume, a_hand.segmentation).annotation().labels
    assert [np.count_nonzero(labels == label) for label in (1, 2)] == [900, 300]


def test_empty_segments_and_those_left_alone_are_not_taught(a_hand: Any) -> None:
    a_hand.add("empty")
    other, liver = a_hand.add("other"), a_hand.add("Liver")
    for key in (other, liver):
        a_hand.paint(key, slice(2, 5), slice(3, 7), slice(4, 6))
    SegmentRole.LEFT_ALONE.assign(a_hand.segmentation, other)
    assert request_of(a_hand.volume, a_hand.segmentation).names == {1: "Liver"}


def test_a_task_of_the_same_names_grows_with_its_own_labels_and_names(a_hand: Any, a_task: Task) -> None:
    for name in ("spleen", " LIVER"):
        a_hand.paint(a_hand.add(name), slice(2, 5), slice(3, 7), slice(4, 6) if name == "spleen" else slice(8, 10))
    request = request_of(a_hand.volume, a_hand.segmentation, a_task)
    assert request.earlier is a_task
    annotation = request.annotation()
    assert annotation.names == {3: "Liver", 9: "Spleen"}
    assert (annotation.labels[2:5, 3:7, 4:6] == 9).all()
    assert (annotation.labels[2:5, 3:7, 8:10] == 3).all()


def test_a_task_of_other_names_does_not_grow(a_hand: Any, a_task: Task) -> None:
    a_hand.paint(a_hand.add("Liver"), slice(2, 5), slice(3, 7), slice(4, 6))
    request = request_of(a_hand.volume, a_hand.segmentation, a_task)
    assert request.earlier is None
    assert request.names == {1: "Liver"}


def test_only_terminology_that_was_chosen_goes_with_the_structures(a_hand: Any, a_task: Task) -> None:
    first, second = a_hand.add("first"), a_hand.add("second")
    for key, columns in ((first, slice(4, 6)), (second, slice(8, 10))):
        a_hand.paint(key, slice(2, 5), slice(3, 7), columns)
    entry = a_task.structures[0].terminology
    a_hand.segmentation.GetSegmentation().GetSegment(second).SetTerminology(entry)
    assert request_of(a_hand.volume, a_hand.segmentation).terminologies == {2: entry}


@pytest.mark.parametrize(
    ("slices", "is_taught"),
    [((3,), False), ((3, 6, 9), False), ((3, 4, 5), True)],
    ids=["one", "some", "side by side"],
)
def test_single_slices_are_no_whole_segmentation(a_hand: Any, slices: tuple[int, ...], is_taught: bool) -> None:
    liver = a_hand.add("Liver")
    for k in slices:
        a_hand.stroke(liver, (0, k))
    request = request_of(a_hand.volume, a_hand.segmentation, drawn=tuple(listed(0, k) for k in slices))
    if is_taught:
        assert request.annotation().structures == (1,)
    else:
        with pytest.raises(InputError, match="Only single slices are drawn"):
            request.annotation()


def test_single_slices_in_two_planes_are_no_whole_segmentation(a_hand: Any) -> None:
    liver = a_hand.add("Liver")
    for plane in ((0, 8), (0, 9), (2, 20)):
        a_hand.stroke(liver, plane)
    request = request_of(a_hand.volume, a_hand.segmentation, drawn=(listed(0, 8), listed(0, 9), listed(2, 20)))
    with pytest.raises(InputError, match="Only single slices are drawn"):
        request.annotation()


def test_what_was_accepted_between_the_slices_makes_it_whole(a_hand: Any) -> None:
    liver = a_hand.add("Liver")
    a_hand.paint(liver, slice(3, 12), slice(10, 20), slice(10, 20))
    request = request_of(a_hand.volume, a_hand.segmentation, drawn=(listed(0, 3), listed(0, 8)))
    assert request.annotation().structures == (1,)


def test_a_structure_outside_the_volume_is_named(a_hand: Any, a_volume_on: Callable[..., Any]) -> None:
    a_hand.stroke(a_hand.add("Liver"), (0, 5))
    beside = a_volume_on(geometry_with((50, 40, 30), (0.8, 0.9, 2.5), (10.0, -20.0, 500.0)), "beside")
    with pytest.raises(InputError, match="nothing of Liver within the volume"):
        request_of(beside, a_hand.segmentation).annotation()


def test_segments_that_cannot_be_told_apart_are_refused(a_hand: Any) -> None:
    for name in ("Liver", "liver"):
        a_hand.paint(a_hand.add(name), slice(2, 5), slice(3, 7), slice(4, 6))
    with pytest.raises(InputError, match="name of its own"):
        request_of(a_hand.volume, a_hand.segmentation)


def test_segments_of_a_task_are_made_once(a_hand: Any, a_task: Task) -> None:
    own = a_hand.add("spleen")
    found = segmentsWith(a_task, a_hand.segmentation)
    assert found[9] == own
    assert segmentsWith(a_task, a_hand.segmentation) == found
    made = a_hand.segmentation.GetSegmentation().GetSegment(found[3])
    assert (made.GetName(), made.GetTerminology()) == ("Liver", a_task.structures[0].terminology)
    assert made.GetColor() == pytest.approx((1.0, 0.5, 0.25))


def test_slices_are_annotated_with_the_tasks_labels_and_others_are_background(a_hand: Any, a_task: Task) -> None:
    liver, other = a_hand.add("Liver"), a_hand.add("Other")
    a_hand.paint(liver, slice(5, 6), slice(10, 20), slice(5, 15))
    a_hand.paint(other, slice(5, 6), slice(10, 20), slice(20, 30))
    bridge = SceneBridge(a_hand.volume, a_hand.segmentation)
    entry = replace(listed(0, 5), state=SliceState.DONE)
    annotation = bridge.annotationFor({liver: 3}, [entry])
    assert annotation is not None
    assert (annotation.structures, annotation.names) == ((3,), {3: "Liver"})
    assert np.unique(annotation.labels[5]).tolist() == [3, BACKGROUND]
    assert bridge.annotationFor({liver: 3}, []) is None
