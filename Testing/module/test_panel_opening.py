"""The module is opened, reloaded and closed, on scenes of all kinds; nothing is installed, started or sent by that."""

from __future__ import annotations

import sys
import threading
from xml.etree import ElementTree

import numpy as np
import pytest
from module.panel_fixtures import MODULE, show

_LIBRARY = MODULE.parent / "MetaSegmentLib"
_NARROW = 460  # pixels: the panel's width beside four views on a screen of 1366


def test_opening_installs_starts_and_asks_nothing(a_host):
    before = set(threading.enumerate())
    a_host.load_module(MODULE)
    a_host.open_module("MetaSegment")
    a_host.process_events()
    assert a_host.pip.requests == []
    assert a_host.dialogs.texts() == []
    assert set(threading.enumerate()) <= before


def test_every_widget_has_a_name_of_its_own():
    panel = ElementTree.parse(MODULE.parent / "Resources" / "UI" / "MetaSegment.ui")
    names = [widget.get("name") for widget in panel.iter("widget")]
    assert sorted(names) == sorted(set(names))


def test_without_a_volume_the_panel_says_what_to_do(a_panel):
    assert not a_panel.ui.segmentButton.enabled
    assert "Select a volume" in a_panel.ui.statusLabel.text


def test_a_volume_is_described_and_gets_a_segmentation(a_panel, a_body):
    volume = show(a_panel, a_body)
    assert a_panel.ui.volumeInfo.text == "MR or other, 52 × 48 × 28 voxels, 2 × 2 × 3 mm"
    assert a_panel.session.segmentationNode.GetNodeReference("referenceImageGeometryRef") is volume
    assert a_panel.ui.segmentEditor.sourceVolumeNode() is volume


def test_another_volume_gets_a_segmentation_of_its_own_and_the_first_keeps_its_slices(a_panel_with_strokes, a_body):
    panel = a_panel_with_strokes
    first, listed = panel.session, panel.states()
    show(panel, a_body, "Second")
    assert panel.session.segmentationNode is not first.segmentationNode
    assert panel.states() == {}
    panel.ui.volumeSelector.setCurrentNode(first.volumeNode)
    assert panel.session.segmentationNode is first.segmentationNode
    assert list(panel.states()) == list(listed)


def test_a_second_segmentation_of_the_volume_can_be_chosen(a_panel_with_strokes):
    panel = a_panel_with_strokes
    other = panel.ui.segmentationSelector.addNode()
    assert panel.session.segmentationNode is other
    assert panel.states() == {}


def test_the_sample_is_listed_and_loaded_by_a_button(a_panel, a_body, tmp_path):
    import slicer

    volume = slicer.util.addVolumeFromArray(a_body.voxels)
    slicer.util.saveNode(volume, str(tmp_path / "liver.nrrd"))
    a_panel.host.samples["CTLiver"] = tmp_path / "liver.nrrd"
    assert slicer.modules.sampleDataSources["MetaSegment"][0].sampleName == "MetaSegmentCTLiver"
    a_panel.ui.sampleButton.click()
    assert a_panel.session.volumeNode.GetName() == "CTLiver"


def test_a_sample_that_cannot_be_downloaded_is_told(a_panel, monkeypatch):
    import SampleData

    # Modules/Scripted/SampleData/SampleData.py, downloadSamples: no node where all downloads failed
    monkeypatch.setattr(SampleData, "downloadSamples", lambda name: [])
    a_panel.ui.sampleButton.click()
    assert "connected to the internet" in a_panel.host.dialogs.texts()[-1]
    a_panel.host.errors.clear()


def test_a_warped_volume_is_refused_with_a_reason_and_taken_up_again_once_it_is_not(a_panel_with_strokes):
    panel = a_panel_with_strokes
    volume, listed = panel.session.volumeNode, panel.states()
    warp = panel.host.scene.AddNewNodeByClass("vtkMRMLBSplineTransformNode", "warp")
    volume.SetAndObserveTransformNodeID(warp.GetID())
    assert "non-linear" in panel.ui.volumeInfo.text
    assert not panel.ui.segmentButton.enabled
    volume.SetAndObserveTransformNodeID(None)
    panel.host.leave_module()
    panel.host.open_module("MetaSegment")
    assert panel.ui.segmentButton.enabled
    assert list(panel.states()) == list(listed)


def test_a_moved_volume_takes_its_annotation_along(a_panel_with_strokes):
    import slicer

    panel = a_panel_with_strokes
    listed = panel.states()
    shift = panel.host.scene.AddNewNodeByClass("vtkMRMLLinearTransformNode", "shift")
    matrix = np.eye(4)
    matrix[:3, 3] = 10, 20, 30
    shift.SetMatrixTransformToParent(slicer.util.vtkMatrixFromArray(matrix))
    for node in (panel.session.segmentationNode, panel.session.volumeNode):
        node.SetAndObserveTransformNodeID(shift.GetID())
    assert list(panel.states()) == list(listed)
    assert panel.ui.segmentButton.enabled


