"""From drawn slices to accepted segments, through the panel, with a real learner in a child process."""

from __future__ import annotations

import numpy as np

from metasegment.measures.dice import dice


def test_drawn_slices_become_a_previewed_segmentation_of_the_whole_volume(a_panel_that_segments, a_body):
    panel = a_panel_that_segments
    organ = panel.segments.GetNthSegmentID(0)
    drawn = panel.voxels(organ)
    first = []
    panel.workflow.onFirstAnswer = lambda *given, show=panel.workflow.onFirstAnswer: (show(*given), first.append(1))
    panel.ui.segmentButton.click()
    assert panel.ui.cancelButton.enabled
    panel.wait()
    assert first, "the first answer was not shown"
    preview = panel.session.preview.node
    assert dice(panel.voxels(organ, preview), a_body.truth) > 0.85
    assert (panel.voxels(organ) == drawn).all()
    assert panel.ui.resultTable.item(0, 2).text().startswith(("good", "very good"))
    assert not panel.ui.cancelButton.enabled


def test_accepting_writes_the_segment_and_undo_takes_it_back(a_panel_that_segments, a_body):
    panel = a_panel_that_segments
    organ = panel.segments.GetNthSegmentID(0)
    drawn = panel.voxels(organ)
    panel.ui.segmentButton.click()
    panel.wait()
    panel.ui.acceptButton.click()
    assert dice(panel.voxels(organ), a_body.truth) > 0.85
    assert not panel.workflow.isPreviewing
    assert len(panel.states()) == 3, "accepting is no stroke"
    panel.ui.segmentEditor.undo()
    assert (panel.voxels(organ) == drawn).all()


def test_discarding_leaves_no_trace(a_panel_that_segments):
    panel = a_panel_that_segments
    panel.workflow.segment()
    panel.workflow.cancel()
    nodes = panel.host.scene.GetNumberOfNodes()
    panel.ui.segmentButton.click()
    panel.wait()
    panel.ui.uncertaintyBox.click()
    assert panel.host.scene.GetNumberOfNodes() > nodes
    panel.ui.discardButton.click()
    assert panel.host.scene.GetNumberOfNodes() == nodes
    assert not panel.ui.acceptButton.enabled


def test_a_cancelled_question_is_heard_of_no_more(a_panel_that_segments):
    panel = a_panel_that_segments
    panel.ui.segmentButton.click()
    panel.ui.cancelButton.click()
    assert not panel.workflow.isBusy
    panel.ui.segmentButton.click()
    panel.wait()
    assert panel.workflow.answer is not None
    assert panel.ui.statusLabel.text.startswith("Done")


def test_other_messages_leave_the_question_under_way(a_panel_that_segments):
    panel = a_panel_that_segments
    panel.ui.segmentButton.click()
    panel.ui.absentButton.click()  # refused: a structure is drawn here
    assert panel.ui.cancelButton.enabled
    panel.wait()
    assert panel.workflow.answer is not None


def test_a_newer_question_takes_the_place_of_the_one_before(a_panel_that_segments, a_body):
    panel = a_panel_that_segments
    answers = []
    panel.workflow.onAnswer = lambda answer, show=panel.workflow.onAnswer: (show(answer), answers.append(answer))
    panel.ui.segmentButton.click()
    moved = np.roll(a_body.truth, 3, axis=2)
    panel.draw(panel.segments.GetNthSegmentID(0), moved, a_body.middle + 3)
    panel.ui.segmentButton.click()
    panel.wait()
    panel.host.wait_until(lambda: not panel.widget.connection.isBusy)
    assert len(answers) == 1
    assert ((answers[0].labels == 1) == moved)[a_body.middle + 3].all()


def test_another_frame_of_a_sequence_has_no_part_in_the_answer(a_panel_that_segments):
    import slicer

    panel = a_panel_that_segments
    volume, scene = panel.session.volumeNode, panel.host.scene
    sequence = scene.AddNewNodeByClass("vtkMRMLSequenceNode", "beat")
    for frame in ("0", "1"):
        sequence.SetDataNodeAtValue(volume, frame)
    browser = scene.AddNewNodeByClass("vtkMRMLSequenceBrowserNode", "beat")
    browser.AddSynchronizedSequenceNode(sequence)
    browser.AddProxyNode(volume, sequence, False)
    slicer.modules.sequences.logic().UpdateAllProxyNodes()
    panel.host.process_events()
    panel.ui.segmentButton.click()
    browser.SetSelectedItemNumber(1)
    slicer.modules.sequences.logic().UpdateAllProxyNodes()
    assert not panel.workflow.isBusy
    assert panel.states() == {}


