"""The list of annotated slices follows the user's strokes, and nothing else; it survives undo, saving and renaming."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from metasegment.errors import InputError

pytest.importorskip("slicer", reason="slicer-core is not installed")

import slicer
from helpers.grids import geometry_with

from MetaSegmentLib.scene.NextSliceView import NextSliceView
from MetaSegmentLib.scene.SegmentRole import SegmentRole
from MetaSegmentLib.work.AnnotatedSlices import AnnotatedSlices
from MetaSegmentLib.work.SliceEntry import SliceEntry, SliceState

SHOWN = [(0, 12), (1, 20), (2, 25)]


@pytest.fixture
def tracked(a_hand: Any) -> Iterator[AnnotatedSlices]:
    """The list of the hand's volume and segmentation, while views show k = 12, j = 20 and i = 25."""
    slices = AnnotatedSlices(a_hand.volume, a_hand.segmentation)
    slices.setShownPlanes(SHOWN)
    yield slices
    slices.release()


@pytest.fixture
def liver(a_hand: Any) -> str:
    return str(a_hand.add("Liver"))


def states(slices: AnnotatedSlices) -> dict[tuple[int, int], str]:
    return {entry.plane: entry.state.value for entry in slices.entries()}


@pytest.mark.parametrize("plane", SHOWN)
def test_a_stroke_lists_its_plane_as_partly_drawn(
    a_hand: Any, liver: str, tracked: AnnotatedSlices, plane: tuple[int, int]
) -> None:
    a_hand.stroke(liver, plane)
    name = ("axial", "coronal", "sagittal")[plane[0]]
    assert tracked.entries() == (SliceEntry(*plane, name, SliceState.PARTLY, (liver,)),)


@pytest.mark.parametrize("axis", [0, 1, 2])
def test_strokes_are_found_in_each_plane_of_any_volume(a_volume: Any, a_hand_on: Callable[..., Any], axis: int) -> None:
    hand = a_hand_on(a_volume)
    segment = hand.add("Liver")
    views = NextSliceView(a_volume)
    views.jumpTo((axis, 4))
    slices = AnnotatedSlices(a_volume, hand.segmentation)
    slices.setShownPlanes(views.shownPlanes())
    hand.stroke(segment, (axis, 4))
    assert states(slices) == {(axis, 4): "partly"}


def test_leaving_the_plane_makes_it_done(a_hand: Any, liver: str, tracked: AnnotatedSlices) -> None:
    a_hand.stroke(liver, (0, 12))
    tracked.setShownPlanes([(0, 12), (1, 21), (2, 25)])
    assert states(tracked) == {(0, 12): "partly"}
    tracked.setShownPlanes([(0, 13), (1, 21), (2, 25)])
    assert states(tracked) == {(0, 12): "done"}


def test_asking_for_an_answer_finishes_what_is_being_drawn(a_hand: Any, liver: str, tracked: AnnotatedSlices) -> None:
    a_hand.stroke(liver, (0, 12))
    tracked.finishDrawing()
    assert states(tracked) == {(0, 12): "done"}


def test_undoing_a_correction_of_a_finished_slice_leaves_it_finished(
    a_hand: Any, liver: str, tracked: AnnotatedSlices
) -> None:
    a_hand.stroke(liver, (0, 12))
    a_hand.erase(liver, slice(12, 13), slice(10, 12), slice(10, 20))
    tracked.finishDrawing()
    a_hand.undo()
    assert states(tracked) == {(0, 12): "done"}


def test_correcting_a_finished_slice_makes_it_partly_drawn_again(
    a_hand: Any, liver: str, tracked: AnnotatedSlices
) -> None:
    a_hand.stroke(liver, (0, 12))
    tracked.finishDrawing()
    a_hand.erase(liver, slice(12, 13), slice(10, 12), slice(10, 20))
    assert states(tracked) == {(0, 12): "partly"}


def test_a_change_through_several_planes_is_no_slice(a_hand: Any, liver: str, tracked: AnnotatedSlices) -> None:
    a_hand.paint(liver, slice(10, 15), slice(10, 30), slice(10, 40))
    assert tracked.entries() == ()


