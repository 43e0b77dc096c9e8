"""An answer is corrected where one looks: strokes, ends, contours taken from it, edits after accepting."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from module.panel_fixtures import Panel, show

from metasegment.measures.dice import dice

pytest.importorskip("slicer", reason="slicer-core is not installed")

from metasegment.segmentation import Budget


@pytest.fixture
def answered(a_panel_that_segments: Panel) -> Panel:
    """The module with a preview of the organ; its slices at 8, 14 and 20 are drawn."""
    a_panel_that_segments.ui.segmentButton.click()
    a_panel_that_segments.wait()
    return a_panel_that_segments


def organ_of(panel: Panel) -> str:
    return str(panel.segments.GetNthSegmentID(0))


def brush(panel: Panel, k: int, mask: np.ndarray, effect: str = "Paint") -> None:
    """Set an effect's brush on an axial slice, then make the organ there what `mask` (rows, columns) is."""
    import slicer

    panel.scroll_to(k)
    editor = panel.ui.segmentEditor
    editor.mrmlSegmentEditorNode().SetActiveEffectName(effect)
    slicer.app.layoutManager().sliceWidget("Red").sliceView().interactor().InvokeEvent("LeftButtonPressEvent")
    whole = np.zeros(panel.voxels(organ_of(panel)).shape, bool)
    whole[k] = mask
    panel.draw(organ_of(panel), whole, k)


def on_preview(panel: Panel, k: int) -> np.ndarray:
    return panel.voxels(organ_of(panel), panel.session.preview.node)[k]


def stroke_in(panel: Panel) -> Any:
    """What the learner would be told of the organ beside its slices."""
    return panel.session.segmentRequest(Budget()).annotation.strokes.get(1)


def columns(flat: np.ndarray, panel: Panel) -> set[int]:
    shape = panel.voxels(organ_of(panel)).shape
    return set(np.unravel_index(flat, shape)[2].tolist())


def test_a_corner_painted_over_the_preview_is_a_stroke_and_the_contour_stays(answered: Panel) -> None:
    k = 11
    shown = on_preview(answered, k)
    corner = np.zeros_like(shown)
    corner[24:27, 44:48] = True
    brush(answered, k, shown | corner)
    assert answered.states()[k] == "corrected"
    stroke = stroke_in(answered)
    assert stroke.inside.size == (corner & ~shown).sum() and stroke.outside.size == 0
    assert columns(stroke.inside, answered) <= {44, 45, 46, 47}
    answered.host.process_events()
    assert answered.workflow.isBusy, "the answer follows the stroke"
    answered.wait()
    assert on_preview(answered, k)[25, 45]
    assert dice(answered.voxels(organ_of(answered), answered.session.preview.node)[14], shown) > 0.8


def test_erasing_on_the_preview_takes_from_the_answer(answered: Panel, a_body: Any) -> None:
    k = 11
    shown = on_preview(answered, k)
    wrong = np.zeros_like(shown)
    wrong[:, :20] = True
    brush(answered, k, shown & ~wrong, effect="Erase")
    stroke = stroke_in(answered)
    assert stroke.outside.size == (shown & wrong).sum() and stroke.inside.size == 0
    answered.host.process_events()
    answered.wait()
    assert not (on_preview(answered, k) & wrong & shown).any()


def test_setting_the_brush_copies_the_contour_and_undo_takes_it_back(answered: Panel) -> None:
    k = 11
    shown = on_preview(answered, k)
    brush(answered, k, shown, effect="Erase")
    assert (answered.voxels(organ_of(answered))[k] == shown).all()
    assert stroke_in(answered) is None
    answered.ui.segmentEditor.undo()  # the stroke
    answered.ui.segmentEditor.undo()  # the copy
    assert not answered.voxels(organ_of(answered))[k].any()
    assert k not in answered.states()


def test_done_finishes_a_corrected_slice(answered: Panel) -> None:
    k = 11
    shown = on_preview(answered, k)
    brush(answered, k, shown, effect="Erase")
    answered.scroll_to(k)
    answered.ui.doneButton.click()
    assert answered.states()[k] == "done"
    slices = [plane.index for plane in answered.session.segmentRequest(Budget()).annotation.slices]
    assert k in slices


