"""The work on one volume and one segmentation: from the user's slices to a request, from an answer to the segments.

Knows neither widgets nor how the learner is reached.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping

import numpy as np
import slicer
import vtk
from slicer.i18n import tr as _
from slicer.util import VTKObservationMixin

from metasegment.annotation import Stroke
from metasegment.errors import InputError
from metasegment.segmentation import Budget, Region
from metasegment.task import Task
from metasegment.volume import Volume

from ..learner.ApplyRequest import ApplyRequest
from ..learner.SegmentRequest import SegmentRequest
from ..learner.TeachRequest import TeachRequest
from ..scene.NextSliceView import NextSliceView
from ..scene.Preview import Preview
from ..scene.SegmentRole import segmentsOf
from ..scene.SegmentVoxels import drawPlane
from ..scene.SequenceFrame import frameOf
from ..scene.TaskSegments import taskSegments
from ..scene.VolumeGrid import Plane
from ..scene.WholeSegments import hasVoxels
from .Acceptance import Acceptance, Accepted
from .AcceptedAnswers import AcceptedAnswers, acceptanceOf
from .AnnotatedSlices import AnnotatedSlices
from .ExistingSegments import takeStock
from .SceneBridge import SceneBridge
from .SliceEntry import SliceState


class Session(VTKObservationMixin):
    """One volume and one segmentation at work. Example::

        session = Session(volumeNode, segmentationNode, onSlices=updateTable, onMoved=startAnew)
        request = session.segmentRequest(Budget())
        session.show(request, answer.labels, answer.map.region)
        session.accept(editorNode, saveStateForUndo)
        session.release()

    `onSlices` is called when the list of slices or the name of a structure has changed, `onMoved` when the volume's
    voxels, frame or place have, so that answers no longer fit. Raises InputError with a reason for the user where the
    nodes cannot be used.
    """

    def __init__(
        self,
        volumeNode: slicer.vtkMRMLScalarVolumeNode,
        segmentationNode: slicer.vtkMRMLSegmentationNode,
        onSlices: Callable[[], None] = lambda: None,
        onMoved: Callable[[], None] = lambda: None,
    ) -> None:
        super().__init__()
        self.volumeNode = volumeNode
        self.segmentationNode = segmentationNode
        self.views = NextSliceView(volumeNode)
        self.preview = Preview(volumeNode, segmentationNode)
        self._bridge = SceneBridge(volumeNode, segmentationNode)
        self._accepted = AcceptedAnswers(volumeNode, segmentationNode)
        self.slices = AnnotatedSlices(volumeNode, segmentationNode, onSlices, self.answerOn, self._accepted.masksOn)
        takeStock(volumeNode, segmentationNode, self.slices)
        self._asked: dict[Plane, int] = {}  # what was drawn on the listed planes when the learner was last asked
        self.shown: Mapping[int, str] = {}  #: by label of the answer that was shown last, the segments' IDs
        self._made: set[str] = set()  # segments that were added for an answer
        self._volume: Volume | None = None
        self._content = self._contentNow()
        self._names = self._namesNow()
        self._onSlices = onSlices
        self._onMoved = onMoved
        for event in (volumeNode.ImageDataModifiedEvent, vtk.vtkCommand.ModifiedEvent):
            self.addObserver(volumeNode, event, self._onChanged)
        self.addObserver(segmentationNode, slicer.vtkSegmentation.SegmentModified, self._onSegmentModified)
        for node in (volumeNode, segmentationNode):
            self.addObserver(node, slicer.vtkMRMLTransformableNode.TransformModifiedEvent, self._onChanged)

    def release(self) -> None:
        """Stop listening and take the preview away; what is listed stays in the scene."""
        self.removeObservers()
        self.slices.release()
        self.preview.remove()

    def volume(self) -> Volume:
        """The volume as the learner is sent it: the same object, and so sent once, as long as the voxels are the same.

        Raises InputError with a reason for the user.
        """
        if self._volume is None:
            self._volume = self._bridge.volume()
        return self._volume

    def segmentRequest(self, budget: Budget) -> SegmentRequest:
        """What the finished slices ask. Raises InputError with a reason for the user."""
        bridged = self._bridge.annotation(self.slices.entries(), *self._edits())
        self._asked = self._drawnNow()
        return SegmentRequest(self.volume(), bridged.annotation, bridged.segmentIDs, budget)

    def applyRequest(self, task: Task, budget: Budget) -> ApplyRequest:
        """What a task and the finished slices, if there are any, ask. Raises InputError with a reason for the user."""
        labelOf = {segmentID: label for label, segmentID in taskSegments(task, self.segmentationNode).items()}
        annotation = self._bridge.annotationFor(labelOf, self.slices.entries(), *self._edits())
        self._asked = self._drawnNow()
        return ApplyRequest(task, self.volume(), annotation, budget)

    def teachRequest(self, task: Task | None) -> TeachRequest:
        """What the segments teach; the task grows by it if it is one of the same structures.

        Raises InputError with a reason for the user.
        """
        return self._bridge.teachRequest(self.volume(), self.slices.entries(), task)

    def show(self, request: SegmentRequest | ApplyRequest, labels: np.ndarray, region: Region) -> None:
        """Preview an answer, labels uint8 (k, j, i) of the whole volume that are 0 outside `region`; raises InputError.

        Without surfaces, which take seconds: they are for the answer that stays.
        """
        self.preview.show3D(False)
        before = {key for key, _segment in segmentsOf(self.segmentationNode)}
        segmentIDs = request.segmentsIn(self.segmentationNode)
        self._made |= set(segmentIDs.values()) - before
        self.shown = segmentIDs
        self.preview.show(labels, region, segmentIDs)

    def takeUp(self, segmentID: str) -> None:
        """A segment that was there before becomes a structure: what is edited in it from now on is a correction."""
        segment = self.segmentationNode.GetSegmentation().GetSegment(segmentID)
        isDrawn = any(segmentID in entry.segmentIDs for entry in self.slices.entries())
        if not isDrawn and not acceptanceOf(segment):
            self._accepted.remember([segmentID], {})

    def _edits(self) -> tuple[dict[str, Stroke], dict[str, dict[Plane, np.ndarray]]]:
        """By segment ID, what was edited in accepted segments, and slices of them that were not."""
        strokes = self._accepted.strokes()
        edited = {key: stroke for key, stroke in strokes.items() if stroke.inside.size or stroke.outside.size}
        return strokes, self._accepted.untouched(edited)

    def discard(self) -> None:
        """Take the preview away, and the segments that were made for it and are empty still."""
        self.preview.remove()
        for key in [key for key, _segment in segmentsOf(self.segmentationNode) if key in self._made]:
            if not hasVoxels(self.segmentationNode, key):
                self.segmentationNode.GetSegmentation().RemoveSegment(key)
        self._made = set()

    def answerOn(self, plane: Plane) -> dict[str, np.ndarray]:
        """By segment ID, the masks on a plane of the answer that is looked at: previewed, or else accepted."""
        return self.preview.masksOn(plane) if self.preview.node else self._accepted.masksOn(plane)

    def beginMending(self, plane: Plane, segmentID: str, saveStateForUndo: Callable[[], object]) -> None:
        """The user sets the brush on a plane: let it work on the contour that the preview shows there.

        Does nothing where the structure has no preview, or was drawn by hand.
        """
        shown = self.preview.masksOn(plane)
        isFinished = self.slices.stateOf(plane) in (SliceState.DONE, SliceState.ABSENT)
        if isFinished or segmentID not in shown or segmentID in self.slices.drawnByHand(plane):
            return
        before = self.slices.fingerprint(plane)
        saveStateForUndo()
        self._draw(plane, {segmentID: shown[segmentID]})
        self.slices.beginMending(plane, {segmentID: shown[segmentID]}, before)

    def takeFromAnswer(self, plane: Plane, saveStateForUndo: Callable[[], object]) -> None:
        """Draw what the preview shows on a plane, which is finished then; what was drawn by hand there stays.

        Raises InputError without a preview.
        """
        if self.preview.node is None:
            raise InputError(_("There is no answer to take: segment first."))
        byHand = self.slices.drawnByHand(plane)
        saveStateForUndo()
        self._draw(plane, {key: mask for key, mask in self.preview.masksOn(plane).items() if key not in byHand})
        self.slices.markWhole(plane)

    def endHere(self, plane: Plane, segmentID: str, saveStateForUndo: Callable[[], object]) -> None:
        """A structure is not on a plane: it ends before. What an accepted answer has of it there is erased.

        Raises InputError where the user drew it there.
        """
        accepted = self._accepted.masksOn(plane).get(segmentID)
        if accepted is not None and segmentID not in self.slices.drawnByHand(plane):
            saveStateForUndo()
            self._draw(plane, {segmentID: np.zeros_like(accepted)})
        self.slices.markEnd(plane, segmentID)

    def _draw(self, plane: Plane, masks: Mapping[str, np.ndarray]) -> None:
        with self.slices.paused():
            drawPlane(self.volumeNode, self.segmentationNode, plane, masks)

    def accept(
        self,
        editorNode: slicer.vtkMRMLSegmentEditorNode,
        saveStateForUndo: Callable[[], object],
        only: Collection[str] | None = None,
    ) -> Accepted:
        """Write the preview, or the structures in `only` (segment IDs), into the segments, as one step of undo, and
        take it away. Slices drawn on since the learner was asked stay as they are. Raises InputError.
        """
        strokes = self._bridge.strokes(self.slices.entries(), *self._edits())
        drawnSince = [plane for plane, look in self._drawnNow().items() if self._asked.get(plane) != look]
        with self.slices.paused():
            acceptance = Acceptance(editorNode, self.volumeNode, saveStateForUndo)
            accepted = acceptance.accept(self.preview.node, only, drawnSince)
            self._accepted.remember(accepted.written, strokes)
        self.preview.remove()
        self._made = set()
        return accepted

    def _drawnNow(self) -> dict[Plane, int]:
        return {entry.plane: self.slices.fingerprint(entry.plane) for entry in self.slices.entries()}

    def _onSegmentModified(self, caller: object, event: str) -> None:
        if self._namesNow() != self._names:
            self._names = self._namesNow()
            self._onSlices()

    def _namesNow(self) -> list[str]:
        return [segment.GetName() for _key, segment in segmentsOf(self.segmentationNode)]

    def _onChanged(self, caller: object, event: str) -> None:
        content = self._contentNow()
        if content != self._content:
            self._content = content
            self._volume = None
            self._onMoved()

    def _contentNow(self) -> tuple[object, ...]:
        """Changes with the voxels, the frame of a sequence and the place of either node."""
        image = self.volumeNode.GetImageData()
        matrix = vtk.vtkMatrix4x4()
        self.volumeNode.GetIJKToRASMatrix(matrix)
        return (
            image and image.GetMTime(),
            frameOf(self.volumeNode),
            slicer.util.arrayFromVTKMatrix(matrix).tolist(),
            *(_transformOf(node) for node in (self.volumeNode, self.segmentationNode)),
        )


def _transformOf(node: slicer.vtkMRMLTransformableNode) -> tuple[object, ...]:
    transform = node.GetParentTransformNode()
    return (transform.GetID(), transform.GetTransformToWorldMTime()) if transform else ()