def test_a_change_that_crosses_a_listed_slice_becomes_its_content(
    a_hand: Any, liver: str, tracked: AnnotatedSlices
) -> None:
    a_hand.stroke(liver, (0, 12))
    tracked.finishDrawing()
    spleen = a_hand.add("Spleen")
    a_hand.paint(spleen, slice(8, 20), slice(2, 5), slice(2, 5))
    assert tracked.entries() == (SliceEntry(0, 12, "axial", SliceState.DONE, (liver, spleen), (liver,)),)


def test_a_stroke_on_one_plane_leaves_the_slices_that_it_crosses_as_they_were(
    a_hand: Any, liver: str, tracked: AnnotatedSlices
) -> None:
    a_hand.stroke(liver, (0, 12))
    tracked.finishDrawing()
    a_hand.stroke(liver, (1, 20))
    assert states(tracked) == {(0, 12): "done", (1, 20): "partly"}


def test_a_line_on_two_shown_planes_belongs_to_the_one_being_drawn(
    a_hand: Any, liver: str, tracked: AnnotatedSlices
) -> None:
    a_hand.stroke(liver, (1, 20))
    a_hand.paint(liver, slice(12, 13), slice(20, 21), slice(40, 48))
    assert states(tracked) == {(1, 20): "partly"}


def test_undo_takes_a_slice_off_the_list_and_redo_puts_it_back(
    a_hand: Any, liver: str, tracked: AnnotatedSlices
) -> None:
    a_hand.stroke(liver, (0, 12))
    tracked.setShownPlanes([(0, 13), (1, 20), (2, 25)])
    a_hand.undo()
    assert tracked.entries() == ()
    a_hand.redo()
    assert states(tracked) == {(0, 12): "done"}


def test_going_back_to_a_copy_of_the_segments_keeps_what_the_copy_shows(
    a_hand: Any, liver: str, tracked: AnnotatedSlices
) -> None:
    """As trame-slicer's undo does: vtkSegmentation.DeepCopy removes all segments before it adds them again."""
    a_hand.paint(liver, slice(12, 13), slice(10, 20), slice(10, 20))
    kept = slicer.vtkSegmentation()
    kept.DeepCopy(a_hand.segmentation.GetSegmentation())
    a_hand.paint(liver, slice(12, 13), slice(10, 30), slice(15, 30))
    a_hand.segmentation.GetSegmentation().DeepCopy(kept)
    assert states(tracked) == {(0, 12): "partly"}


def test_undoing_strokes_that_cross_takes_both_slices_off_the_list_and_redo_puts_them_back(
    a_hand: Any, liver: str, tracked: AnnotatedSlices
) -> None:
    a_hand.stroke(liver, (1, 20))
    a_hand.stroke(liver, (0, 12))
    tracked.finishDrawing()
    a_hand.undo()
    a_hand.undo()
    assert tracked.entries() == ()
    a_hand.redo()
    a_hand.redo()
    assert states(tracked) == {(0, 12): "done", (1, 20): "done"}


def test_undoing_a_stroke_over_existing_content_takes_the_slice_off_the_list(
    a_hand: Any, liver: str, tracked: AnnotatedSlices
) -> None:
    a_hand.paint(liver, slice(5, 25), slice(10, 30), slice(10, 40))
    a_hand.paint(liver, slice(12, 13), slice(5, 10), slice(10, 40))
    assert states(tracked) == {(0, 12): "partly"}
    a_hand.undo()
    assert tracked.entries() == ()


def test_erasing_all_of_ones_own_strokes_takes_the_slice_off_the_list(
    a_hand: Any, liver: str, tracked: AnnotatedSlices
) -> None:
    a_hand.stroke(liver, (0, 12))
    a_hand.erase(liver, slice(12, 13), slice(None), slice(None))
    tracked.finishDrawing()
    assert tracked.entries() == ()


def test_erasing_all_that_an_answer_put_on_a_slice_says_that_the_structure_is_absent(
    a_hand: Any, liver: str, tracked: AnnotatedSlices
) -> None:
    a_hand.paint(liver, slice(5, 25), slice(10, 30), slice(10, 40))
    a_hand.erase(liver, slice(12, 13), slice(None), slice(None))
    assert states(tracked) == {(0, 12): "partly"}
    tracked.finishDrawing()
    assert states(tracked) == {(0, 12): "absent"}


