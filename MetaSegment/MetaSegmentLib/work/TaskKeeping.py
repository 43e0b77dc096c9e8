"""The task in the scene: taught from segments, applied, loaded from a file, written to one. Knows no widgets."""

from __future__ import annotations

from collections.abc import Callable

from slicer.i18n import tr as _

from metasegment.client import LearnerError
from metasegment.errors import InputError
from metasegment.io.task_file import read_task, write_task
from metasegment.task import Task

from ..learner.LearnerConnection import LearnerConnection
from ..learner.TeachRequest import TeachRequest
from ..scene.Parameters import Parameters
from ..scene.TaskText import taskOf, textOf
from .Status import Activity
from .Workflow import Workflow


class TaskKeeping:
    """One task, kept with the scene and not with a volume: it is there for the next one. Example::

        keeping = TaskKeeping(workflow, connection, consent.ask, slicer.util.confirmOkCancelDisplay)
        keeping.setParameters(parameters)               # again whenever they changed; None: the scene is closing
        keeping.teach()
        keeping.apply()                                 # to the volume that is selected by now
        keeping.save("liver.metasegment"); keeping.load("liver.metasegment")      # raise InputError and OSError

    `mayUpload` is asked before images are sent, `mayReplace` (a question in words) before another task is lost.
    """

    def __init__(
        self,
        workflow: Workflow,
        connection: LearnerConnection,
        mayUpload: Callable[[], bool],
        mayReplace: Callable[[str], bool],
    ) -> None:
        self._workflow = workflow
        self._connection = connection
        self._mayUpload = mayUpload
        self._mayReplace = mayReplace
        self._parameters: Parameters | None = None
        self._text = ""
        self.task: Task | None = None
        self.refusal = ""  #: why the scene's task cannot be used

    def setParameters(self, parameters: Parameters | None) -> None:
        """Take up the task that the scene holds now."""
        self._parameters = parameters
        text = parameters.task if parameters else ""
        if text == self._text:
            return
        self._text, self.task, self.refusal = text, None, ""
        try:
            self.task = taskOf(text)
        except InputError as error:
            self.refusal = str(error)

    def teach(self) -> None:
        """Make a task of the segments, or let it grow by them where it is one of the same structures."""
        session = self._workflow.session
        if session is None or self._isTeaching:
            return
        try:
            request = session.teachRequest(self.task)
            if self._mayTeach(request):
                self._connection.teach(request, self._workflow.onProgress, self._onTaught, self._workflow.onFailure)
                self._workflow.enter(Activity.TEACHING, _("Asking the learner…"))
        except (InputError, LearnerError) as error:
            self._workflow.refuse(error)

    def apply(self) -> None:
        """Find the task's structures in the volume."""
        if self.task:
            self._workflow.apply(self.task)

    def load(self, path: str) -> None:
        """Take a task from a file."""
        task = read_task(path)
        if not self._isTeaching and self._mayGiveUp(task):
            self._keep(task)
            self._workflow.say(_("Loaded: {task}. Select a volume and apply it.").format(task=inWords(task)))

    def save(self, path: str) -> None:
        """Write the task to a file."""
        if self.task:
            write_task(self.task, path)
            self._workflow.say(_("Written to {path}").format(path=path))

    @property
    def _isTeaching(self) -> bool:
        return self._workflow.activity is Activity.TEACHING

    def _mayTeach(self, request: TeachRequest) -> bool:
        if request.earlier is None and self.task and not self._mayReplace(_replacement(self.task)):
            return False
        if not self._mayUpload():
            self._workflow.say(_("Nothing was sent."))
            return False
        return True

    def _mayGiveUp(self, task: Task) -> bool:
        if self.task is None or textOf(task) == self._text:
            return True
        return self._mayReplace(_replacement(self.task))

    def _onTaught(self, task: Task) -> None:
        self._keep(task)
        text = _("Taught: {task}. Select another volume and apply it.")
        self._workflow.enter(Activity.IDLE, text.format(task=inWords(task)))

    def _keep(self, task: Task) -> None:
        if self._parameters:
            self._parameters.task = textOf(task)  # comes back to setParameters


def inWords(task: Task) -> str:
    """A task's structures, and how many volumes it was taught on."""
    count = task.provenance.volumes
    text = _("{names} (from 1 volume)") if count == 1 else _("{names} (from {count} volumes)")
    return text.format(names=", ".join(task.names.values()), count=count)


def _replacement(task: Task) -> str:
    text = _("The scene's task, {task}, will be replaced by another. Save it first to keep it.")
    return text.format(task=inWords(task))
