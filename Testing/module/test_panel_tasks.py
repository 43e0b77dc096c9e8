"""What was taught in one volume is found in the next, through the panel, with a real learner in a child process."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from module.panel_fixtures import show

from metasegment.io.task_file import read_task, write_task
from metasegment.measures.dice import dice
from metasegment.task import Provenance, Task, TaskStructure


@pytest.fixture
def load(a_panel_that_segments, tmp_path):
    """Loads a task into the scene with the panel's button."""

    def load(task: Task) -> None:
        path = tmp_path / "given.metasegment"
        write_task(task, path)
        a_panel_that_segments.host.dialogs.answer(str(path))
        a_panel_that_segments.ui.loadTaskButton.click()

    return load


@pytest.fixture
def a_strange_task() -> Task:
    """Of a structure that no test has, for weights that nobody has."""
    return Task(Provenance((TaskStructure(1, "spleen"),), "a" * 64, "none", "", 1), {"head": np.ones(9)})


@pytest.fixture
def a_finished_panel(a_panel_that_segments, a_body):
    """The module with a segment that is right throughout the volume."""
    panel = a_panel_that_segments
    panel.accept_whole(panel.segments.GetNthSegmentID(0), a_body.truth)
    return panel


def _names(panel) -> list[str]:
    return [panel.segments.GetNthSegment(n).GetName() for n in range(panel.segments.GetNumberOfSegments())]


def test_a_segmented_volume_teaches_the_next_and_the_task_is_saved_with_the_scene(
    a_panel_that_segments, another_body, tmp_path
):
    import slicer

    panel = a_panel_that_segments
    assert not panel.ui.applyButton.enabled
    panel.ui.segmentButton.click()
    panel.wait()
    panel.ui.acceptButton.click()
    with panel.host.blockage() as meter:
        panel.ui.teachButton.click()
        assert panel.ui.cancelButton.enabled
        panel.wait()
    print(f"\nGUI thread blocked for at most {meter.longest_ms:.0f} ms while the task was learnt")
    assert panel.ui.taskLabel.text == "Task: organ (from 1 volume)"

    show(panel, another_body, "Next patient")
    assert _names(panel) == []
    panel.ui.applyButton.click()
    panel.wait()
    found = panel.segments.GetNthSegmentID(0)
    assert dice(panel.voxels(found, panel.session.preview.node), another_body.truth) > 0.85
    assert not panel.voxels(found).any()
    panel.ui.acceptButton.click()
    assert dice(panel.voxels(found), another_body.truth) > 0.85

    slicer.util.saveScene(str(tmp_path / "case.mrb"))
    panel.host.close_scene()
    assert not panel.ui.applyButton.enabled
    slicer.util.loadScene(str(tmp_path / "case.mrb"))
    panel.host.process_events()
    assert panel.ui.taskLabel.text == "Task: organ (from 1 volume)"
    panel.ui.applyButton.click()
    panel.wait()
    assert panel.workflow.isPreviewing


def test_structures_of_a_task_get_segments_with_its_names_colours_and_terminology(
    a_panel_that_segments, load, a_task, another_body
):
    panel = a_panel_that_segments
    show(panel, another_body)
    load(a_task)
    assert _names(panel) == []
    panel.ui.applyButton.click()
    panel.wait()
    segment = panel.segments.GetNthSegment(0)
    assert segment.GetName() == "liver"
    assert segment.GetColor() == pytest.approx((0.25, 0.5, 0.75))
    assert "10200004" in segment.GetTerminology()
    assert panel.ui.resultTable.item(0, 0).text() == "liver"


def test_a_segment_of_that_name_is_used_whatever_its_case(a_panel_that_segments, load, a_task, another_body):
    panel = a_panel_that_segments
    show(panel, another_body)
    own = panel.add("Liver ")
    load(a_task)
    panel.ui.applyButton.click()
    panel.wait()
    assert _names(panel) == ["Liver "]
    assert dice(panel.voxels(own, panel.session.preview.node), another_body.truth) > 0.85


def test_a_locked_segment_of_that_name_is_left_out(a_panel_that_segments, load, a_task, another_body):
    from MetaSegmentLib.scene.SegmentRole import SegmentRole

    panel = a_panel_that_segments
    show(panel, another_body)
    SegmentRole.LOCKED.assign(panel.session.segmentationNode, panel.add("liver"))
    load(a_task)
    panel.ui.applyButton.click()
    panel.wait()
    assert _names(panel) == ["liver"]
    assert panel.session.preview.node.GetSegmentation().GetNumberOfSegments() == 0


