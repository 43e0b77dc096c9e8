"""Where the learner runs: nothing leaves the computer and nothing is installed without the user's consent."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from types import ModuleType

import pytest


@pytest.fixture
def a_panel_with_a_server(a_panel_with_strokes):
    """The module, told to use a server that is not there."""
    panel = a_panel_with_strokes
    panel.ui.remoteButton.click()
    panel.ui.addressEdit.text = "http://gpu.example:1"
    panel.ui.addressEdit.editingFinished.emit()
    return panel


def test_the_user_is_asked_before_images_are_sent_and_no_means_no(a_panel_with_a_server):
    import qt

    panel = a_panel_with_a_server
    panel.host.dialogs.answer(qt.QMessageBox.No)
    panel.ui.segmentButton.click()
    assert "gpu.example" in panel.host.dialogs.texts()[0]
    assert panel.ui.statusLabel.text == "Nothing was sent."
    assert not panel.workflow.isBusy


def test_the_user_is_asked_once_for_each_address(a_panel_with_a_server):
    import qt

    panel = a_panel_with_a_server
    panel.host.dialogs.answer(qt.QMessageBox.Yes)
    panel.ui.segmentButton.click()
    panel.ui.cancelButton.click()
    panel.ui.segmentButton.click()
    panel.ui.cancelButton.click()
    assert len(panel.host.dialogs.texts()) == 1
    panel.ui.forgetButton.click()
    panel.host.dialogs.answer(qt.QMessageBox.No)
    panel.ui.segmentButton.click()
    assert len(panel.host.dialogs.texts()) == 2


def test_an_address_without_its_beginning_is_explained(a_panel_with_a_server):
    panel = a_panel_with_a_server
    panel.ui.addressEdit.text = "gpu.example:1"
    panel.ui.addressEdit.editingFinished.emit()
    panel.ui.segmentButton.click()
    assert "write http://gpu.example:1" in panel.ui.statusLabel.text
    panel.ui.testButton.click()
    assert "write http://gpu.example:1" in panel.ui.testLabel.text


def test_a_test_of_the_connection_says_in_a_sentence_what_is_wrong(a_panel_with_a_server):
    panel = a_panel_with_a_server
    panel.ui.testButton.click()
    panel.host.wait_until(lambda: panel.ui.testLabel.text != "Trying…", 60)
    assert "gpu.example" in panel.ui.testLabel.text


def test_a_test_of_this_computers_learner_tells_the_weights_and_their_licence(a_panel_that_segments):
    panel = a_panel_that_segments
    panel.ui.testButton.click()
    panel.host.wait_until(lambda: panel.ui.licenceLabel.text.startswith("Weights: "), 120)
    assert "licence Apache-2.0" in panel.ui.licenceLabel.text


def test_a_token_is_forgotten_with_slicer_unless_the_user_wants_it_kept(a_panel_with_a_server):
    from MetaSegmentLib.learner.UserSettings import UserSettings

    panel = a_panel_with_a_server
    panel.ui.tokenEdit.text = "secret"
    panel.ui.tokenEdit.editingFinished.emit()
    assert panel.widget.settings.choice().token == "secret"
    assert UserSettings().choice().token == ""
    panel.ui.keepTokenBox.click()
    assert UserSettings().choice().token == "secret"


def test_a_learner_that_cannot_start_is_explained(a_panel_with_strokes, monkeypatch):
    from metasegment.client import LocalLearner
    from MetaSegmentLib.learner.LearnerChoice import LearnerChoice

    panel = a_panel_with_strokes
    monkeypatch.setattr(LearnerChoice, "open", lambda choice: LocalLearner("/nowhere/python"))
    panel.ui.segmentButton.click()
    panel.wait()
    assert "could not be started" in panel.ui.statusLabel.text
    assert panel.ui.segmentButton.enabled


@pytest.mark.parametrize("stage", ["Sending the volume", "Adapting"])
def test_a_learner_that_is_killed_in_the_middle_costs_no_more_than_a_pause(
    a_panel_that_segments, a_shared_learner, stage
):
    import slicer

    panel, killed = a_panel_that_segments, []

    def kill(text: str, share: float, tell=panel.workflow.onProgress) -> None:
        tell(text, share)
        if panel.ui.statusLabel.text == stage and not killed:
            killed.append(a_shared_learner._child.pid)
            os.kill(killed[0], getattr(signal, "SIGKILL", signal.SIGTERM))

    slicer.util.arrayFromVolume(panel.session.volumeNode)[0, 0, 0] += 1  # a volume that the learner does not have
    panel.workflow.onProgress = kill
    panel.ui.segmentButton.click()
    panel.wait()
    assert killed
    assert panel.ui.statusLabel.text.startswith("Done")
    assert panel.session.preview.node is not None
    assert "tarting the learner again" in panel.ui.logText.toPlainText()
    assert a_shared_learner._child.pid != killed[0]


def test_closing_slicer_while_the_learner_starts_leaves_no_process(a_panel_with_strokes):
    panel = a_panel_with_strokes
    panel.ui.segmentButton.click()
    learner = panel.widget.connection._learner
    panel.host.wait_until(lambda: learner._child, 60)
    child = learner._child
    panel.host.close()
    assert not child.runs


def _lacking(monkeypatch, *names: str) -> None:
    """Makes packages look as if they were not installed."""
    import importlib.metadata as metadata

    def version(name: str, known=metadata.version) -> str:
        if name in names:
            raise metadata.PackageNotFoundError(name)
        return known(name)

    monkeypatch.setattr(metadata, "version", version)


def test_what_is_installed_is_told_and_checked_in_another_process(a_panel):
    assert "torch" in a_panel.ui.installedLabel.text
    a_panel.ui.installButton.click()
    a_panel.host.wait_until(lambda: "all load" in a_panel.ui.installedLabel.text, 180)
    assert a_panel.host.pip.requests == []


def test_nothing_is_installed_without_consent(a_panel, monkeypatch):
    import qt

    _lacking(monkeypatch, "httptools")
    a_panel.widget.learner.update()
    assert "missing: httptools" in a_panel.ui.installedLabel.text
    a_panel.host.dialogs.answer(qt.QMessageBox.Cancel)
    a_panel.ui.installButton.click()
    assert a_panel.ui.installedLabel.text == "Nothing was installed."
    assert a_panel.host.pip.requests == []


@pytest.mark.parametrize("slicer_version", ["5.12", "5.10"])
def test_packages_are_installed_with_consent_but_torch_only_by_its_extension(a_panel, monkeypatch, slicer_version):
    import qt
    import slicer

    by_pip, torch = [], ModuleType("PyTorchUtils")
    torch.PyTorchUtilsLogic = lambda: torch
    torch.installTorch = lambda **wanted: by_pip.append("torch by its extension") or torch
    monkeypatch.setitem(sys.modules, "PyTorchUtils", torch)
    _lacking(monkeypatch, "torch", "monai", "httptools")
    if slicer_version == "5.10":
        monkeypatch.setitem(sys.modules, "slicer.packaging", None)
        monkeypatch.setattr(slicer.util, "pip_install", by_pip.extend)
    monkeypatch.setattr("MetaSegmentLib.learner.Installer.slicerPython", lambda: "true")
    a_panel.host.dialogs.answer(qt.QMessageBox.Ok)
    a_panel.ui.installButton.click()
    wanted = [each for request in a_panel.host.pip.requests for each in request.requirements]
    assert by_pip + wanted == ["torch by its extension", "monai>=1.4", "httptools>=0.6"]
    a_panel.host.wait_until(lambda: "missing" in a_panel.ui.installedLabel.text)  # they still seem to be


def _failing(*_: object, **__: object) -> None:
    """What Slicer's own functions do where pip fails (slicer.util.logProcessOutput)."""
    raise subprocess.CalledProcessError(1, "pip")