def test_a_contour_is_taken_from_the_answer_with_one_click(answered: Panel) -> None:
    k = 11
    shown = on_preview(answered, k)
    answered.scroll_to(k)
    answered.ui.takeButton.click()
    assert (answered.voxels(organ_of(answered))[k] == shown).all()
    assert answered.states()[k] == "done"
    answered.ui.discardButton.click()
    assert not answered.ui.takeButton.enabled


def test_the_structure_ends_where_the_user_says_so(answered: Panel) -> None:
    k = 18
    assert on_preview(answered, k).any()
    answered.ui.sliceTable.cellClicked.emit(2, 0)
    answered.scroll_to(20)
    answered.ui.endsButton.click()
    assert "erase it there first" in answered.ui.statusLabel.text
    answered.scroll_to(23)
    answered.ui.endsButton.click()
    assert answered.states()[23] == "ends"
    answered.host.process_events()
    assert answered.workflow.isBusy, "the answer follows"
    answered.wait()
    assert not on_preview(answered, 23).any()


def test_an_end_says_nothing_of_other_structures(answered: Panel) -> None:
    other = answered.add("other")
    truth = np.zeros(answered.voxels(other).shape, bool)
    truth[20, 2:8, 2:8] = True
    answered.draw(other, truth, 20)
    answered.scroll_to(24)
    answered.ui.segmentEditor.setCurrentSegmentID(organ_of(answered))
    answered.ui.endsButton.click()
    annotation = answered.session.segmentRequest(Budget()).annotation
    assert {plane.index: set(labels) for plane, labels in annotation.finished.items()}[24] == {1}


def test_voxels_cut_with_any_tool_after_accepting_stay_out(answered: Panel) -> None:
    import slicer

    organ = organ_of(answered)
    answered.ui.acceptButton.click()
    accepted = answered.voxels(organ)
    cut = accepted.copy()
    cut[9:13, :, 30:] = False  # four slices at once
    node, volume = answered.session.segmentationNode, answered.session.volumeNode
    slicer.util.updateSegmentBinaryLabelmapFromArray(cut.astype(np.uint8), node, organ, volume)
    stroke = stroke_in(answered)
    assert stroke.outside.size == (accepted & ~cut).sum() and stroke.inside.size == 0
    answered.ui.segmentButton.click()
    answered.wait()
    assert not answered.voxels(organ, answered.session.preview.node)[9:13, :, 30:].any()
    answered.ui.acceptButton.click()
    assert stroke_in(answered).outside.size == stroke.outside.size, "known for good"


def test_undoing_an_acceptance_leaves_no_strokes(answered: Panel) -> None:
    answered.ui.acceptButton.click()
    answered.ui.segmentEditor.undo()
    assert stroke_in(answered) is None


def test_a_slice_drawn_since_the_question_is_not_written_over(answered: Panel, a_body: Any) -> None:
    organ = organ_of(answered)
    redrawn = np.roll(a_body.truth, 5, axis=2)
    answered.draw(organ, redrawn, a_body.middle)
    answered.ui.acceptButton.click()
    assert (answered.voxels(organ)[a_body.middle] == redrawn[a_body.middle]).all()
    assert answered.voxels(organ)[11].any()


def test_a_structure_that_is_not_ticked_stays_as_it_is(a_panel_that_segments: Panel, a_body: Any) -> None:
    panel, organ = a_panel_that_segments, organ_of(a_panel_that_segments)
    other = panel.add("other")
    panel.draw(other, ~a_body.truth & (a_body.voxels > 75), a_body.middle)
    panel.ui.segmentButton.click()
    panel.wait()
    drawn = panel.voxels(other)
    panel.ui.resultTable.item(1, 0).setCheckState(_unchecked())
    panel.ui.acceptButton.click()
    assert panel.ui.statusLabel.text.startswith("Accepted: organ.")
    assert (panel.voxels(other) == drawn).all()
    assert panel.voxels(organ)[11].any()


def _unchecked() -> Any:
    import qt

    return qt.Qt.Unchecked


def test_what_masking_held_back_is_told(answered: Panel) -> None:
    editor = answered.ui.segmentEditor.mrmlSegmentEditorNode()
    editor.SourceVolumeIntensityMaskOn()
    editor.SetSourceVolumeIntensityMaskRange(150.0, 400.0)
    answered.ui.acceptButton.click()
    assert "masking kept" in answered.ui.statusLabel.text


def test_accepting_into_a_hidden_segment_is_told(answered: Panel) -> None:
    answered.session.segmentationNode.GetDisplayNode().SetSegmentVisibility(organ_of(answered), False)
    answered.ui.acceptButton.click()
    assert "Hidden, so not seen: organ." in answered.ui.statusLabel.text