def test_a_slice_can_be_marked_as_without_the_structures(tracked: AnnotatedSlices) -> None:
    tracked.mark((0, 3), SliceState.ABSENT)
    assert states(tracked) == {(0, 3): "absent"}


def test_a_slice_with_a_structure_is_not_absent(a_hand: Any, liver: str, tracked: AnnotatedSlices) -> None:
    a_hand.stroke(liver, (0, 12))
    with pytest.raises(InputError, match="erase it there first"):
        tracked.mark((0, 12), SliceState.ABSENT)


def test_drawing_on_an_absent_slice_makes_it_partly_drawn(a_hand: Any, liver: str, tracked: AnnotatedSlices) -> None:
    tracked.mark((0, 12), SliceState.ABSENT)
    a_hand.stroke(liver, (0, 12))
    assert states(tracked) == {(0, 12): "partly"}


def test_existing_content_becomes_annotation_where_a_slice_is_marked_as_done(
    a_hand: Any, liver: str, tracked: AnnotatedSlices
) -> None:
    a_hand.paint(liver, slice(5, 25), slice(10, 30), slice(10, 40))
    tracked.mark((2, 30), SliceState.DONE)
    assert tracked.entries() == (SliceEntry(2, 30, "sagittal", SliceState.DONE, (liver,), (liver,)),)


@pytest.mark.parametrize(("plane", "reason"), [((0, 3), "Nothing is drawn"), ((0, 30), "no such slice")])
def test_a_slice_with_nothing_on_it_is_not_done(tracked: AnnotatedSlices, plane: tuple[int, int], reason: str) -> None:
    with pytest.raises(InputError, match=reason):
        tracked.mark(plane, SliceState.DONE)


def test_an_ignored_slice_stays_ignored_when_drawn_on(a_hand: Any, liver: str, tracked: AnnotatedSlices) -> None:
    a_hand.stroke(liver, (0, 12))
    tracked.mark((0, 12), SliceState.IGNORED)
    a_hand.erase(liver, slice(12, 13), slice(10, 12), slice(10, 20))
    assert states(tracked) == {(0, 12): "ignored"}


def test_a_slice_can_be_taken_off_the_list(a_hand: Any, liver: str, tracked: AnnotatedSlices) -> None:
    a_hand.stroke(liver, (0, 12))
    tracked.remove((0, 12))
    assert tracked.entries() == ()


def test_drawing_a_locked_segment_annotates_nothing(a_hand: Any, liver: str, tracked: AnnotatedSlices) -> None:
    SegmentRole.LOCKED.assign(a_hand.segmentation, liver)
    a_hand.stroke(liver, (0, 12))
    assert tracked.entries() == ()


def test_a_removed_segment_takes_its_slices_off_the_list_and_undo_puts_them_back(
    a_hand: Any, liver: str, tracked: AnnotatedSlices
) -> None:
    a_hand.stroke(liver, (0, 12))
    tracked.finishDrawing()
    a_hand.logic.SaveStateForUndo()
    a_hand.segmentation.GetSegmentation().RemoveSegment(liver)
    assert tracked.entries() == ()
    a_hand.undo()
    assert states(tracked) == {(0, 12): "done"}


def test_renaming_and_hiding_change_nothing(a_hand: Any, liver: str, tracked: AnnotatedSlices) -> None:
    a_hand.stroke(liver, (0, 12))
    before = tracked.entries()
    a_hand.segmentation.GetSegmentation().GetSegment(liver).SetName("Hepar")
    a_hand.segmentation.GetDisplayNode().SetSegmentVisibility(liver, False)
    a_hand.volume.SetName("Other")
    assert tracked.entries() == before


def test_moving_a_segment_to_a_layer_of_its_own_is_no_stroke(a_hand: Any, liver: str, tracked: AnnotatedSlices) -> None:
    spleen = a_hand.add("Spleen")
    a_hand.stroke(liver, (0, 5))
    a_hand.paint(spleen, slice(12, 13), slice(0, 4), slice(0, 4))
    tracked.remove((0, 12))
    a_hand.segmentation.GetSegmentation().SeparateSegmentLabelmap(spleen)
    a_hand.segmentation.GetSegmentation().CollapseBinaryLabelmaps(False)
    assert tracked.entries() == ()


