"""The list of annotated slices in the panel follows the user's strokes, and the user's word."""

from __future__ import annotations

from module.panel_fixtures import show


def _row(panel, row: int) -> list[str]:
    return [panel.ui.sliceTable.item(row, column).text() for column in range(4)]


def test_strokes_are_listed_where_they_happen_and_done_once_left(a_panel_with_strokes, a_body):
    panel = a_panel_with_strokes
    middle = a_body.middle
    assert panel.states() == {middle - 6: "done", middle: "partly", middle + 6: "done"}
    assert _row(panel, 1) == ["axial", "15/28 · S 42.0 mm", "organ", "partly drawn"]
    assert panel.ui.sliceLabel.text == "Slice in view: axial 15/28 · S 42.0 mm, partly drawn"
    panel.scroll_to(1)
    assert _row(panel, 1)[3] == "done"


def test_clicking_a_row_goes_there(a_panel_with_strokes, a_body):
    panel = a_panel_with_strokes
    panel.ui.sliceTable.cellClicked.emit(0, 0)
    assert panel.widget.slices.plane == (0, a_body.middle - 6)
    assert panel.ui.sliceTable.currentRow() == 0


def test_a_slice_without_structures_is_background_once_the_user_says_so(a_panel_with_strokes):
    panel = a_panel_with_strokes
    panel.scroll_to(2)
    panel.ui.absentButton.click()
    assert panel.states()[2] == "absent"
    panel.ui.removeButton.click()
    assert 2 not in panel.states()


def test_a_slice_with_a_structure_is_not_empty_and_the_panel_says_so(a_panel_with_strokes, a_body):
    panel = a_panel_with_strokes
    panel.ui.absentButton.click()
    assert panel.states()[a_body.middle] == "partly"
    assert "erase it there first" in panel.ui.statusLabel.text


def test_an_ignored_slice_is_not_asked_about(a_panel_with_strokes, a_body):
    from metasegment.segmentation import Budget

    panel = a_panel_with_strokes
    panel.ui.ignoreButton.click()
    used = [plane.index for plane in panel.session.segmentRequest(Budget()).annotation.slices]
    assert used == [a_body.middle - 6, a_body.middle + 6]


def test_an_existing_segment_becomes_annotation_slice_by_slice(a_panel, a_body):
    import slicer

    show(a_panel, a_body)
    organ = a_panel.add()
    node, volume = a_panel.session.segmentationNode, a_panel.session.volumeNode
    slicer.util.updateSegmentBinaryLabelmapFromArray(a_body.truth.astype("uint8"), node, organ, volume)
    assert a_panel.states() == {}
    a_panel.scroll_to(1)
    a_panel.scroll_to(a_body.middle)
    a_panel.ui.doneButton.click()
    assert a_panel.states() == {a_body.middle: "done"}


def test_a_locked_segment_is_not_learnt(a_panel_with_strokes):
    panel = a_panel_with_strokes
    panel.ui.roleBox.currentIndex = 1
    panel.ui.roleBox.activated.emit(1)
    assert panel.states() == {}
    assert not panel.ui.segmentButton.enabled


def test_more_than_a_few_strokes_can_be_undone_as_in_slicers_own_module(a_panel, a_body):
    show(a_panel, a_body)
    organ, strokes = a_panel.add(), range(a_body.middle - 4, a_body.middle + 4)  # the widget alone: 5
    for k in strokes:
        a_panel.draw(organ, a_body.truth, k)
    assert a_panel.voxels(organ).any(axis=(1, 2)).sum() == len(strokes)
    for _stroke in strokes:
        a_panel.ui.segmentEditor.undo()
    assert not a_panel.voxels(organ).any()


def test_the_role_shown_is_that_of_the_segment_that_was_just_added(a_panel_with_strokes):
    panel = a_panel_with_strokes
    panel.ui.roleBox.currentIndex = 1
    panel.ui.roleBox.activated.emit(1)
    panel.ui.segmentEditor._add.click()
    assert panel.segments.GetNumberOfSegments() == 2
    assert panel.ui.roleBox.currentIndex == 0
    panel.ui.segmentEditor.setCurrentSegmentID(panel.segments.GetNthSegmentID(0))
    assert panel.ui.roleBox.currentIndex == 1


def test_a_tilted_view_is_named_and_turned_by_a_button(a_panel_with_strokes):
    panel = a_panel_with_strokes
    red = panel.host.layout_manager.sliceWidget("Red").mrmlSliceNode()
    red.GetSliceToRAS().SetElement(0, 2, 0.5)
    red.GetSliceToRAS().SetElement(2, 2, 0.87)
    red.UpdateMatrices()
    assert "Red" in panel.ui.tiltLabel.text
    assert panel.ui.alignButton.visible or not panel.ui.alignButton.isHidden()
    panel.ui.alignButton.click()
    assert panel.ui.tiltLabel.text == ""


def test_a_stroke_made_in_another_view_counts_there(a_panel_with_strokes, a_body):
    import slicer

    panel = a_panel_with_strokes
    organ = panel.segments.GetNthSegmentID(0)
    panel.scroll_to(3)
    panel.workflow.goTo((1, 30))
    mask = panel.voxels(organ).astype("uint8")
    mask[:, 30] = a_body.truth[:, 30]
    node, volume = panel.session.segmentationNode, panel.session.volumeNode
    slicer.util.updateSegmentBinaryLabelmapFromArray(mask, node, organ, volume)
    assert [(entry.axis, entry.index) for entry in panel.session.slices.entries() if entry.axis == 1] == [(1, 30)]


def test_a_view_that_is_added_later_is_watched_too(a_panel_with_strokes, a_body):
    from MetaSegmentLib.scene.VolumeGrid import VolumeGrid

    panel = a_panel_with_strokes
    added = panel.host.scene.AddNewNodeByClass("vtkMRMLSliceNode", "Axial2")
    added.SetOrientation("Axial")
    added.SetMappedInLayout(1)  # as the layout manager does
    added.JumpSliceByOffsetting(*VolumeGrid.of(panel.session.volumeNode).centerOf((0, 4)))
    assert panel.widget.slices.plane == (0, 4)


def test_renaming_a_segment_shows_in_the_list(a_panel_with_strokes):
    panel = a_panel_with_strokes
    panel.segments.GetNthSegment(0).SetName("left kidney")
    assert _row(panel, 0)[2] == "left kidney"