def test_the_next_slice_is_shown_in_the_views_with_the_reason(a_panel_that_segments):
    panel = a_panel_that_segments
    panel.ui.nextSliceButton.click()
    panel.wait()
    found = panel.workflow.suggestion
    assert found.why in panel.ui.statusLabel.text
    assert panel.widget.slices.plane == (found.axis, found.index)


def test_each_finished_slice_updates_the_answer_where_that_is_wished(a_panel_that_segments, a_body):
    panel = a_panel_that_segments
    panel.ui.automaticBox.click()
    panel.scroll_to(1)
    panel.host.process_events()
    assert panel.workflow.isBusy, "the slice that was left is finished"
    panel.wait()
    assert panel.workflow.answer is not None
    panel.scroll_to(2)
    panel.host.process_events()
    assert not panel.workflow.isBusy, "no slice was finished"


def test_pressing_segment_asks_once_also_where_each_slice_updates_the_answer(a_panel_that_segments):
    panel = a_panel_that_segments
    asked, segment = [], panel.widget.connection.segment
    panel.widget.connection.segment = lambda *given: (asked.append(1), segment(*given))
    panel.ui.automaticBox.click()
    panel.ui.segmentButton.click()
    panel.host.process_events()
    panel.wait()
    assert len(asked) == 1


def test_a_correction_is_learnt_from(a_panel_that_segments, a_body):
    panel = a_panel_that_segments
    organ = panel.segments.GetNthSegmentID(0)
    panel.ui.segmentButton.click()
    panel.wait()
    panel.ui.acceptButton.click()
    panel.draw(organ, a_body.truth & False, a_body.middle + 4)
    assert panel.states()[a_body.middle + 4] == "corrected"
    panel.ui.segmentButton.click()
    panel.wait()
    assert not panel.voxels(organ, panel.session.preview.node)[a_body.middle + 4].any()


def test_a_deleted_volume_ends_its_question(a_panel_that_segments):
    panel = a_panel_that_segments
    panel.ui.segmentButton.click()
    panel.host.scene.RemoveNode(panel.session.volumeNode)
    assert panel.session is None
    assert not panel.workflow.isBusy
    assert not panel.ui.segmentButton.enabled


def test_a_segment_that_is_deleted_meanwhile_is_left_out(a_panel_that_segments, a_body):
    panel = a_panel_that_segments
    other = panel.add("other")
    panel.draw(other, ~a_body.truth & (a_body.voxels > 75), a_body.middle)
    panel.ui.segmentButton.click()
    panel.segments.RemoveSegment(other)
    panel.wait()
    names = [panel.session.preview.node.GetSegmentation().GetNthSegment(0).GetName()]
    assert names == ["organ"]


def test_a_scene_that_is_closed_ends_the_question_and_the_panel_goes_on(a_panel_that_segments, a_body):
    from module.panel_fixtures import show

    panel = a_panel_that_segments
    panel.ui.segmentButton.click()
    panel.host.close_scene()
    assert panel.session is None
    show(panel, a_body)
    panel.draw(panel.add(), a_body.truth, a_body.middle)
    panel.widget.parameters.seconds = 1.0
    panel.ui.segmentButton.click()
    panel.wait()
    assert panel.workflow.answer is not None


def test_changed_voxels_end_the_question_and_take_the_preview_away(a_panel_that_segments):
    import slicer

    panel = a_panel_that_segments
    panel.ui.segmentButton.click()
    panel.wait()
    slicer.util.arrayFromVolume(panel.session.volumeNode)[:] += 1
    slicer.util.arrayFromVolumeModified(panel.session.volumeNode)
    assert not panel.workflow.isPreviewing
    assert "Segment again" in panel.ui.statusLabel.text


def test_a_saved_scene_continues_where_it_stopped(a_panel_that_segments, tmp_path):
    import slicer

    panel = a_panel_that_segments
    panel.scroll_to(1)
    before = panel.states()
    panel.ui.fillSlider.value = 0.4
    slicer.util.saveScene(str(tmp_path / "case.mrb"))
    panel.host.close_scene()
    slicer.util.loadScene(str(tmp_path / "case.mrb"))
    panel.host.process_events()
    assert panel.states() == before
    assert panel.ui.fillSlider.value == 0.4
    panel.ui.segmentButton.click()
    panel.wait()
    assert panel.workflow.isPreviewing


def test_what_is_unusual_by_its_name_is_told_below_the_result(a_panel_that_segments):
    panel = a_panel_that_segments
    panel.segments.GetNthSegment(0).SetName("liver")
    panel.ui.segmentButton.click()
    panel.wait()
    assert "liver: Unusual: " in panel.ui.warningLabel.text
    assert "ml, adults have" in panel.ui.warningLabel.text
