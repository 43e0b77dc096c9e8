"""Watches the slice views: which planes they show, and in which of them the user works. Moves nothing."""

from __future__ import annotations

from collections.abc import Callable

import slicer
import vtk
from slicer.util import VTKObservationMixin

from ..scene.SceneNodes import nodesOf, sliceViewsOf


class SliceViewObserver(VTKObservationMixin):
    """Listens to slice views and mouse. Example::

        watch = SliceViewObserver(slicer.mrmlScene, onChanged=showPlanes)
        watch.refresh()                # at first, and when the scene was closed or loaded
        watch.release()

    `view` is the slice view under the mouse, or else the one that the mouse was in last or that moved last.
    """

    def __init__(self, scene: slicer.vtkMRMLScene, onChanged: Callable[[], None]) -> None:
        super().__init__()
        self._scene = scene
        self._onChanged = onChanged
        self._viewID = ""
        self._offsets: dict[str, float] = {}
        self._isMapped: dict[str, int] = {}

    @property
    def view(self) -> slicer.vtkMRMLSliceNode | None:
        """The slice view in which the user works."""
        return self._scene.GetNodeByID(self._viewID) if self._viewID else None

    def setView(self, view: slicer.vtkMRMLSliceNode) -> None:
        """Say in which view the user works, as when a plane was jumped to."""
        self._viewID = view.GetID()
        self._onChanged()

    def refresh(self) -> None:
        """Listen to the views that exist now, and to those that are added."""
        self._listen(self._scene, self._scene.NodeAddedEvent, self._onNodeAdded)
        for node in nodesOf(self._scene, "vtkMRMLSliceNode"):
            self._listen(node, vtk.vtkCommand.ModifiedEvent, self._onViewModified)
            self._offsets.setdefault(node.GetID(), node.GetSliceOffset())  # being resized is no first move
            self._isMapped.setdefault(node.GetID(), node.IsMappedInLayout())
        for node in nodesOf(self._scene, "vtkMRMLCrosshairNode"):
            self._listen(node, node.CursorPositionModifiedEvent, self._onCursorMoved)

    def release(self) -> None:
        """Stop listening."""
        self.removeObservers()

    def _listen(self, node: vtk.vtkObject, event: int, method: Callable[..., None]) -> None:
        if not self.hasObserver(node, event, method):
            self.addObserver(node, event, method)

    @vtk.calldata_type(vtk.VTK_OBJECT)  # type: ignore[untyped-decorator]
    def _onNodeAdded(self, caller: object, event: str, node: slicer.vtkMRMLNode) -> None:
        if node.IsA("vtkMRMLSliceNode"):
            self.refresh()

    def _onViewModified(self, caller: slicer.vtkMRMLSliceNode, event: str) -> None:
        key = caller.GetID()
        isMapped, wasMapped = caller.IsMappedInLayout(), self._isMapped.get(key)
        self._isMapped[key] = isMapped
        if isMapped != wasMapped:
            return  # another layout, view by view: only once they are resized does every one that is seen count as such
        offset, before = caller.GetSliceOffset(), self._offsets.get(key)
        self._offsets[key] = offset
        if offset != before and caller in sliceViewsOf(self._scene):
            self._viewID = key
        self._onChanged()

    def _onCursorMoved(self, caller: slicer.vtkMRMLCrosshairNode, event: str) -> None:
        view = caller.GetCursorPositionXYZ([0.0, 0.0, 0.0])
        if view and view.GetID() != self._viewID:
            self._viewID = view.GetID()
            self._onChanged()