def test_painting_over_another_segment_changes_no_other_slice(
    a_hand: Any, liver: str, tracked: AnnotatedSlices
) -> None:
    spleen = a_hand.add("Spleen")
    a_hand.stroke(liver, (0, 12))
    tracked.finishDrawing()
    a_hand.stroke(spleen, (1, 20))
    tracked.finishDrawing()
    a_hand.stroke(liver, (1, 20))  # overlap is allowed, so that the liver moves to a layer of its own
    assert a_hand.segmentation.GetSegmentation().GetNumberOfLayers() == 2
    assert states(tracked) == {(0, 12): "done", (1, 20): "partly"}


def test_what_is_changed_while_paused_is_no_stroke(a_hand: Any, liver: str, tracked: AnnotatedSlices) -> None:
    with tracked.paused():
        a_hand.stroke(liver, (0, 12))
    assert tracked.entries() == ()
    a_hand.stroke(liver, (1, 20))
    assert states(tracked) == {(1, 20): "partly"}


def test_a_released_list_listens_no_more(a_hand: Any, liver: str, tracked: AnnotatedSlices) -> None:
    tracked.release()
    a_hand.stroke(liver, (0, 12))
    assert tracked.entries() == ()


def test_the_panel_is_told_once_for_each_change(a_hand: Any, liver: str) -> None:
    calls: list[int] = []
    slices = AnnotatedSlices(a_hand.volume, a_hand.segmentation, lambda: calls.append(1))
    slices.setShownPlanes(SHOWN)
    a_hand.stroke(liver, (0, 12))
    assert len(calls) == 1
    a_hand.erase(liver, slice(12, 13), slice(10, 11), slice(10, 20))
    assert len(calls) == 1
    slices.release()


def test_no_slice_leaves_the_list_for_a_moment_while_segments_move_between_layers(a_hand: Any, liver: str) -> None:
    told: list[list[tuple[int, int]]] = []
    slices = AnnotatedSlices(a_hand.volume, a_hand.segmentation, lambda: told.append(planes(slices)))
    slices.setShownPlanes(SHOWN)
    spleen = a_hand.add("Spleen")
    a_hand.stroke(liver, (0, 12))
    a_hand.stroke(spleen, (1, 20))
    a_hand.stroke(liver, (1, 20))
    assert told == [[(0, 12)], [(0, 12), (1, 20)]]
    slices.release()


def planes(slices: AnnotatedSlices) -> list[tuple[int, int]]:
    return [entry.plane for entry in slices.entries()]


def test_segments_on_a_coarser_grid_are_followed(a_hand: Any, a_volume_on: Callable[..., Any]) -> None:
    coarse = a_volume_on(geometry_with((25, 20, 15), (1.6, 1.8, 5.0), (10.4, -19.55, 31.25)), "coarse")
    a_hand.segmentation.SetReferenceImageGeometryParameterFromVolumeNode(coarse)
    segment = a_hand.add("Liver")
    slices = AnnotatedSlices(a_hand.volume, a_hand.segmentation)
    slices.setShownPlanes(SHOWN)
    fine, a_hand.volume = a_hand.volume, coarse
    a_hand.stroke(segment, (0, 6))  # covers slices 12 and 13
    assert states(slices) == {(0, 12): "partly"}
    a_hand.volume = fine