def test_a_volume_whose_spacing_is_changed_is_another_volume(a_panel_with_strokes):
    panel = a_panel_with_strokes
    before, listed = panel.session.volume(), panel.states()
    panel.session.volumeNode.SetSpacing(1.0, 2.0, 3.0)
    assert panel.session.volume().geometry.spacing == (1.0, 2.0, 3.0)
    assert panel.states() == {}, "the strokes are on planes of another grid"
    panel.session.volumeNode.SetSpacing(*before.geometry.spacing)
    assert list(panel.states()) == list(listed)


@pytest.mark.parametrize("clear", [True, False])
def test_a_scene_that_is_loaded_leaves_the_segment_editor_on_the_chosen_segmentation(
    a_panel_with_strokes, tmp_path, clear
):
    import slicer

    panel = a_panel_with_strokes
    chosen = panel.ui.segmentationSelector.addNode()  # not the scene's first
    chosen.SetName("Second")
    count = panel.host.scene.GetNumberOfNodesByClass("vtkMRMLSegmentationNode")
    slicer.util.saveScene(str(tmp_path / "case.mrb"))
    if clear:
        panel.host.close_scene()
    slicer.util.loadScene(str(tmp_path / "case.mrb"), {"clear": clear})
    panel.host.process_events()
    edited = panel.ui.segmentEditor.mrmlSegmentEditorNode()
    assert panel.session.segmentationNode.GetName() == "Second"
    assert edited.GetSegmentationNode() is panel.session.segmentationNode
    assert edited.GetSourceVolumeNode() is panel.session.volumeNode
    loaded = panel.host.scene.GetNumberOfNodesByClass("vtkMRMLSegmentationNode")
    assert loaded == (count if clear else 2 * count)


def test_a_scene_that_is_added_takes_no_volume_away(a_panel_with_strokes, tmp_path):
    import slicer

    panel = a_panel_with_strokes
    other = slicer.vtkMRMLScene()
    other.AddNewNodeByClass("vtkMRMLLinearTransformNode", "from elsewhere")
    other.SetURL(str(tmp_path / "other.mrml"))
    other.Commit()
    nodes = panel.session.volumeNode, panel.session.segmentationNode
    listed = panel.states()
    slicer.util.loadScene(str(tmp_path / "other.mrml"), {"clear": False})
    assert panel.host.scene.GetFirstNodeByName("from elsewhere")
    assert (panel.session.volumeNode, panel.session.segmentationNode) == nodes
    assert list(panel.states()) == list(listed)


def test_reloading_keeps_the_work(a_panel_with_strokes):
    panel = a_panel_with_strokes
    listed = panel.states()
    panel.widget = panel.host.reload_module("MetaSegment").widget
    panel.widget.enter()
    assert list(panel.states()) == list(listed)


def test_the_reload_button_loads_the_library_anew(a_panel_with_strokes, monkeypatch):
    import slicer

    panel = a_panel_with_strokes
    for name in [name for name in sys.modules if name.startswith("MetaSegmentLib")]:
        monkeypatch.setitem(sys.modules, name, sys.modules[name])  # as they were, for the tests that follow
    before, listed = type(panel.widget), panel.states()
    slicer.modules.MetaSegmentWidget.onReload()
    panel.widget = slicer.modules.MetaSegmentWidget.widget
    assert type(panel.widget) is not before
    assert list(panel.states()) == list(listed)


def test_the_panel_is_narrow_enough_for_a_small_screen(a_panel_with_strokes):
    panel = a_panel_with_strokes
    panel.ui.learnerSection.collapsed = False
    for button in (panel.ui.remoteButton, panel.ui.localButton):
        button.click()
        widget = panel.host.app.moduleManager().module("MetaSegment").widgetRepresentation()
        assert widget.minimumSizeHint().width() <= _NARROW


def test_slicers_qt_5_understands_the_code(a_host):
    from host.lint import strangers

    files = [MODULE, *_LIBRARY.glob("*.py")]
    assert {file.name: found for file in files if (found := strangers(file.read_text(encoding="utf-8")))} == {}


def test_every_button_and_field_can_be_reached_by_the_tab_key(a_panel_with_strokes):
    import qt

    panel = a_panel_with_strokes
    panel.ui.learnerSection.collapsed = False
    start = panel.ui.volumeSelector
    reached, widget = {start.objectName}, start.nextInFocusChain()
    while widget is not start:
        reached.add(widget.objectName)
        widget = widget.nextInFocusChain()
    focusable = [
        name
        for name, widget in vars(panel.ui).items()
        if isinstance(widget, (qt.QAbstractButton, qt.QLineEdit, qt.QTableWidget)) and name.endswith(("Button", "Edit"))
    ]
    assert set(focusable) <= reached


def test_keys_press_the_buttons_in_the_whole_window_while_the_module_is_shown(a_panel_with_strokes):
    panel = a_panel_with_strokes
    panel.host.layout_manager.viewport().hide()  # so that nothing is rendered
    panel.host.show()
    pressed = []
    panel.ui.segmentButton.disconnect("clicked()", panel.workflow.segment)
    panel.ui.segmentButton.connect("clicked()", lambda: pressed.append("segment"))
    panel.host.press("Ctrl+Return")
    assert pressed == ["segment"]
    panel.host.leave_module()
    panel.host.press("Ctrl+Return")
    assert pressed == ["segment"]


def test_the_modules_own_self_test_passes(a_panel):
    import slicer

    slicer.selfTests["MetaSegment"]()
