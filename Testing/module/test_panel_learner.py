"""Where the learner runs: nothing leaves the computer without the user's consent."""

from __future__ import annotations

import os
import signal

import pytest
from module.panel_fixtures import use_this_python


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
    use_this_python(panel)
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
            killed.append(a_shared_learner.child.pid)
            os.kill(killed[0], getattr(signal, "SIGKILL", signal.SIGTERM))

    slicer.util.arrayFromVolume(panel.session.volumeNode)[0, 0, 0] += 1  # a volume that the learner does not have
    panel.workflow.onProgress = kill
    panel.ui.segmentButton.click()
    panel.wait()
    assert killed
    assert panel.ui.statusLabel.text.startswith("Done")
    assert panel.session.preview.node is not None
    assert "tarting the learner again" in panel.ui.logText.toPlainText()
    assert a_shared_learner.child.pid != killed[0]


def test_closing_slicer_while_the_learner_starts_leaves_no_process(a_panel_with_strokes):
    panel = a_panel_with_strokes
    panel.choose_python("slicer")
    panel.ui.segmentButton.click()
    learner = panel.widget.connection.learner
    panel.host.wait_until(lambda: learner.child, 60)
    child = learner.child
    panel.host.close()
    assert not child.runs
