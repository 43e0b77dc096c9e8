"""The stand-ins are wired to real nodes, and have no members that the real classes lack."""

from __future__ import annotations

import numpy as np
import pytest

_WITHOUT_ARGUMENTS = (
    *("ctkCollapsibleButton", "ctkCollapsibleGroupBox", "ctkComboBox", "ctkDirectoryButton", "ctkDoubleSpinBox"),
    *("ctkMessageBox", "ctkPathLineEdit", "ctkRangeWidget", "ctkSliderWidget"),
    *("qMRMLNodeComboBox", "qMRMLSegmentEditorWidget", "qMRMLSegmentationShow3DButton", "qMRMLSegmentsTableView"),
    *("qMRMLSliderWidget", "qMRMLWidget", "qSlicerWidget"),
)


@pytest.fixture
def new(a_host):
    """Makes a CTK or qMRML widget by the name of its class."""
    import ctk
    import slicer

    return lambda name: getattr(ctk if name.startswith("ctk") else slicer, name)()


@pytest.fixture
def a_selector(a_host, new):
    """A selector of scalar volumes in the scene."""
    selector = new("qMRMLNodeComboBox")
    selector.nodeTypes = ["vtkMRMLScalarVolumeNode"]
    selector.setMRMLScene(a_host.scene)
    return selector


@pytest.fixture
def add(a_host):
    """Adds a node of a class under a name."""
    return lambda name, kind="vtkMRMLScalarVolumeNode": a_host.scene.AddNewNodeByClass(kind, name)


@pytest.mark.parametrize("name", _WITHOUT_ARGUMENTS)
def test_unknown_members_raise(new, name):
    widget = new(name)
    with pytest.raises(AttributeError):
        widget.setMRMLSceen  # noqa: B018
    with pytest.raises(AttributeError):
        widget.unknownProperty = 1
    with pytest.raises(ValueError, match="no signal"):
        widget.connect("unknownSignal()", print)


def test_every_stand_in_cites_the_header_it_follows(a_host):
    from host.standin import REGISTRY

    assert set(_WITHOUT_ARGUMENTS) <= set(REGISTRY)
    for kind in REGISTRY.values():
        assert kind._follows.startswith(("Slicer/", "CTK/"))
        assert kind._follows.endswith(f"/{kind.__name__}.h")


@pytest.mark.parametrize("module", ["ctk", "slicer"])
def test_a_widget_class_without_a_stand_in_raises(a_host, module):
    import importlib

    with pytest.raises(AttributeError):
        importlib.import_module(module).qMRMLThresholdWidget  # noqa: B018


def test_a_class_that_is_only_named_can_be_compared_with_but_not_made(new):
    import ctk
    import qt

    assert type(qt.QCheckBox()) not in (ctk.ctkCheckBox, ctk.ctkDoubleSlider)
    with pytest.raises(NotImplementedError, match="ctkDoubleSlider"):
        new("ctkDoubleSlider")


@pytest.mark.parametrize(
    ("broken", "named"),
    [
        ('<widget class="qMRMLNodeSelektor" name="w"/>', "qMRMLNodeSelektor"),
        ('<widget class="QPushButton" name="w"><property name="txt"><string/></property></widget>', "txt"),
    ],
)
def test_a_ui_file_with_a_typo_is_refused(a_host, tmp_path, broken, named):
    import slicer

    path = tmp_path / "broken.ui"
    path.write_text(f'<ui version="4.0">{broken}</ui>')
    with pytest.raises(RuntimeError, match=named):
        slicer.util.loadUI(str(path))


def test_the_selector_lists_nodes_as_they_come_and_go(a_host, a_selector, add):
    told = []
    a_selector.connect("currentNodeChanged(vtkMRMLNode*)", lambda node: told.append(node and node.GetName()))
    first, second = add("CT"), add("MR")
    add("segments", "vtkMRMLSegmentationNode")
    assert (a_selector.nodeCount(), a_selector.currentNode()) == (2, first)
    a_selector.setCurrentNodeID(second.GetID())
    a_host.scene.RemoveNode(second)
    assert told == ["CT", "MR", "CT"]


def test_the_selector_leaves_the_choice_open_where_none_is_allowed(a_selector, add):
    a_selector.noneEnabled = True
    add("CT")
    assert a_selector.currentNode() is None


def test_a_renamed_or_hidden_node_is_shown_so(a_selector, add):
    import slicer

    node = add("CT")
    node.SetName("Thorax")
    combo = slicer.util.findChildren(a_selector, className="QComboBox")[0]
    assert combo.currentText == "Thorax"
    node.SetHideFromEditors(True)
    add("MR")
    assert [a_selector.nodeFromIndex(index).GetName() for index in range(a_selector.nodeCount())] == ["MR"]


def test_the_selector_filters_by_attribute(a_selector, add):
    a_selector.addAttribute("vtkMRMLScalarVolumeNode", "Kind", "preview")
    add("CT")
    assert a_selector.addNode().GetAttribute("Kind") == "preview"
    assert a_selector.nodeCount() == 1


