"""Segments that were there first: whole ones are left alone, those drawn on single slices are annotation."""

from __future__ import annotations

import numpy as np
import slicer

from ..scene.SegmentRole import SegmentRole, structureIDs
from ..scene.VolumeGrid import Plane, VolumeGrid
from ..scene.WholeSegments import SegmentBody, segmentBodies
from .AcceptedAnswers import acceptanceOf
from .AnnotatedSlices import AnnotatedSlices
from .SliceEntry import SliceState
from .SliceRecord import hasRecords


def takeStock(
    volumeNode: slicer.vtkMRMLScalarVolumeNode,
    segmentationNode: slicer.vtkMRMLSegmentationNode,
    slices: AnnotatedSlices,
) -> None:
    """Say what the segments are of a segmentation that lists no slice yet, as one read from a `.seg.nrrd` alone.

    A segment with voxels on several slices side by side is left alone until the user gives it another role; one with
    voxels on single slices is finished there. Raises InputError under non-linear transforms.
    """
    segmentation = segmentationNode.GetSegmentation()
    keys = [key for key in structureIDs(segmentationNode) if not acceptanceOf(segmentation.GetSegment(key))]
    if hasRecords(segmentationNode) or not keys:
        return
    bodies = segmentBodies(VolumeGrid.of(volumeNode), segmentationNode, keys)
    drawn = {key: _slicesOf(body) for key, body in bodies.items()}
    for key, planes in drawn.items():
        if not planes:
            SegmentRole.LEFT_ALONE.assign(segmentationNode, key)
    for plane in sorted({plane for planes in drawn.values() for plane in planes}):
        slices.mark(plane, SliceState.DONE, [key for key, planes in drawn.items() if plane in planes])


def _slicesOf(body: SegmentBody) -> list[Plane]:
    """The planes on which a segment was drawn; none where it fills slices side by side along every axis."""
    for axis in range(3):
        used = np.flatnonzero(body.mask.any(tuple(other for other in range(3) if other != axis)))
        if (np.diff(used) > 1).all():
            return [(axis, int(body.start[axis] + index)) for index in used]
    return []
