"""Where the Segment Editor's masking settings allow structures to change. Writes nothing."""

from __future__ import annotations

from collections.abc import Collection, Sequence

import numpy as np
import slicer
from slicer.i18n import tr as _

from metasegment.errors import InputError

from .LabelImage import arrayOf, ijkToRasOf, resampled
from .SegmentRole import SegmentRole, segmentsOf

_IDENTITY = np.eye(4)


class EditableRegion:
    """The settings of a segment editor node, read on the segments as they are now.

    Example::

        region = EditableRegion(editorNode)
        grid = emptyImage(extent, region.ijkToRas)
        writable = region.mask(grid, ["Segment_1", "Segment_2"])      # bool (k, j, i)
    """

    def __init__(self, editorNode: slicer.vtkMRMLSegmentEditorNode) -> None:
        self._editorNode = editorNode
        self._node = editorNode.GetSegmentationNode()
        self._logic = slicer.vtkSlicerSegmentEditorLogic()
        self._logic.SetMRMLScene(editorNode.GetScene())
        self._logic.SetSegmentEditorNode(editorNode)
        if not self._logic.UpdateReferenceGeometryImage():
            raise InputError(_("The segmentation has no geometry: select its source volume in the Segment Editor."))

    @property
    def ijkToRas(self) -> np.ndarray:
        """Affine (4, 4) of the grid that the Segment Editor paints on, in the segmentation's own RAS mm."""
        return ijkToRasOf(self._logic.GetReferenceGeometryImage())

    @property
    def extent(self) -> tuple[int, ...]:
        """VTK's extent of that grid; it contains all segments."""
        return self._logic.GetReferenceGeometryImage().GetExtent()

    def mask(self, grid: slicer.vtkOrientedImageData, segmentIDs: Sequence[str]) -> np.ndarray:
        """Voxels (k, j, i of `grid`, which lies on the editor's) that may join or leave some of `segmentIDs`.

        Voxels of other segments that keep them for themselves are not among them. Raises InputError with a reason for
        the user where the settings cannot be followed.
        """
        allowed = self._editableArea(grid, segmentIDs)
        for segmentID in self._keptFrom(segmentIDs):
            allowed &= ~self.segment(segmentID, grid)
        if self._editorNode.GetSourceVolumeIntensityMask():
            if not self._logic.UpdateAlignedSourceVolume():
                raise InputError(_("The editable intensity range needs a source volume: select one."))
            values = arrayOf(resampled(self._logic.GetAlignedSourceVolume(), _IDENTITY, grid))
            lowest, highest = self._editorNode.GetSourceVolumeIntensityMaskRange()
            allowed &= (lowest <= values) & (values <= highest)
        return allowed

    def segment(self, segmentID: str, grid: slicer.vtkOrientedImageData) -> np.ndarray:
        """Voxels (k, j, i of `grid`) of a segment."""
        image = self._node.GetBinaryLabelmapInternalRepresentation(segmentID)
        if image is None or image.IsEmpty():
            return np.zeros(grid.GetDimensions()[::-1], bool)
        label = self._node.GetSegmentation().GetSegment(segmentID).GetLabelValue()
        return arrayOf(resampled(image, _IDENTITY, grid)) == label

    def _editableArea(self, grid: slicer.vtkOrientedImageData, segmentIDs: Sequence[str]) -> np.ndarray:
        """What the mask mode allows for at least one of the segments: among themselves they may pass voxels on."""
        allowed = np.zeros(grid.GetDimensions()[::-1], bool)
        mode, maskID = self._editorNode.GetMaskMode(), self._editorNode.GetMaskSegmentID() or ""
        if mode == self._node.EditAllowedEverywhere:
            return ~allowed
        if mode == self._node.EditAllowedInsideSingleSegment and not self._node.GetSegmentation().GetSegment(maskID):
            raise InputError(_("The segment that masks editing is gone: choose another editable area."))
        for segmentID in segmentIDs:
            blocked = slicer.vtkOrientedImageData()
            self._node.GenerateEditMask(blocked, mode, grid, segmentID, maskID)
            allowed |= arrayOf(blocked) == 0
        return allowed

    def _keptFrom(self, segmentIDs: Collection[str]) -> list[str]:
        """Segments that share no voxel with `segmentIDs`: locked ones, and those the overwrite mode is about."""
        mode = self._editorNode.GetOverwriteMode()
        display = self._node.GetDisplayNode()
        kept = []
        for key, segment in segmentsOf(self._node):
            isVisible = display is None or display.GetSegmentVisibility(key)
            isSeparate = mode == self._editorNode.OverwriteAllSegments or (
                mode == self._editorNode.OverwriteVisibleSegments and isVisible
            )
            if key not in segmentIDs and (isSeparate or SegmentRole.of(segment) is SegmentRole.LOCKED):
                kept.append(key)
        return kept