def test_the_list_is_kept_for_each_frame_of_a_sequence(a_scene: Any, a_hand: Any, liver: str) -> None:
    logic = slicer.vtkSlicerSequencesLogic()
    logic.SetMRMLScene(a_scene)
    browser = a_scene.AddNewNodeByClass("vtkMRMLSequenceBrowserNode")
    sequence = a_scene.AddNewNodeByClass("vtkMRMLSequenceNode")
    browser.SetAndObserveMasterSequenceNodeID(sequence.GetID())
    for frame in ("0.5", "1.5"):
        sequence.SetDataNodeAtValue(a_hand.volume, frame)
    browser.AddProxyNode(a_hand.volume, sequence, False)
    browser.SetSelectedItemNumber(0)
    logic.UpdateProxyNodesFromSequences(browser)
    slices = AnnotatedSlices(a_hand.volume, a_hand.segmentation)
    slices.setShownPlanes(SHOWN)
    a_hand.stroke(liver, (0, 12))
    assert states(slices) == {(0, 12): "partly"}
    browser.SetSelectedItemNumber(1)
    logic.UpdateProxyNodesFromSequences(browser)
    assert slices.entries() == ()
    browser.SetSelectedItemNumber(0)
    logic.UpdateProxyNodesFromSequences(browser)
    assert states(slices) == {(0, 12): "partly"}


def test_save_and_reopen_continues_where_it_stopped(
    a_scene: Any, a_hand: Any, liver: str, tracked: AnnotatedSlices, tmp_path: Path
) -> None:
    a_hand.stroke(liver, (0, 12))
    tracked.setShownPlanes([])
    a_hand.stroke(liver, (1, 20))
    tracked.mark((2, 5), SliceState.ABSENT)
    SegmentRole.LOCKED.assign(a_hand.segmentation, a_hand.add("Ribs"))
    before = tracked.entries()
    tracked.release()
    assert a_scene.WriteToMRB(str(tmp_path / "scene.mrb"))
    a_scene.Clear(True)
    assert a_scene.ReadFromMRB(str(tmp_path / "scene.mrb"))
    volume, segmentation = a_scene.GetFirstNodeByName("CT"), a_scene.GetFirstNodeByName("Segmentation")
    again = AnnotatedSlices(volume, segmentation)
    assert again.entries() == before
    ribs = segmentation.GetSegmentation().GetSegment(segmentation.GetSegmentation().GetSegmentIdBySegmentName("Ribs"))
    assert SegmentRole.of(ribs) is SegmentRole.LOCKED


def test_a_list_that_is_not_ours_starts_anew(a_hand: Any, liver: str) -> None:
    for text in ("nonsense", "[1]", '{"30 40 50": 7}'):
        a_hand.segmentation.SetAttribute("MetaSegment.AnnotatedSlices", text)
        assert AnnotatedSlices(a_hand.volume, a_hand.segmentation).entries() == ()


def test_another_volume_has_a_list_of_its_own(
    a_hand: Any, liver: str, tracked: AnnotatedSlices, a_volume_on: Callable[..., Any]
) -> None:
    a_hand.stroke(liver, (0, 12))
    other = a_volume_on(geometry_with((50, 40, 30), (0.8, 0.9, 3.0)), "other")
    assert AnnotatedSlices(other, a_hand.segmentation).entries() == ()


def test_a_closed_scene_does_no_harm(
    a_scene: Any, a_hand: Any, liver: str, tracked: AnnotatedSlices, capfd: pytest.CaptureFixture[str]
) -> None:
    a_hand.stroke(liver, (0, 12))
    a_scene.Clear(True)
    tracked.release()
    assert "Traceback" not in capfd.readouterr().err  # VTK prints what an observer raises


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.lists(
        st.tuples(st.sampled_from(SHOWN), st.integers(0, 1), st.booleans(), st.integers(1, 6), st.integers(1, 6)),
        min_size=1,
        max_size=6,
    )
)
def test_strokes_and_as_many_undos_leave_an_empty_list(
    a_hand_on: Callable[..., Any], a_plain_volume: Any, strokes: list[tuple[tuple[int, int], int, bool, int, int]]
) -> None:
    hand = a_hand_on(a_plain_volume)
    segments = [hand.add("A"), hand.add("B")]
    slices = AnnotatedSlices(hand.volume, hand.segmentation)
    slices.setShownPlanes(SHOWN)
    for plane, segment, erase, start, size in strokes:
        box = [slice(start, start + 2 * size) for _axis in range(3)]
        box[plane[0]] = slice(plane[1], plane[1] + 1)
        hand.paint(segments[segment], *box, erase=erase)
    for _stroke in strokes:
        hand.undo()
    assert slices.entries() == ()
    slices.release()
