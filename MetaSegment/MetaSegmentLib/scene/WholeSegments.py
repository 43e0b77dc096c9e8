"""Whole segments as one label map on a volume's grid, without a copy for each of them. Changes nothing."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import slicer
from slicer.i18n import tr as _

from metasegment.errors import InputError

from .LabelImage import arrayOf, emptyImage, ijkToRasOf, resampled, startOf
from .VolumeGrid import VolumeGrid, toWorld

#: By which matrices (voxels) may differ and still mean the same grid.
_SAME_GRID = 1e-4


@dataclass(frozen=True, eq=False)
class Part:
    """One segment: where `layer` (k, j, i), which starts at the voxel `start` of the volume's grid, holds `value`."""

    layer: np.ndarray
    start: np.ndarray
    value: int
    label: int


@dataclass(frozen=True, eq=False)
class WholeSegments:
    """Copies of segments' layers, in the order of the segments table, to be merged in a worker thread."""

    parts: tuple[Part, ...]

    def merged(self) -> tuple[np.ndarray, tuple[int, int, int]]:
        """Labels uint8 (k, j, i) around the segments, and the voxel of the volume's grid at which they start.

        Where segments overlap, the one further down has the voxel.
        """
        start = np.min([part.start for part in self.parts], axis=0)
        end = np.max([np.add(part.start, part.layer.shape) for part in self.parts], axis=0)
        merged = np.zeros(end - start, np.uint8)
        for part in self.parts:
            window = tuple(slice(f, f + n) for f, n in zip(part.start - start, part.layer.shape, strict=True))
            np.putmask(merged[window], part.layer == part.value, part.label)
        return merged, tuple(start.tolist())


def wholeSegments(
    grid: VolumeGrid, segmentationNode: slicer.vtkMRMLSegmentationNode, labelOf: Mapping[str, int]
) -> WholeSegments:
    """The segments that have a label; raises InputError where there is none, and under non-linear transforms."""
    if not labelOf:
        raise InputError(_("Nothing is drawn that could be taught: segment the volume and accept the result first."))
    k, j, i = grid.shape
    ijkToRas = np.linalg.inv(toWorld(segmentationNode)) @ grid.ijkToWorld
    place = emptyImage([0, i - 1, 0, j - 1, 0, k - 1], ijkToRas)
    segmentation = segmentationNode.GetSegmentation()
    images = {key: segmentationNode.GetBinaryLabelmapInternalRepresentation(key) for key in labelOf}
    layers = {image: _onGrid(image, place) for image in set(images.values())}  # segments may share one
    ordered = [key for key in segmentation.GetSegmentIDs() if key in labelOf]
    return WholeSegments(
        tuple(Part(*layers[images[key]], segmentation.GetSegment(key).GetLabelValue(), labelOf[key]) for key in ordered)
    )


def _onGrid(image: slicer.vtkOrientedImageData, place: slicer.vtkOrientedImageData) -> tuple[np.ndarray, np.ndarray]:
    """A copy of a label map's voxels (k, j, i) on the grid of `place`, and the voxel there at which they start."""
    toIndex = np.linalg.inv(ijkToRasOf(place)) @ ijkToRasOf(image)
    offset = np.rint(toIndex[:3, 3])
    moved = np.eye(4)
    moved[:3, 3] = offset
    if not np.allclose(toIndex, moved, atol=_SAME_GRID):
        image, offset = resampled(image, np.eye(4), place), np.zeros(3)
    return arrayOf(image).copy(), np.array(startOf(image)) + offset[::-1].astype(int)


def hasVoxels(segmentationNode: slicer.vtkMRMLSegmentationNode, segmentID: str) -> bool:
    """Whether a segment has any voxel; reads its layer up to the first one."""
    image = segmentationNode.GetBinaryLabelmapInternalRepresentation(segmentID)
    if image is None or image.IsEmpty():
        return False
    value = segmentationNode.GetSegmentation().GetSegment(segmentID).GetLabelValue()
    return any((plane == value).any() for plane in arrayOf(image))
