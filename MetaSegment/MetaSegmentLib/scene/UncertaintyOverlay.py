"""Shows how unsure the learner is as a coloured layer over the image in all slice views, and gives the views back."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import slicer
from slicer.i18n import tr as _

from .SceneNodes import nodesOf
from .VolumeGrid import VolumeGrid

#: Slicer's own table from black over red and yellow to white.
_COLORS = "vtkMRMLColorTableNodeIron"
#: Below this a voxel counts as sure and stays uncovered: it belongs to its structure, or not, at odds of 6 to 1.
_VISIBLE_FROM = 0.3


class UncertaintyOverlay:
    """A scalar volume in the slice views' foreground, never saved.

    Example::

        overlay = UncertaintyOverlay(volumeNode)
        overlay.show(result.map.uncertainty, result.map.region)
        overlay.remove()                                           # the views show what they showed before
    """

    def __init__(self, volumeNode: slicer.vtkMRMLScalarVolumeNode) -> None:
        self._volumeNode = volumeNode
        self._node: slicer.vtkMRMLScalarVolumeNode | None = None
        self._before: list[tuple[slicer.vtkMRMLSliceCompositeNode, str | None, float]] = []

    def show(self, uncertainty: np.ndarray, region: Sequence[slice], opacity: float = 0.5) -> None:
        """Show values 0 (sure) … 1 (even odds), (k, j, i) of `region`; replaces what was shown."""
        scene = self._volumeNode.GetScene()
        if self._node is None or self._node.GetScene() is None:
            self._node = self._newNode(scene)
        start = [part.start for part in reversed(region)]
        ijkToRas = VolumeGrid.of(self._volumeNode).ijkToRas @ _shift(start)
        self._node.SetIJKToRASMatrix(slicer.util.vtkMatrixFromArray(ijkToRas))
        self._node.SetAndObserveTransformNodeID(self._volumeNode.GetTransformNodeID())
        slicer.util.updateVolumeFromArray(self._node, uncertainty.astype(np.float32))
        known = [view for view, _node, _opacity in self._before]
        for view in nodesOf(scene, "vtkMRMLSliceCompositeNode"):
            if view not in known:
                self._before.append((view, view.GetForegroundVolumeID(), view.GetForegroundOpacity()))
            view.SetForegroundVolumeID(self._node.GetID())
            view.SetForegroundOpacity(opacity)

    def remove(self) -> None:
        """Give each view its foreground back, unless the user has chosen another one meanwhile."""
        for view, nodeID, opacity in self._before:
            if self._node and view.GetForegroundVolumeID() == self._node.GetID():
                view.SetForegroundVolumeID(nodeID)
                view.SetForegroundOpacity(opacity)
        self._before = []
        if self._node and (scene := self._node.GetScene()):
            display = self._node.GetDisplayNode()
            scene.RemoveNode(self._node)
            scene.RemoveNode(display)
        self._node = None

    def _newNode(self, scene: slicer.vtkMRMLScene) -> slicer.vtkMRMLScalarVolumeNode:
        node = scene.CreateNodeByClass("vtkMRMLScalarVolumeNode")
        display = scene.CreateNodeByClass("vtkMRMLScalarVolumeDisplayNode")
        for made in (node, display):
            made.UnRegister(None)
            made.SetHideFromEditors(True)
            made.SetSaveWithScene(False)
            scene.AddNode(made)
        node.SetName(_("MetaSegment uncertainty"))
        display.SetAndObserveColorNodeID(_COLORS)
        display.AutoWindowLevelOff()
        display.SetWindowLevelMinMax(0.0, 1.0)
        display.ApplyThresholdOn()
        display.SetLowerThreshold(_VISIBLE_FROM)
        node.SetAndObserveDisplayNodeID(display.GetID())
        return node


def _shift(ijk: Sequence[int]) -> np.ndarray:
    """Affine (4, 4) that adds to indices."""
    affine = np.eye(4)
    affine[:3, 3] = ijk
    return affine
