"""Slice views and the planes of a volume: which planes they show, and how to show another one.

Moves views only; does not know which slice is worth annotating.
"""

from __future__ import annotations

import numpy as np
import slicer
from slicer.i18n import tr as _

from .SceneNodes import nodesOf, sliceViewsOf
from .VolumeGrid import Plane, VolumeGrid

#: Sine of the angle below which a view counts as lying in a plane of the volume: one slice off over 500 voxels.
_TILT_TOLERANCE = 2e-3


class NextSliceView:
    """The slice views of a scene, for one volume. All are moved; what they show counts where the user sees it.

    Example::

        views = NextSliceView(volumeNode)
        if reason := views.tiltedReason():   # a sentence for the user: strokes there would cross the volume's slices
            views.align()
        views.jumpTo((1, 80))                # one view shows the plane, the others cut through its middle
        slices.setShownPlanes(views.shownPlanes())
    """

    def __init__(self, volumeNode: slicer.vtkMRMLScalarVolumeNode) -> None:
        self._volumeNode = volumeNode

    def jumpTo(self, plane: Plane) -> None:
        """Show a plane in the views that lie in its direction; the others cut through its middle. No view is panned.

        Turns the views into the volume's planes first if none of them lies in that direction.
        """
        grid = VolumeGrid.of(self._volumeNode)
        if plane[0] not in [shown[0] for shown in self.shownPlanes()]:
            self.align()
        for view in self._views():
            view.JumpSliceByOffsetting(*grid.centerOf(plane))

    def align(self) -> None:
        """Turn each view into the plane of the volume that is closest to what it shows."""
        for view in self._views():
            view.RotateToVolumePlane(self._volumeNode)

    def shownPlanes(self, firstView: slicer.vtkMRMLSliceNode | None = None) -> list[Plane]:
        """Planes of the volume that the views show, that of `firstView` first; tilted and outside ones left out."""
        grid = VolumeGrid.of(self._volumeNode)
        views = sorted(self._seenViews(), key=lambda view: view is not firstView)
        planes = [plane for view in views if (plane := _planeOf(view, grid)) and grid.contains(plane)]
        return list(dict.fromkeys(planes))

    def planeOf(self, view: slicer.vtkMRMLSliceNode) -> Plane | None:
        """The plane of the volume that a view shows; None for a tilted view and one that shows none of its planes."""
        grid = VolumeGrid.of(self._volumeNode)
        plane = _planeOf(view, grid)
        return plane if plane and grid.contains(plane) else None

    def tiltedReason(self) -> str | None:
        """Why strokes in some views are no slice annotations, in one sentence; None where all views are fine."""
        grid = VolumeGrid.of(self._volumeNode)
        tilted = [view.GetName() for view in self._seenViews() if _planeOf(view, grid) is None]
        reason = _(
            "{views}: tilted against the volume's slices; strokes there annotate no slice. Turn the views first."
        )
        return reason.format(views=", ".join(tilted)) if tilted else None

    def _seenViews(self) -> list[slicer.vtkMRMLSliceNode]:
        scene = self._volumeNode.GetScene()
        return sliceViewsOf(scene) if scene else []

    def _views(self) -> list[slicer.vtkMRMLSliceNode]:
        scene = self._volumeNode.GetScene()
        return nodesOf(scene, "vtkMRMLSliceNode") if scene else []


def _planeOf(view: slicer.vtkMRMLSliceNode, grid: VolumeGrid) -> Plane | None:
    """The volume's plane nearest to the one that a view shows (it may lie outside); None for a tilted view."""
    sliceToRas = slicer.util.arrayFromVTKMatrix(view.GetSliceToRAS())
    directions = grid.ijkToWorld[:3, :3] / np.linalg.norm(grid.ijkToWorld[:3, :3], axis=0)
    cosines = np.abs(directions.T @ sliceToRas[:3, 2])
    column = int(cosines.argmax())
    if np.delete(cosines, column).max() > _TILT_TOLERANCE:
        return None
    ijk = np.linalg.solve(grid.ijkToWorld, sliceToRas[:, 3])
    return 2 - column, int(np.floor(ijk[column] + 0.5))
