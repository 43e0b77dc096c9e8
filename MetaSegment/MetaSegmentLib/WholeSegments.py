"""Whole segments as one label map on a volume's grid, without a copy for each of them. Changes nothing."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import slicer
from slicer.i18n import tr as _

from metasegment.errors import InputError

from .LabelImage import arrayOf, emptyImage, ijkToRasOf, resampled, startOf
from .VolumeGrid import VolumeGrid, toWorld

#: By which matrices (voxels) may differ and still mean the same grid.
_SAME_GRID = 1e-4


def mergedLabels(
    grid: VolumeGrid, segmentationNode: slicer.vtkMRMLSegmentationNode, labelOf: Mapping[str, int]
) -> tuple[np.ndarray, tuple[int, int, int]]:
    """Labels uint8 (k, j, i) around whole segments, and the voxel of the volume's grid at which they start.

    Where segments overlap, the one further down in the segments table has the voxel. Raises InputError where there is
    no segment, and under non-linear transforms.
    """
    if not labelOf:
        raise InputError(_("Nothing is drawn that could be taught: segment the volume and accept the result first."))
    k, j, i = grid.shape
    ijkToRas = np.linalg.inv(toWorld(segmentationNode)) @ grid.ijkToWorld
    place = emptyImage([0, i - 1, 0, j - 1, 0, k - 1], ijkToRas)
    parts = {key: _onGrid(segmentationNode.GetBinaryLabelmapInternalRepresentation(key), place) for key in labelOf}
    start = np.min([first for _labels, first in parts.values()], axis=0)
    end = np.max([np.add(first, labels.shape) for labels, first in parts.values()], axis=0)
    merged = np.zeros(end - start, np.uint8)
    for key in segmentationNode.GetSegmentation().GetSegmentIDs():
        if key in labelOf:
            labels, first = parts[key]
            window = tuple(slice(f, f + n) for f, n in zip(first - start, labels.shape, strict=True))
            value = segmentationNode.GetSegmentation().GetSegment(key).GetLabelValue()
            np.putmask(merged[window], labels == value, labelOf[key])
    return merged, tuple(start.tolist())


def _onGrid(image: slicer.vtkOrientedImageData, place: slicer.vtkOrientedImageData) -> tuple[np.ndarray, np.ndarray]:
    """A label map's voxels (k, j, i) on the grid of `place`, and the voxel there at which they start."""
    toIndex = np.linalg.inv(ijkToRasOf(place)) @ ijkToRasOf(image)
    offset = np.rint(toIndex[:3, 3])
    moved = np.eye(4)
    moved[:3, 3] = offset
    if not np.allclose(toIndex, moved, atol=_SAME_GRID):
        image, offset = resampled(image, np.eye(4), place), np.zeros(3)
    return arrayOf(image), np.array(startOf(image)) + offset[::-1].astype(int)


def hasVoxels(segmentationNode: slicer.vtkMRMLSegmentationNode, segmentID: str) -> bool:
    """Whether a segment has any voxel; reads its layer once."""
    image = segmentationNode.GetBinaryLabelmapInternalRepresentation(segmentID)
    if image is None or image.IsEmpty():
        return False
    return bool((arrayOf(image) == segmentationNode.GetSegmentation().GetSegment(segmentID).GetLabelValue()).any())
