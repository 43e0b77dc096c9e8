"""Section 3 of the panel: the Segment button, its progress, and what the learner says."""

from __future__ import annotations

from types import SimpleNamespace

import qt
from slicer.i18n import tr as _

from ..work.Status import Activity, Status
from ..work.Workflow import Workflow


class SegmentPanel:
    """The button, the progress and the sentence below it. Example::

    panel = SegmentPanel(ui, workflow)
    panel.update()                       # whenever the workflow changed
    """

    def __init__(self, ui: SimpleNamespace, workflow: Workflow) -> None:
        self._ui = ui
        self._workflow = workflow
        self._said: list[str] = []
        ui.segmentButton.connect("clicked()", workflow.segment)
        ui.cancelButton.connect("clicked()", workflow.cancel)

    def update(self) -> None:
        """Show what is true now."""
        ui, status = self._ui, self._workflow.status
        reason = self._reasonAgainst()
        ui.segmentButton.enabled = not reason
        ui.segmentButton.toolTip = reason or _("Segment the whole volume from the finished slices (Ctrl+Return)")
        ui.cancelButton.enabled = self._workflow.isBusy
        ui.progressBar.maximum = 0 if self._workflow.isBusy and not status.share else 100
        ui.progressBar.value = int(100 * status.share)
        ui.progressBar.visible = self._workflow.isBusy
        self._say(status, reason)

    def _say(self, status: Status, reason: str) -> None:
        text = status.text or reason
        self._ui.statusLabel.text = text
        icon = qt.QStyle.SP_MessageBoxWarning if status.isWarning else qt.QStyle.SP_MessageBoxInformation
        size = self._ui.statusLabel.fontMetrics().height()
        self._ui.statusIcon.pixmap = self._ui.statusIcon.style().standardIcon(icon).pixmap(size, size)
        self._ui.statusIcon.visible = bool(text)
        if status.text and self._said[-1:] != [status.text]:
            self._said.append(status.text)
            self._ui.logText.appendPlainText(status.text)

    def _reasonAgainst(self) -> str:
        """Why Segment cannot be pressed, in one sentence; empty where it can."""
        workflow = self._workflow
        if workflow.refusal:
            return workflow.refusal
        if workflow.session is None:
            return _("Select a volume and a segmentation first.")
        if workflow.activity is Activity.TEACHING:
            return _("The learner is being taught: wait until it is done, or cancel that.")
        if not workflow.session.slices.entries():
            return _("Draw a structure on a slice first: add a segment, then paint it completely on one slice.")
        return ""
