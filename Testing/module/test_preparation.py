"""While the user draws, the learner of this computer gets ready; to another computer nothing goes."""

from __future__ import annotations

from typing import Any

import pytest
from module.panel_fixtures import Panel, opened, show, use_this_python


@pytest.fixture
def an_eager_panel(a_host: Any, a_body: Any) -> Panel:
    """The module as it is in use, on the body, with an empty organ."""
    panel = opened(a_host)
    use_this_python(panel)
    show(panel, a_body)
    panel.add()
    return panel


def _has_started(panel: Panel) -> bool:
    return panel.widget.connection.learner is not None


def test_the_first_stroke_has_the_learner_started_and_the_volume_sent(an_eager_panel, a_body):
    panel = an_eager_panel
    assert not _has_started(panel)
    panel.draw(panel.segments.GetNthSegmentID(0), a_body.truth, a_body.middle)
    learner = panel.widget.connection.learner
    panel.host.wait_until(lambda: not panel.widget.background.jobs, 120)
    assert learner.child.runs
    assert not panel.workflow.isBusy
    assert panel.ui.statusLabel.text == ""
    assert set(learner.manifests) == {panel.session.volume()}


def test_a_volume_is_prepared_once(an_eager_panel, a_body, monkeypatch):
    panel = an_eager_panel
    prepared: list[Any] = []
    monkeypatch.setattr(panel.widget.connection, "prepare", prepared.append)
    organ = panel.segments.GetNthSegmentID(0)
    for k in (a_body.middle - 4, a_body.middle, a_body.middle + 4):
        panel.draw(organ, a_body.truth, k)
    assert prepared == [panel.session.volume()]


def test_nothing_is_sent_to_another_computer_before_the_user_asks(an_eager_panel, a_body):
    panel = an_eager_panel
    panel.ui.remoteButton.click()
    panel.ui.addressEdit.text = "http://gpu.example:1"
    panel.ui.addressEdit.editingFinished.emit()
    panel.widget.settings.allow("http://gpu.example:1")
    panel.draw(panel.segments.GetNthSegmentID(0), a_body.truth, a_body.middle)
    assert panel.states()
    assert not _has_started(panel)
