"""The work on one volume and one segmentation: from the user's slices to a request, from an answer to the segments.

Knows neither widgets nor how the learner is reached.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import slicer
import vtk
from slicer.util import VTKObservationMixin

from metasegment.segmentation import Budget, Region
from metasegment.task import Task
from metasegment.volume import Volume

from ..learner.ApplyRequest import ApplyRequest
from ..learner.SegmentRequest import SegmentRequest
from ..learner.TeachRequest import TeachRequest
from ..scene.NextSliceView import NextSliceView
from ..scene.Preview import Preview
from ..scene.SegmentRole import segmentsOf
from ..scene.SequenceFrame import frameOf
from ..scene.TaskSegments import taskSegments
from .Acceptance import Acceptance, Accepted
from .AnnotatedSlices import AnnotatedSlices
from .SceneBridge import SceneBridge


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
        self.slices = AnnotatedSlices(volumeNode, segmentationNode, onSlices, self.preview.segmentsOn)
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
        bridged = self._bridge.annotation(self.slices.entries())
        return SegmentRequest(self.volume(), bridged.annotation, bridged.segmentIDs, budget)

    def applyRequest(self, task: Task, budget: Budget) -> ApplyRequest:
        """What a task and the finished slices, if there are any, ask. Raises InputError with a reason for the user."""
        labelOf = {segmentID: label for label, segmentID in taskSegments(task, self.segmentationNode).items()}
        annotation = self._bridge.annotationFor(labelOf, self.slices.entries())
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
        self.preview.show(labels, region, request.segmentsIn(self.segmentationNode))

    def accept(self, editorNode: slicer.vtkMRMLSegmentEditorNode, saveStateForUndo: Callable[[], object]) -> Accepted:
        """Write the preview into the segments, as one step of undo, and take it away; raises InputError."""
        with self.slices.paused():
            accepted = Acceptance(editorNode, saveStateForUndo).accept(self.preview.node)
        self.preview.remove()
        return accepted

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
