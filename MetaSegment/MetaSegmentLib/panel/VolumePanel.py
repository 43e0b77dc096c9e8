"""Section 1 of the panel: which volume, and what was understood of it."""

from __future__ import annotations

from types import SimpleNamespace

import slicer
from slicer.i18n import tr as _

from metasegment.errors import InputError

from ..scene.SampleVolume import loadSample
from ..work.Workflow import Workflow
from .VolumeDescription import describe


class VolumePanel:
    """The volume and what is said of it. Example::

    panel = VolumePanel(ui, workflow)
    panel.update()                       # whenever the workflow changed
    """

    def __init__(self, ui: SimpleNamespace, workflow: Workflow) -> None:
        self._ui = ui
        self._workflow = workflow
        ui.sampleButton.connect("clicked()", self._onSample)

    def update(self) -> None:
        """Show what is true now."""
        node = self._ui.volumeSelector.currentNode()
        self._ui.volumeInfo.text = self._information(node)

    def _information(self, node: slicer.vtkMRMLScalarVolumeNode | None) -> str:
        if node is None:
            return _("Select or load a volume.")
        try:
            return self._workflow.refusal or describe(node)
        except InputError as error:
            return str(error)

    def _onSample(self) -> None:
        with slicer.util.tryWithErrorDisplay(_("The sample could not be loaded."), waitCursor=True):
            self._ui.volumeSelector.setCurrentNode(loadSample())
