"""What the panel's buttons do: the way from drawn slices to accepted segments. Knows no widgets and no threads."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import replace

import numpy as np
import slicer
from slicer.i18n import tr as _

from metasegment.client import LearnerError
from metasegment.errors import InputError
from metasegment.segmentation import Budget, NextSlice, Region, Segmentation
from metasegment.structure import Color
from metasegment.task import Task

from ..learner.ApplyRequest import ApplyRequest
from ..learner.LearnerConnection import LearnerConnection
from ..learner.SegmentRequest import SegmentRequest
from ..scene.Parameters import Parameters
from ..scene.SegmentRole import segmentsOf
from ..scene.VolumeGrid import Plane
from .AnswerProfile import leastSurePlane
from .PreviewDisplay import applyLook
from .Session import Session
from .SliceEntry import SliceState
from .Status import Activity, Status, failureOf


class Workflow:
    """The state of the work, and the steps that a user can take in it. Example::

        workflow = Workflow(connection, consent.ask, panel.update, panel.show, lambda do: qt.QTimer.singleShot(0, do))
        workflow.setParameters(parameters)              # again whenever they changed; None: the scene is closing
        workflow.segment(); workflow.apply(task); workflow.cancel()
        workflow.accept(editorNode, saveStateForUndo); workflow.discard()

    `mayUpload` is asked before each request whether images may be sent. `onChanged` is called when anything that the
    panel shows has changed, `onJumped` once the views show another plane. `later` calls something once the event that
    is being handled is over. No method raises for what a user can do wrong: `status` says it.
    """

    def __init__(
        self,
        connection: LearnerConnection,
        mayUpload: Callable[[], bool],
        onChanged: Callable[[], None],
        onJumped: Callable[[Plane], None],
        later: Callable[[Callable[[], None]], None],
    ) -> None:
        self._connection = connection
        self._mayUpload = mayUpload
        self._onChanged = onChanged
        self._onJumped = onJumped
        self._later = later
        self._parameters: Parameters | None = None
        self._used: set[tuple[Plane, int]] = set()  # slices that say something
        self._asked: set[tuple[Plane, int]] = set()  # of which the learner was asked about these
        self._request: SegmentRequest | ApplyRequest | None = None
        self.session: Session | None = None
        self.refusal = ""  #: why the chosen nodes cannot be used
        self.answer: Segmentation | None = None
        self.suggestion: NextSlice | None = None
        self.activity = Activity.IDLE
        self.status = Status()

    @property
    def isBusy(self) -> bool:
        """Whether the learner is at work."""
        return self.activity is not Activity.IDLE

    @property
    def isPreviewing(self) -> bool:
        """Whether there is something to accept."""
        return bool(self.session and self.session.preview.node)

    @property
    def colors(self) -> Mapping[int, Color]:
        """By label of the answer, the structures' colours."""
        return self._request.colors if self._request else {}

    @property
    def names(self) -> Mapping[int, str]:
        """By label of the answer, what the segments are called now."""
        if self.session is None or self._request is None:
            return {}
        named = {key: segment.GetName() for key, segment in segmentsOf(self.session.segmentationNode)}
        return {label: named[key] for label, key in self.session.shown.items() if key in named}

    def setParameters(self, parameters: Parameters | None) -> None:
        """Work on the nodes that the parameters name; what was under way on other nodes ends."""
        self._parameters = parameters
        if parameters is None:
            self._giveUp()
        nodes = (parameters.volume, parameters.segmentation) if parameters else (None, None)
        now = (self.session.volumeNode, self.session.segmentationNode) if self.session else (None, None)
        if nodes != now or self.refusal:
            self._begin(*nodes)
        self.applyLook()
        self._onChanged()

    def segment(self) -> None:
        """Ask for the whole volume; slices being drawn on count as finished."""
        self.apply(None)

    def apply(self, task: Task | None) -> None:
        """As `segment`, with what a task knows; then no slice is needed."""
        if self.session:
            self.session.slices.finishDrawing()
        self._ask(task)

    def cancel(self) -> None:
        """Give up what is under way; a first answer that is shown stays."""
        if self.isBusy:
            self._giveUp()
            self.say(_("Cancelled."))

    def accept(
        self,
        editorNode: slicer.vtkMRMLSegmentEditorNode,
        saveStateForUndo: Callable[[], object],
        labels: Collection[int] | None = None,
    ) -> None:
        """Write what the preview shows into the segments, or the structures with these labels of the answer alone."""
        if self.session is None:
            return
        self._stop()
        only = None if labels is None else [key for label, key in self.session.shown.items() if label in labels]
        try:
            accepted = self.session.accept(editorNode, saveStateForUndo, only)
        except InputError as error:
            self.refuse(error)
            return
        self.answer = None
        self.say(accepted.sentence)

    def discard(self) -> None:
        """Take the preview away; the segments stay as they are."""
        self._stop()
        if self.session:
            self.session.discard()
        self.answer = None
        self.say(_("Discarded."))

    def nextSlice(self) -> None:
        """Show the slice most worth annotating, and say why."""
        if self.session is None or self.activity in (Activity.SEGMENTING, Activity.TEACHING):
            return
        if self.suggestion:
            self._goTo(self.suggestion)
            return
        try:
            request = self.session.segmentRequest(self._budget())
            if self._mayUpload():
                self._connection.suggest(request, self._onSuggestion, self.onFailure)
                self.enter(Activity.SUGGESTING, _("Looking for the slice most worth annotating…"))
        except (InputError, LearnerError) as error:
            self.refuse(error)

    def goTo(self, plane: Plane) -> None:
        """Show a plane in the slice views."""
        if session := self.session:
            self._guarded(lambda: session.views.jumpTo(plane))
            self._onJumped(plane)

    def goToLeastSure(self, label: int) -> None:
        """Show the slice on which a structure of the answer is least sure, in the direction it was drawn in most."""
        if self.session is None or self.answer is None:
            return
        drawn = [entry.axis for entry in self.session.slices.entries()]
        axis = max(range(3), key=drawn.count)
        index = leastSurePlane(self.answer, label, axis)
        if index is not None:
            self.goTo((axis, index))

    def mark(self, plane: Plane, state: SliceState | None) -> None:
        """Say what a slice is; None takes it off the list."""
        if not self.session:
            return
        slices = self.session.slices
        self._guarded(lambda: slices.remove(plane) if state is None else slices.mark(plane, state))

    def beginMending(self, plane: Plane, segmentID: str, saveStateForUndo: Callable[[], object]) -> None:
        """The user sets the brush on a plane: it works on the contour that the preview shows there."""
        if session := self.session:
            self._guarded(lambda: session.beginMending(plane, segmentID, saveStateForUndo))

    def takeFromAnswer(self, plane: Plane, saveStateForUndo: Callable[[], object]) -> None:
        """The preview's contours on a plane are right: they become the drawing of this slice, and finish it."""
        if session := self.session:
            self._guarded(lambda: session.takeFromAnswer(plane, saveStateForUndo))

    def endHere(self, plane: Plane, segmentID: str, saveStateForUndo: Callable[[], object]) -> None:
        """A structure is not on a plane any more; nothing is said of the others."""
        if session := self.session:
            self._guarded(lambda: session.endHere(plane, segmentID, saveStateForUndo))
            if self.isPreviewing:
                self._later(self._askWhatIsNew)

    def applyLook(self) -> None:
        """Draw the preview as the parameters say."""
        if self._parameters and self.session:
            applyLook(self.session.preview, self._parameters, self.answer)

    def enter(self, activity: Activity, text: str) -> None:
        """Say what is under way from now on. While the learner is taught, nothing else is asked of it."""
        self.activity = activity
        self.say(text)

    def say(self, text: str, isWarning: bool = False, share: float = 0.0) -> None:
        """Show a sentence, and the share (0…1) of what is under way that is done."""
        self.status = Status(text, isWarning, share)
        self._onChanged()

    def refuse(self, error: Exception) -> None:
        """Show why something cannot be done."""
        self.status = failureOf(error)
        self._onChanged()

    # what the learner says

    def onProgress(self, stage: str, share: float) -> None:
        self.say(stage[:1].upper() + stage[1:], share=share)

    def onFirstAnswer(self, labels: np.ndarray, region: Region) -> None:
        self.answer = None
        self._show(labels, region)

    def onAnswer(self, answer: Segmentation) -> None:
        self.activity = Activity.IDLE
        self.answer = answer
        self.suggestion = answer.next_slice
        self._show(answer.labels, answer.map.region)
        seconds = sum(answer.seconds.values())
        text = _("Done in {seconds:.1f} s on {device}. Check it, then accept it, or correct a slice and try again.")
        self.say(text.format(seconds=seconds, device=answer.device))

    def onFailure(self, error: Exception) -> None:
        self.activity = Activity.IDLE
        self.refuse(error)

    # machinery

    def _begin(
        self, volumeNode: slicer.vtkMRMLScalarVolumeNode, segmentationNode: slicer.vtkMRMLSegmentationNode
    ) -> None:
        self._stop()
        if self.session:
            self.session.release()
        self.session = self.answer = self.suggestion = None
        self.refusal, self.status, self._used, self._asked = "", Status(), set(), set()
        if not (volumeNode and segmentationNode):
            return
        try:
            self.session = Session(volumeNode, segmentationNode, self._onSlices, self._onMoved)
            self._used = self._usedNow()
            self._asked = set(self._used)
        except InputError as error:
            self.refusal = str(error)

    def _onMoved(self) -> None:
        """The volume is another one now: what is known of it no longer holds."""
        wasShown = self.isPreviewing or self.activity not in (Activity.IDLE, Activity.TEACHING)
        if self.session:
            self._begin(self.session.volumeNode, self.session.segmentationNode)
        if wasShown:
            self.say(_("The volume has changed or moved: the result was discarded. Segment again."), isWarning=True)
        self._onChanged()

    def _onSlices(self) -> None:
        before, self._used = self._used, self._usedNow()
        if self._used != before:
            self.suggestion = None
        self._asked &= self._used  # a slice that is drawn on again is to be asked about again
        mended = {plane for plane, look in before if look}
        isMended = self.isPreviewing and any(plane in mended for plane, _look in self._used - before)
        if isMended or (self._parameters and self._parameters.automatic):
            self._later(self._askWhatIsNew)  # the user is drawing or scrolling: no question and no dialog now
        self._onChanged()

    def _askWhatIsNew(self) -> None:
        if self._used - self._asked:
            shown = self._request if self.isPreviewing else None
            self._ask(shown.task if isinstance(shown, ApplyRequest) else None)

    def _usedNow(self) -> set[tuple[Plane, int]]:
        """Planes that say something, and where an answer is being mended, how they look."""
        entries = self.session.slices.entries() if self.session else ()
        return {(entry.plane, entry.look) for entry in entries if entry.isUsed or entry.look}

    def _ask(self, task: Task | None) -> None:
        session, budget = self.session, self._budget()
        if session is None or self.activity is Activity.TEACHING:
            return
        self._asked = set(self._used)
        try:
            request = session.applyRequest(task, budget) if task else session.segmentRequest(budget)
            if not self._mayUpload():
                self.say(_("Nothing was sent."))
                return
            self._connection.segment(request, self)
        except (InputError, LearnerError) as error:
            self.refuse(error)
            return
        self._request = request
        self.enter(Activity.SEGMENTING, _("Asking the learner…"))

    def _stop(self) -> None:
        """Give up what was asked about this volume; what is being taught is for others."""
        if self.activity is not Activity.TEACHING:
            self._giveUp()

    def _giveUp(self) -> None:
        self._connection.cancel()
        self.activity = Activity.IDLE

    def _budget(self) -> Budget:
        return replace(Budget(), seconds=self._parameters.seconds) if self._parameters else Budget()

    def _show(self, labels: np.ndarray, region: Region) -> None:
        if (session := self.session) and (request := self._request):
            self._guarded(lambda: session.show(request, labels, region))
            self._guarded(self.applyLook)
        self._onChanged()

    def _onSuggestion(self, found: NextSlice | None) -> None:
        self.activity = Activity.IDLE
        self.suggestion = found
        if found:
            self._goTo(found)
        else:
            self.say(_("No further slice would help: check the result in the views."))

    def _goTo(self, found: NextSlice) -> None:
        self.goTo((found.axis, found.index))
        self.say(_("Draw here next: {why}").format(why=found.why))

    def _guarded(self, action: Callable[[], None]) -> None:
        try:
            action()
        except InputError as error:
            self.refuse(error)
