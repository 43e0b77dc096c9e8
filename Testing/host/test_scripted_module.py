"""A scripted module lives in the host as it would in Slicer."""

from __future__ import annotations

import numpy as np
import pytest

from host.sample_module import write_sample


@pytest.fixture
def a_module(a_host, tmp_path):
    """The sample module's panel, opened."""
    a_host.load_module(write_sample(tmp_path))
    return a_host.open_module("Sample")


@pytest.fixture
def a_volume(a_host):
    """A volume node named CT with 12 x 10 x 8 voxels."""
    import slicer

    return slicer.util.addVolumeFromArray(np.arange(960, dtype=np.int16).reshape(8, 10, 12), name="CT")


def test_the_module_is_known_after_loading(a_host, tmp_path):
    import slicer

    module = a_host.load_module(write_sample(tmp_path))
    assert (module.title, list(module.categories)) == ("Sample", ["Segmentation"])
    assert slicer.util.modulePath("Sample") == str(tmp_path / "Sample.py")
    assert slicer.modules.SampleInstance.startups == 1


def test_setup_and_enter_run_when_the_module_is_first_shown_and_exit_when_another_is(a_host, a_module):
    assert a_module.log == ["setup", "enter"]
    a_host.leave_module()
    a_host.open_module("Sample")
    assert a_module.log == ["setup", "enter", "exit", "enter"]


def test_a_new_volume_appears_in_the_selector_and_a_removed_one_leaves_it(a_host, a_module, a_volume):
    selector = a_module.ui.volumeSelector
    selector.setCurrentNode(a_volume)
    assert selector.currentNode() is a_volume
    assert a_module._parameterNode.volume is a_volume
    a_host.scene.RemoveNode(a_volume)
    assert (selector.nodeCount(), selector.currentNode()) == (0, None)


def test_parameters_and_widgets_follow_each_other(a_module):
    a_module._parameterNode.opacity = 0.25
    assert a_module.ui.opacitySlider.value == 0.25
    a_module.ui.opacitySlider.value = 0.75
    assert a_module._parameterNode.opacity == 0.75
    with pytest.raises(ValueError, match="2"):
        a_module._parameterNode.opacity = 2.0


def test_a_connection_ends_by_its_tag(a_host, a_module):
    node = a_host.scene.AddNewNodeByClass("vtkMRMLScriptedModuleNode")
    parameters, box = type(a_module._parameterNode)(node), a_module.ui.automaticBox
    tag = parameters.connectParametersToGui({"automatic": box})
    box.checked = True
    assert parameters.automatic
    parameters.disconnectGui(tag)
    box.checked = False
    assert parameters.automatic
    parameters.Modified()
    assert not box.checked


def test_connections_of_the_ui_file_are_made(a_host, a_module):
    assert a_module.ui.volumeSelector.mrmlScene() is a_host.scene
    a_module.ui.automaticBox.checked = True
    assert not a_module.ui.applyButton.enabled


def test_an_error_is_displayed_and_kept(a_host, a_module):
    a_module.ui.applyButton.click()
    assert a_host.dialogs.texts() == ["Failed to apply.\n\nno volume"]
    assert "ValueError: no volume" in a_host.errors[0]
    a_host.errors.clear()


def test_a_question_gets_the_tests_answer_and_a_timer_fires(a_host, a_module, a_volume):
    import qt

    a_module.ui.volumeSelector.setCurrentNode(a_volume)
    a_host.dialogs.answer(qt.QMessageBox.Cancel, qt.QMessageBox.Ok)
    a_module.ui.applyButton.click()
    a_module.ui.applyButton.click()
    a_host.wait_until(lambda: "applied" in a_module.log)
    assert a_module.log.count("applied") == 1
    assert a_host.dialogs.texts() == ["Really?", "Really?"]


def test_a_shortcut_is_heard_in_the_shown_window(a_host, a_module):
    import qt

    heard = []
    shortcut = qt.QShortcut(qt.QKeySequence("Ctrl+G"), a_module.parent)
    shortcut.connect("activated()", lambda: heard.append("Ctrl+G"))
    a_host.layout_manager.viewport().hide()  # so that nothing is rendered
    a_host.show()
    a_host.press("Ctrl+G")
    assert heard == ["Ctrl+G"]


def test_the_panel_is_pictured_in_a_light_and_a_dark_look(a_host, a_module):
    light = a_host.grab_panel("Sample", 480)
    a_host.use_dark()
    dark = a_host.grab_panel("Sample", 480)
    a_host.use_dark(False)
    assert light.shape == dark.shape
    assert light.shape[1] == 480
    assert light.mean() > 150 > dark.mean()


def test_a_question_without_an_answer_fails(a_host, a_module, a_volume):
    a_module.ui.volumeSelector.setCurrentNode(a_volume)
    a_module.ui.applyButton.click()
    assert "UnansweredQuestion" in a_host.errors[0]
    a_host.errors.clear()


