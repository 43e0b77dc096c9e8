"""Shows a result over the image, in a segmentation node of its own that is never saved.

Never touches the user's segments: that is Acceptance.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import slicer
from slicer.i18n import tr as _

from .LabelImage import imageOf
from .SegmentPlanes import SegmentPlanes
from .UncertaintyOverlay import UncertaintyOverlay
from .VolumeGrid import Plane, VolumeGrid

#: How the preview differs from the user's segments: they are filled, it is a strong outline with a hint of colour.
DEFAULT_OPACITY, DEFAULT_FILL = 0.9, 0.15


class Preview:
    """The learner's answer for one volume, one segment for each of the user's, with the same ID.

    Example::

        preview = Preview(volumeNode, segmentationNode)
        preview.show(result.labels, result.map.region, bridged.segmentIDs)       # again for each better answer
        preview.showUncertainty(result.map.uncertainty, result.map.region)
        preview.setStyle(opacity=0.7, fill=0.0)
        preview.show3D(True)
        preview.remove()                                                         # no trace left
    """

    def __init__(
        self, volumeNode: slicer.vtkMRMLScalarVolumeNode, segmentationNode: slicer.vtkMRMLSegmentationNode
    ) -> None:
        self._volumeNode = volumeNode
        self._segmentationNode = segmentationNode
        self._node: slicer.vtkMRMLSegmentationNode | None = None
        self._overlay = UncertaintyOverlay(volumeNode)

    @property
    def node(self) -> slicer.vtkMRMLSegmentationNode | None:
        """The preview's node; None before `show`, after `remove`, and once the scene has lost it."""
        return self._node if self._node and self._node.GetScene() else None

    def show(self, labels: np.ndarray, region: Sequence[slice], segmentIDs: Mapping[int, str]) -> None:
        """Show labels uint8 (k, j, i) of the whole volume, which are 0 outside `region`; replaces what was shown.

        `segmentIDs` says which segment each label is: name, colour and terminology are taken from it. A segment that is
        gone meanwhile is left out.
        """
        grid = VolumeGrid.of(self._volumeNode)
        node = self.node or self._newNode()
        image = imageOf(labels[tuple(region)], grid.ijkToRas, [part.start for part in region])
        node.SetAndObserveTransformNodeID(self._volumeNode.GetTransformNodeID())
        is3D = self.is3D
        wasModifying = node.StartModify()
        self._fill(node, image, segmentIDs)
        node.EndModify(wasModifying)
        if is3D:
            self.show3D(True)

    def masksOn(self, plane: Plane) -> dict[str, np.ndarray]:
        """By segment ID, what the answer has on a plane (rows, columns); nothing without an answer."""
        if not self.node:
            return {}
        known = self.node.GetSegmentation().GetSegmentIDs()
        return SegmentPlanes(VolumeGrid.of(self._volumeNode), self.node).masks(plane, known)

    def showUncertainty(self, uncertainty: np.ndarray, region: Sequence[slice], opacity: float = 0.5) -> None:
        """Lay uncertainty (k, j, i of `region`; 0 sure … 1 even odds) over the image in all slice views."""
        self._overlay.show(uncertainty, region, opacity)

    def hideUncertainty(self) -> None:
        """Give the slice views back as they were."""
        self._overlay.remove()

    @property
    def is3D(self) -> bool:
        """Whether surfaces are shown."""
        return bool(self.node and self.node.GetSegmentation().ContainsRepresentation(_surface()))

    def show3D(self, shown: bool) -> None:
        """Make and show surfaces in the 3D views, or take them away; takes seconds for large structures."""
        if self.node and shown:
            self.node.CreateClosedSurfaceRepresentation()
        elif self.node:
            self.node.RemoveClosedSurfaceRepresentation()

    def setStyle(self, opacity: float = DEFAULT_OPACITY, fill: float = DEFAULT_FILL) -> None:
        """Opacity of everything (0…1), and of the fill in relation to it (0: outline only)."""
        if self.node:
            display = self.node.GetDisplayNode()
            display.SetOpacity(opacity)
            display.SetOpacity2DFill(fill)
            display.SetVisibility2DFill(fill > 0)
            display.SetOpacity2DOutline(1.0)

    def setVisible(self, visible: bool) -> None:
        """Show or hide everything, to compare with the user's own segments."""
        if self.node:
            self.node.GetDisplayNode().SetVisibility(visible)

    def remove(self) -> None:
        """Take preview and overlay away: nothing in the scene says that they were there."""
        self._overlay.remove()
        if node := self.node:
            scene = node.GetScene()
            for display in [node.GetNthDisplayNode(n) for n in range(node.GetNumberOfDisplayNodes())]:
                scene.RemoveNode(display)
            scene.RemoveNode(node)
        self._node = None

    def _newNode(self) -> slicer.vtkMRMLSegmentationNode:
        scene = self._volumeNode.GetScene()
        node = scene.CreateNodeByClass("vtkMRMLSegmentationNode")
        node.UnRegister(None)
        node.SetName(_("MetaSegment preview"))
        node.SetHideFromEditors(True)
        node.SetSaveWithScene(False)
        scene.AddNode(node)
        node.CreateDefaultDisplayNodes()
        node.GetDisplayNode().SetSaveWithScene(False)
        self._node = node
        self.setStyle()
        return node

    def _fill(
        self,
        node: slicer.vtkMRMLSegmentationNode,
        image: slicer.vtkOrientedImageData,
        segmentIDs: Mapping[int, str],
    ) -> None:
        """Put segments that all share one label map into the node."""
        source = self._segmentationNode.GetSegmentation()
        target = node.GetSegmentation()
        target.RemoveAllSegments()
        for label, segmentID in segmentIDs.items():
            if not source.GetSegment(segmentID):
                continue
            segment = slicer.vtkSegment()
            segment.DeepCopyMetadata(source.GetSegment(segmentID))
            segment.SetLabelValue(label)
            segment.AddRepresentation(_labelmap(), image)
            target.AddSegment(segment, segmentID)


def _labelmap() -> str:
    return slicer.vtkSegmentationConverter.GetSegmentationBinaryLabelmapRepresentationName()


def _surface() -> str:
    return slicer.vtkSegmentationConverter.GetSegmentationClosedSurfaceRepresentationName()