def test_the_look_section_tells_how_familiar_a_volume_is(a_panel_that_segments, load, a_task, another_body, a_body):
    panel = a_panel_that_segments
    load(a_task)
    show(panel, another_body)
    panel.ui.applyButton.click()
    panel.wait()
    assert panel.ui.familiarityLabel.text.startswith("This volume is much like what was taught")
    panel.ui.discardButton.click()
    another_body.voxels = np.random.default_rng(1).normal(0, 200, a_body.voxels.shape).astype(np.int16)
    show(panel, another_body, "Noise")
    assert panel.ui.familiarityLabel.text == ""
    panel.ui.applyButton.click()
    panel.wait()
    assert panel.ui.familiarityLabel.text.startswith("This volume is unlike")
    assert "Low confidence" in panel.ui.warningLabel.text
    assert "annotate one slice" in panel.ui.warningLabel.text
    panel.ui.acceptButton.click()
    assert panel.host.errors == []


def test_slices_that_are_drawn_after_that_are_used(a_panel_that_segments, load, a_task, another_body):
    panel = a_panel_that_segments
    load(a_task)
    show(panel, another_body)
    panel.ui.applyButton.click()
    panel.wait()
    liver, k = panel.segments.GetNthSegmentID(0), another_body.middle
    drawn = np.roll(another_body.truth, 5, axis=2)
    panel.draw(liver, drawn, k)
    panel.ui.applyButton.click()
    panel.wait()
    assert (panel.voxels(liver, panel.session.preview.node)[k] == drawn[k]).all()


def test_a_finished_slice_updates_what_was_applied_where_that_is_wished(
    a_panel_that_segments, load, a_task, another_body
):
    panel = a_panel_that_segments
    load(a_task)
    show(panel, another_body)
    panel.ui.applyButton.click()
    panel.wait()
    panel.ui.automaticBox.click()
    panel.draw(panel.segments.GetNthSegmentID(0), another_body.truth, another_body.middle)
    panel.scroll_to(0)
    panel.host.process_events()
    assert panel.workflow.isBusy
    panel.wait()
    assert panel.workflow.answer.familiarity is not None


def test_a_task_of_the_same_structures_grows(a_finished_panel, load, a_task):
    panel = a_finished_panel
    segment = panel.segments.GetNthSegment(0)
    segment.SetName("LIVER")
    segment.SetTerminology("list~SCT^1^of the user~SCT^2^of the user~^^~list~^^~^^")
    load(a_task)
    panel.ui.teachButton.click()
    panel.wait()
    assert panel.ui.taskLabel.text == "Task: liver (from 2 volumes)"
    (structure,) = panel.widget.tasks.task.structures
    assert (structure.label, structure.name) == (7, "liver")
    assert structure.terminology == segment.GetTerminology()


def test_a_task_of_other_structures_is_replaced_only_with_consent(a_finished_panel, load, a_strange_task):
    import qt

    panel = a_finished_panel
    load(a_strange_task)
    panel.host.dialogs.answer(qt.QMessageBox.Cancel)
    panel.ui.teachButton.click()
    assert "spleen" in panel.host.dialogs.texts()[-1]
    assert not panel.workflow.isBusy
    panel.host.dialogs.answer(qt.QMessageBox.Ok)
    panel.ui.teachButton.click()
    assert panel.workflow.isBusy
    panel.ui.cancelButton.click()
    assert panel.ui.taskLabel.text == "Task: spleen (from 1 volume)"


def test_loading_another_task_asks_before_one_is_lost(a_panel_that_segments, load, a_task, a_strange_task, tmp_path):
    import qt

    panel = a_panel_that_segments
    load(a_strange_task)
    load(a_strange_task)  # the same: nothing would be lost
    write_task(a_task, tmp_path / "other.metasegment")
    for answer, kept in ((qt.QMessageBox.Cancel, "spleen"), (qt.QMessageBox.Ok, "liver")):
        panel.host.dialogs.answer(str(tmp_path / "other.metasegment"), answer)
        panel.ui.loadTaskButton.click()
        assert panel.ui.taskLabel.text == f"Task: {kept} (from 1 volume)"


def test_a_task_for_other_weights_is_explained(a_panel_that_segments, load, a_task):
    panel = a_panel_that_segments
    load(replace(a_task, provenance=replace(a_task.provenance, weights="a" * 64)))
    before = _names(panel)
    panel.ui.applyButton.click()
    panel.wait()
    assert "taught with other weights" in panel.ui.statusLabel.text
    assert _names(panel) == before


def test_a_task_is_saved_and_loaded(a_panel_that_segments, load, a_task, tmp_path):
    panel = a_panel_that_segments
    assert not panel.ui.saveTaskButton.enabled
    load(a_task)
    panel.host.dialogs.answer(str(tmp_path / "mine"))
    panel.ui.saveTaskButton.click()
    again = read_task(tmp_path / "mine.metasegment")
    assert again.provenance == a_task.provenance


def test_what_is_no_task_is_refused_and_the_one_that_is_there_stays(a_panel_that_segments, load, a_task, tmp_path):
    panel = a_panel_that_segments
    load(a_task)
    (tmp_path / "other.metasegment").write_bytes(b"nothing")
    panel.host.dialogs.answer(str(tmp_path / "other.metasegment"))
    panel.ui.loadTaskButton.click()
    assert "damaged or no task" in panel.host.dialogs.texts()[-1]
    assert panel.ui.taskLabel.text == "Task: liver (from 1 volume)"
    panel.host.errors.clear()