def test_removing_a_widget_ends_its_observations(a_host, a_selector, add):
    a_selector.deleteLater()
    a_host.process_events()
    add("CT")
    a_host.check()


def test_the_table_shows_segments_and_edits_reach_them(a_host, new, add):
    node = add("segments", "vtkMRMLSegmentationNode")
    node.CreateDefaultDisplayNodes()
    table = new("qMRMLSegmentsTableView")
    table.setSegmentationNode(node)
    first = node.GetSegmentation().AddEmptySegment("", "Liver")
    second = node.GetSegmentation().AddEmptySegment("", "Spleen")
    assert table.segmentCount == 2
    table.setSelectedSegmentIDs([second])
    assert table.selectedSegmentIDs() == (second,)
    table.tableWidget().item(table.rowForSegmentID(first), 3).setText("Left lobe")
    assert node.GetSegmentation().GetSegment(first).GetName() == "Left lobe"
    node.GetSegmentation().RemoveSegment(first)
    assert table.displayedSegmentIDs() == (second,)


def test_the_editor_shows_and_sets_the_active_effects_name_and_has_no_effects(a_host, new, add):
    import slicer

    parameters = add("editor", "vtkMRMLSegmentEditorNode")
    editor = new("qMRMLSegmentEditorWidget")
    editor.setMRMLSegmentEditorNode(parameters)
    editor.setMRMLScene(a_host.scene)
    slicer.util.findChildren(editor, text="Paint")[0].click()
    assert parameters.GetActiveEffectName() == "Paint"
    parameters.SetActiveEffectName("")
    assert slicer.util.findChildren(editor, text="None")[0].checked
    with pytest.raises(NotImplementedError, match="MRML"):
        editor.effectByName("Paint")


def test_a_collapsed_section_hides_its_contents_and_an_expanded_one_shows_them_again(a_host, new):
    import qt

    section = new("ctkCollapsibleButton")
    line, hidden = qt.QLineEdit(), qt.QLineEdit()
    layout = qt.QVBoxLayout(section)
    for each in (line, hidden):
        layout.addWidget(each)
    hidden.hide()
    section.show()
    section.collapsed = True
    assert not line.visible
    section.collapsed = False
    assert (line.visible, hidden.visible) == (True, False)


def test_slider_and_spin_box_show_one_value(new):
    slider = new("ctkSliderWidget")
    told = []
    slider.connect("valueChanged(double)", told.append)
    slider.maximum, slider.value = 1.0, 0.25
    slider.setValue(7)
    assert (slider.value, told) == (1.0, [0.25, 1.0])


def test_a_path_is_browsed_for_with_the_tests_answer(a_host, new):
    edit = new("ctkPathLineEdit")
    told = []
    edit.connect("currentPathChanged(QString)", told.append)
    a_host.dialogs.answer("/data/task.safetensors")
    edit.browse()
    assert (edit.currentPath, told) == ("/data/task.safetensors", ["/data/task.safetensors"])


def test_a_menu_is_answered_with_the_text_of_an_action(a_host):
    import qt

    menu, heard = qt.QMenu("Slice"), []
    for text in ("Done", "Ignore"):
        menu.addAction(text).connect("triggered()", lambda text=text: heard.append(text))
    a_host.dialogs.answer("Ignore", None)
    menu.exec_(qt.QPoint(0, 0))
    menu.exec_(qt.QPoint(0, 0))
    assert heard == ["Ignore"]


def test_python_slicer_is_on_the_path(a_host):
    import shutil
    import subprocess

    program = shutil.which("PythonSlicer")
    answer = subprocess.run([program, "-c", "import numpy; print(1 + 1)"], capture_output=True, check=True, text=True)
    assert answer.stdout.strip() == "2"
    a_host.close()
    assert shutil.which("PythonSlicer") is None


def test_volumes_and_segmentations_are_saved_and_loaded_by_slicers_functions(a_host, tmp_path):
    import slicer

    volume = slicer.util.addVolumeFromArray(np.arange(24, dtype=np.int16).reshape(2, 3, 4), name="CT")
    assert slicer.util.saveNode(volume, str(tmp_path / "ct.nrrd"))
    loaded = slicer.util.loadVolume(str(tmp_path / "ct.nrrd"))
    assert np.array_equal(slicer.util.arrayFromVolume(loaded), slicer.util.arrayFromVolume(volume))
    node = a_host.scene.AddNewNodeByClass("vtkMRMLSegmentationNode")
    node.SetReferenceImageGeometryParameterFromVolumeNode(volume)
    segment = node.GetSegmentation().AddEmptySegment("", "Liver")
    mask = (slicer.util.arrayFromVolume(volume) > 11).astype(np.uint8)
    slicer.util.updateSegmentBinaryLabelmapFromArray(mask, node, segment, volume)
    assert slicer.util.saveNode(node, str(tmp_path / "organs.seg.nrrd"))
    again = slicer.util.loadSegmentation(str(tmp_path / "organs.seg.nrrd"))
    assert again.GetSegmentation().GetNthSegment(0).GetName() == "Liver"