@pytest.mark.parametrize("slicer_version", ["5.12", "5.10"])
def test_an_installation_that_fails_is_told(a_panel, monkeypatch, slicer_version):
    import qt
    import slicer

    _lacking(monkeypatch, "httptools")
    a_panel.host.pip.code = 1
    if slicer_version == "5.10":
        monkeypatch.setitem(sys.modules, "slicer.packaging", None)
        monkeypatch.setattr(slicer.util, "pip_install", _failing)
    a_panel.host.dialogs.answer(qt.QMessageBox.Ok)
    a_panel.ui.installButton.click()
    a_panel.host.wait_until(lambda: "pip failed" in a_panel.ui.installedLabel.text)
    assert a_panel.ui.installButton.enabled


def test_torch_that_cannot_be_downloaded_is_told_and_asked_for_once_at_a_time(a_panel, monkeypatch):
    import qt

    torch = ModuleType("PyTorchUtils")
    torch.PyTorchUtilsLogic = lambda: torch

    def install(**wanted: object) -> None:
        a_panel.ui.installButton.click()  # Slicer handles events while it waits
        _failing()

    torch.installTorch = install
    monkeypatch.setitem(sys.modules, "PyTorchUtils", torch)
    _lacking(monkeypatch, "torch")
    a_panel.host.dialogs.answer(qt.QMessageBox.Ok)
    a_panel.ui.installButton.click()
    assert a_panel.ui.installedLabel.text == "Torch could not be installed: Slicer's error log says why."
    assert a_panel.ui.installButton.enabled


def test_without_the_pytorch_extension_the_user_is_told_where_to_get_it(a_panel, monkeypatch):
    import qt

    _lacking(monkeypatch, "torch", "monai")
    a_panel.host.dialogs.answer(qt.QMessageBox.Ok)
    a_panel.ui.installButton.click()
    assert "Extensions Manager" in a_panel.ui.installedLabel.text
    assert a_panel.host.pip.requests == []