def test_a_task_that_cannot_be_written_is_told(a_panel_that_segments, load, a_task, tmp_path):
    panel = a_panel_that_segments
    load(a_task)
    panel.host.dialogs.answer(str(tmp_path / "nowhere" / "mine"))
    panel.ui.saveTaskButton.click()
    assert "could not be saved" in panel.host.dialogs.texts()[-1]
    panel.host.errors.clear()


def test_dialogs_that_are_cancelled_change_nothing(a_panel_that_segments, load, a_task):
    panel = a_panel_that_segments
    load(a_task)
    panel.host.dialogs.answer("", "")
    panel.ui.saveTaskButton.click()
    panel.ui.loadTaskButton.click()
    assert panel.ui.taskLabel.text == "Task: liver (from 1 volume)"


def test_a_task_adds_no_node_to_the_scene(a_panel_that_segments, load, a_task):
    panel = a_panel_that_segments
    nodes = panel.host.scene.GetNumberOfNodes()
    load(a_task)
    assert panel.host.scene.GetNumberOfNodes() == nodes


@pytest.mark.parametrize("text", ["%", "bm90aGluZw=="])
def test_a_damaged_task_in_the_scene_is_told_and_can_be_replaced(a_panel_that_segments, load, a_task, text):
    panel = a_panel_that_segments
    panel.widget.parameters.task = text
    assert panel.ui.taskLabel.text.startswith("The scene's task is damaged")
    assert not panel.ui.applyButton.enabled
    load(a_task)
    assert panel.ui.applyButton.enabled


def test_single_slices_are_not_taught(a_panel_that_segments):
    panel = a_panel_that_segments
    panel.ui.teachButton.click()
    panel.wait()
    assert "Only single slices are drawn" in panel.ui.statusLabel.text


def test_slices_side_by_side_may_be_the_whole_structure(a_panel_that_segments, a_body):
    from metasegment.segmentation import Budget

    panel = a_panel_that_segments
    organ = panel.segments.GetNthSegmentID(0)
    for k in np.flatnonzero(a_body.truth.any(axis=(1, 2))):
        panel.draw(organ, a_body.truth, int(k))
    panel.session.slices.finishDrawing()
    assert panel.session.segmentRequest(Budget()).annotation.slices
    known = panel.session.teachRequest(None).annotation()
    assert ((known.labels == 1) == a_body.truth).all()
    assert (known.labels != 0).all()


def test_what_cannot_be_taught_is_refused_with_a_reason(a_panel_that_segments, another_body):
    panel = a_panel_that_segments
    panel.draw(panel.add("Organ"), another_body.truth, another_body.middle)
    panel.ui.teachButton.click()
    assert "name of its own" in panel.ui.statusLabel.text
    show(panel, another_body, "Empty")
    panel.add("empty")
    panel.ui.teachButton.click()
    assert "Nothing is drawn" in panel.ui.statusLabel.text
    assert not panel.workflow.isBusy


def test_while_the_learner_is_taught_it_is_asked_nothing_else(a_finished_panel):
    panel = a_finished_panel
    panel.ui.teachButton.click()
    for button in (panel.ui.segmentButton, panel.ui.nextSliceButton, panel.ui.teachButton, panel.ui.applyButton):
        assert not button.enabled
    assert "being taught" in panel.ui.segmentButton.toolTip
    panel.workflow.segment()
    assert "taught" not in panel.ui.statusLabel.text
    panel.ui.cancelButton.click()
    assert panel.ui.statusLabel.text == "Cancelled."
    assert panel.ui.segmentButton.enabled
    assert panel.widget.tasks.task is None


def test_teaching_goes_on_when_its_volume_is_left_or_deleted(a_finished_panel, another_body):
    panel = a_finished_panel
    panel.ui.teachButton.click()
    volume = panel.session.volumeNode
    show(panel, another_body)
    panel.host.scene.RemoveNode(volume)
    assert panel.workflow.isBusy
    panel.wait()
    assert panel.ui.taskLabel.text == "Task: organ (from 1 volume)"
    assert panel.ui.applyButton.enabled


def test_a_scene_that_is_closed_ends_the_teaching(a_finished_panel):
    panel = a_finished_panel
    panel.ui.teachButton.click()
    panel.host.close_scene()
    assert not panel.workflow.isBusy
    assert not panel.widget.connection.isBusy
    assert panel.ui.taskLabel.text.startswith("No task yet")


def test_a_volume_that_is_deleted_ends_the_search_in_it(a_panel_that_segments, load, a_task):
    panel = a_panel_that_segments
    load(a_task)
    panel.ui.applyButton.click()
    panel.host.scene.RemoveNode(panel.session.volumeNode)
    assert not panel.workflow.isBusy
    assert not panel.ui.applyButton.enabled