def test_a_segment_called_background_is_no_structure(a_panel_that_segments: Panel, a_body: Any) -> None:
    panel = a_panel_that_segments
    background = panel.add("Background")
    panel.draw(background, ~a_body.truth, a_body.middle)
    assert panel.session.segmentRequest(Budget()).annotation.structures == (1,)


def test_nothing_here_in_a_tilted_view_marks_no_other_view(a_panel_that_segments: Panel) -> None:
    panel = a_panel_that_segments
    before = panel.session.slices.entries()
    red = panel.host.layout_manager.sliceWidget("Red").mrmlSliceNode()
    panel.widget.watch.setView(red)
    red.GetSliceToRAS().SetElement(0, 2, 0.5)
    red.GetSliceToRAS().SetElement(2, 2, 0.87)
    red.UpdateMatrices()
    panel.ui.absentButton.click()
    assert [e.plane for e in panel.session.slices.entries()] == [e.plane for e in before]
    assert not panel.ui.absentButton.enabled


def test_another_volume_with_a_preview_open_asks_first(answered: Panel, another_body: Any) -> None:
    import qt
    import slicer

    volume = answered.session.volumeNode
    other = slicer.util.addVolumeFromArray(another_body.voxels, name="Next")
    answered.host.dialogs.answer(qt.QMessageBox.Cancel)
    answered.ui.volumeSelector.setCurrentNode(other)
    assert answered.session.volumeNode is volume and answered.workflow.isPreviewing
    answered.host.process_events()
    assert answered.ui.volumeSelector.currentNode() is volume
    answered.host.dialogs.answer(qt.QMessageBox.Ok)
    answered.ui.volumeSelector.setCurrentNode(other)
    assert answered.session.volumeNode is other


def test_a_renamed_segment_has_its_new_name_in_the_results(answered: Panel) -> None:
    answered.segments.GetNthSegment(0).SetName("left kidney")
    assert answered.ui.resultTable.item(0, 0).text() == "left kidney"


def test_mended_slices_are_known_again_when_the_scene_is_read(answered: Panel, tmp_path: Any) -> None:
    import slicer

    k = 11
    shown = on_preview(answered, k)
    brush(answered, k, shown & ~np.eye(*shown.shape, dtype=bool), effect="Erase")
    told = stroke_in(answered).outside
    assert told.size
    slicer.util.saveScene(str(tmp_path / "case.mrb"))
    answered.host.close_scene()
    slicer.util.loadScene(str(tmp_path / "case.mrb"))
    assert (stroke_in(answered).outside == told).all()


def test_existing_whole_segments_are_left_alone_until_the_user_says_otherwise(a_panel: Panel, a_body: Any) -> None:
    import slicer

    show(a_panel, a_body)
    a_panel.add("organ")
    a_panel.accept_whole(organ_of(a_panel), a_body.truth)
    node = a_panel.session.segmentationNode
    a_panel.ui.segmentationSelector.setCurrentNode(slicer.mrmlScene.AddNewNodeByClass("vtkMRMLSegmentationNode"))
    a_panel.ui.segmentationSelector.setCurrentNode(node)
    assert a_panel.ui.roleBox.currentIndex == 2
    assert not a_panel.ui.segmentButton.enabled


def test_slices_drawn_in_a_segmentation_read_alone_are_listed(a_panel_with_strokes: Panel, a_body: Any) -> None:
    import slicer

    panel = a_panel_with_strokes
    node = panel.session.segmentationNode
    read = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLSegmentationNode", "read")
    read.GetSegmentation().DeepCopy(node.GetSegmentation())
    panel.ui.segmentationSelector.setCurrentNode(read)
    assert panel.states() == {a_body.middle + offset: "done" for offset in (-6, 0, 6)}


def test_a_click_on_a_result_goes_to_its_least_sure_slice(answered: Panel) -> None:
    answer = answered.workflow.answer
    answered.ui.resultTable.cellClicked.emit(0, 1)
    axis, index = answered.widget.slices.plane
    within = index - answer.map.region[0].start
    found = answer.labels[tuple(answer.map.region)] == 1
    unsure = [answer.map.uncertainty[k][found[k]].mean() if found[k].any() else 0 for k in range(len(found))]
    assert axis == 0 and unsure[within] == pytest.approx(max(unsure))