def test_segments_added_in_the_editor_are_in_the_node_and_undo_takes_a_stroke_back(a_host, a_module, a_volume):
    import slicer

    node = a_host.scene.AddNewNodeByClass("vtkMRMLSegmentationNode")
    editor = a_module.ui.editor
    editor.setSegmentationNode(node)
    editor.setSourceVolumeNode(a_volume)
    slicer.util.findChildren(editor, text="Add")[0].click()
    assert list(node.GetSegmentation().GetSegmentIDs()) == [editor.currentSegmentID()]
    editor.saveStateForUndo()
    stroke = np.zeros((8, 10, 12), np.uint8)
    stroke[4, 3:6, 3:6] = 1
    slicer.util.updateSegmentBinaryLabelmapFromArray(stroke, node, editor.currentSegmentID(), a_volume)
    assert slicer.util.arrayFromSegmentBinaryLabelmap(node, editor.currentSegmentID(), a_volume).sum() == 9
    editor.undo()
    assert slicer.util.arrayFromSegmentBinaryLabelmap(node, editor.currentSegmentID(), a_volume).sum() == 0


def test_reload_makes_a_new_panel_from_the_changed_file(a_host, a_module, tmp_path):
    source = (tmp_path / "Sample.py").read_text()
    (tmp_path / "Sample.py").write_text(source.replace('append("setup")', 'append("set up anew")'))
    again = a_host.reload_module("Sample")
    assert a_module.log[-1] == "cleanup"
    assert again.log == ["set up anew"]


def test_closing_the_scene_reaches_the_module(a_host, a_module, a_volume):
    a_host.close_scene()
    assert a_module.log[-1] == "close"
    assert a_module.ui.volumeSelector.nodeCount() == 0


def test_an_earlier_applications_modules_hear_nothing_of_a_later_one(a_host, tmp_path):
    import slicer

    import host

    a_host.load_module(write_sample(tmp_path))
    earlier = slicer.modules.SampleInstance
    a_host.close()
    later = host.start_host()
    later.app.startupCompleted.emit()
    later.close()
    assert earlier.startups == 1


def test_slicer_core_is_as_before_once_the_host_is_closed(a_host):
    import sys

    import slicer

    a_host.close()
    assert not hasattr(slicer, "app")
    assert not hasattr(slicer, "modules")
    assert "qt" not in sys.modules


def test_closing_the_application_exits_and_cleans_up(a_host, a_module):
    a_host.close()
    assert a_module.log[-2:] == ["exit", "cleanup"]


def test_parameters_survive_saving_and_loading_the_scene(a_host, a_module, a_volume, tmp_path):
    import slicer

    a_module._parameterNode.volume = a_volume
    a_module._parameterNode.opacity = 0.125
    assert slicer.util.saveScene(str(tmp_path / "scene.mrb"))
    a_host.close_scene()
    slicer.util.loadScene(str(tmp_path / "scene.mrb"))
    parameters = a_module.logic.getParameterNode()
    assert (parameters.volume.GetName(), parameters.opacity) == ("CT", 0.125)


def test_slicers_own_python_files_go_in_front_of_the_hosts(a_host, tmp_path):
    import slicer

    from host.python_files import put_on_path

    (tmp_path / "i18n.py").write_text("def tr(text): return text.upper()")
    put_on_path(tmp_path)
    assert slicer.i18n.tr("text") == "TEXT"
    assert "slicer_python" in slicer.ScriptedLoadableModule.__file__
    put_on_path(None)
    assert slicer.i18n.tr("text") == "text"


def test_installing_packages_is_asked_for_and_noted_not_done(a_host):
    import qt
    import slicer
    import slicer.packaging

    a_host.dialogs.answer(qt.QMessageBox.Cancel, qt.QMessageBox.Ok)
    with pytest.raises(RuntimeError, match="declined"):
        slicer.packaging.pip_ensure("numpy no-such-package>=1", requester="Sample")
    slicer.packaging.pip_ensure("numpy no-such-package>=1", requester="Sample")
    assert [each.requirements for each in a_host.pip.requests] == [("no-such-package>=1",)]


def test_an_installation_in_the_background_ends_with_the_tests_code(a_host):
    import slicer
    import slicer.packaging

    ended = []
    a_host.pip.code = 1
    slicer.util.pip_install("no-such-package", blocking=False, completedCallback=ended.append)
    assert slicer.packaging.isPipInstallInProgress()
    a_host.wait_until(lambda: ended)
    assert (ended, slicer.packaging.isPipInstallInProgress()) == ([1], False)


def test_sample_data_are_registered_and_come_from_the_tests_files(a_host, a_volume, tmp_path):
    import SampleData
    import slicer

    slicer.util.saveNode(a_volume, str(tmp_path / "ct.nrrd"))
    a_host.samples["CTChest"] = tmp_path / "ct.nrrd"
    SampleData.SampleDataLogic.registerCustomSampleDataSource(category="Sample", sampleName="Mine", nodeNames="Mine")
    assert SampleData.downloadSample("CTChest").GetName() == "CTChest"
    assert slicer.modules.sampleDataSources["Sample"][0].sampleName == "Mine"
    with pytest.raises(NotImplementedError, match="Mine"):
        SampleData.downloadSample("Mine")


def test_what_only_pyside_accepts_is_found_in_source(a_host):
    from host.lint import strangers

    source = """import qt
a = qt.Qt.Horizontal
b = qt.Qt.Orientation.Horizontal
c = qt.QPushButton("text", checkable=True)
d.exec_()
d.exec()
w.sizeHint()
"""
    assert [each.partition(":")[0] for each in strangers(source)] == ["3", "4", "6", "7"]
