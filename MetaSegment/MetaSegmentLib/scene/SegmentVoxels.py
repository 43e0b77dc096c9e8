"""Gives voxels to a segment or takes them, and changes no other segment.

This is what vtkSlicerSegmentEditorLogic::ModifySegmentByLabelmap ends in. That method itself would write other
segments: it takes voxels from those to be overwritten, and when editing is limited to one segment, gives it what is
erased from another.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import slicer

from metasegment.regrid import bounding_box

from .LabelImage import imageOf
from .SegmentRole import segmentsOf
from .VolumeGrid import Plane, VolumeGrid, toWorld

_Logic = slicer.vtkSlicerSegmentationsModuleLogic


def changeVoxels(
    node: slicer.vtkMRMLSegmentationNode,
    segmentID: str,
    voxels: np.ndarray,
    ijkToRas: np.ndarray,
    start: Sequence[int],
    isTaking: bool,
) -> None:
    """Remove voxels (k, j, i) from a segment, or add them; the first is `start` on the grid `ijkToRas` (4, 4; to the
    segmentation's RAS mm).
    """
    box = bounding_box(voxels)
    if not box[0].stop:
        return
    first = [int(s + part.start) for s, part in zip(start, box, strict=True)]
    modifier = imageOf((voxels[box] ^ isTaking).astype(np.uint8), ijkToRas, first)
    others = [key for key, _segment in segmentsOf(node) if key != segmentID]
    # Taking leaves the others as they are, but were they not named here, it would move the segment to another layer.
    mode = _Logic.MODE_MERGE_MIN if isTaking else _Logic.MODE_MERGE_MASK
    _Logic.SetBinaryLabelmapToSegment(modifier, node, segmentID, mode, None, False, others if isTaking else [])


def drawPlane(
    volumeNode: slicer.vtkMRMLScalarVolumeNode,
    node: slicer.vtkMRMLSegmentationNode,
    plane: Plane,
    masks: Mapping[str, np.ndarray],
) -> None:
    """Make segments, by ID, on a plane of the volume what their masks (rows, columns) are."""
    grid = VolumeGrid.of(volumeNode)
    ijkToRas = np.linalg.inv(toWorld(node)) @ grid.ijkToWorld
    start = [plane[1] if axis == plane[0] else 0 for axis in range(3)]
    for segmentID, mask in masks.items():
        voxels = np.expand_dims(mask, plane[0])
        changeVoxels(node, segmentID, ~voxels, ijkToRas, start, isTaking=True)
        changeVoxels(node, segmentID, voxels, ijkToRas, start, isTaking=False)
