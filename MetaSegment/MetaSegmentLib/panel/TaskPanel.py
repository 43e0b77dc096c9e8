"""Upper part of section 5 of the panel: what was taught in one volume, for the next."""

from __future__ import annotations

from types import SimpleNamespace

import slicer
from slicer.i18n import tr as _

from ..work.Status import Activity
from ..work.TaskKeeping import TaskKeeping, inWords
from ..work.Workflow import Workflow
from .ChosenFile import fileToRead, fileToWrite

_SUFFIX = ".metasegment"


class TaskPanel:
    """The task and its buttons. Example::

    panel = TaskPanel(ui, workflow, keeping)
    panel.update()                       # whenever workflow or task changed
    """

    def __init__(self, ui: SimpleNamespace, workflow: Workflow, keeping: TaskKeeping) -> None:
        self._ui = ui
        self._workflow = workflow
        self._keeping = keeping
        ui.teachButton.connect("clicked()", keeping.teach)
        ui.applyButton.connect("clicked()", keeping.apply)
        ui.loadTaskButton.connect("clicked()", self._onLoad)
        ui.saveTaskButton.connect("clicked()", self._onSave)

    def update(self) -> None:
        """Show what is true now."""
        ui, task = self._ui, self._keeping.task
        isTeaching = self._workflow.activity is Activity.TEACHING
        isReady = self._workflow.session is not None and not isTeaching
        ui.teachButton.enabled = isReady
        ui.applyButton.enabled = isReady and task is not None
        ui.loadTaskButton.enabled = not isTeaching
        ui.saveTaskButton.enabled = task is not None
        ui.taskLabel.text = self._taskInWords()

    def _taskInWords(self) -> str:
        keeping = self._keeping
        if keeping.task:
            return _("Task: {task}").format(task=inWords(keeping.task))
        if keeping.refusal:
            return keeping.refusal[:1].upper() + keeping.refusal[1:]
        return _("No task yet: teach one from segments that are right throughout the volume, or load one.")

    def _onLoad(self) -> None:
        kinds = _("Task (*{suffix} *.safetensors)").format(suffix=_SUFFIX)
        if path := fileToRead(_("Load task"), kinds):
            with slicer.util.tryWithErrorDisplay(_("The task could not be loaded.")):
                self._keeping.load(path)

    def _onSave(self) -> None:
        if path := fileToWrite(_("Save task"), _("Task (*{suffix})").format(suffix=_SUFFIX), _SUFFIX):
            with slicer.util.tryWithErrorDisplay(_("The task could not be saved.")):
                self._keeping.save(path)
