"""What the segments hold on single planes of a volume, cheaply: reads the plane, never the whole label map.

Segments may share a layer or have their own, cover any extent, and lie on another grid than the volume (nearest voxel).
Changes nothing, and knows nothing of strokes.
"""

from __future__ import annotations

import zlib
from collections.abc import Collection, Iterator, Mapping
from math import ceil

import numpy as np
import slicer
from slicer.i18n import tr as _

from metasegment.errors import InputError

from .LabelImage import arrayOf, emptyImage, ijkToRasOf, resampled, startOf
from .VolumeGrid import Plane, VolumeGrid, toWorld

#: Fingerprint of a plane without a structure.
EMPTY = 0
#: Voxels by which two grids may drift apart over the volume and still count as the same grid.
_SAME_GRID = 0.05


def fingerprintOf(masks: Mapping[str, np.ndarray]) -> int:
    """A number for what `SegmentPlanes.masks` found, whichever way the segments share layers; EMPTY for nothing."""
    value = EMPTY
    for segmentID, mask in sorted(masks.items()):
        value = zlib.crc32(np.packbits(mask).tobytes(), zlib.crc32(segmentID.encode(), value))
    return value


class SegmentPlanes:
    """Planes of a volume's grid as seen by a segmentation; both where they are now. Example::

        planes = SegmentPlanes(VolumeGrid.of(volumeNode), segmentationNode)
        planes.masks((0, 12), structureIDs(segmentationNode))      # {"Segment_1": bool (rows, columns), ...}

    Rows and columns are the array's other two axes in order.
    """

    def __init__(self, grid: VolumeGrid, segmentationNode: slicer.vtkMRMLSegmentationNode) -> None:
        self._grid = grid
        self._segmentationNode = segmentationNode
        self._worldToIjk = np.linalg.inv(grid.ijkToWorld)
        self._toWorld = toWorld(segmentationNode)

    @property
    def _segmentation(self) -> slicer.vtkSegmentation:
        return self._segmentationNode.GetSegmentation()

    def masks(self, plane: Plane, segmentIDs: Collection[str]) -> dict[str, np.ndarray]:
        """Masks of those segments that have voxels on a plane, in the order of the segments table.

        Raises InputError where the segments are surfaces.
        """
        found = {}
        for image, segments in self._layers(segmentIDs):
            labels = self._labelsOn(plane, image)
            for segmentID, label in segments.items():
                mask = labels == label
                if mask.any():
                    found[segmentID] = mask
        return {segmentID: found[segmentID] for segmentID in self.inOrder(found)}

    def maskOf(self, plane: Plane, masks: Mapping[str, np.ndarray], segmentID: str) -> np.ndarray:
        """One of the `masks` of a plane; all False for a segment that has no voxel there."""
        shape = [n for axis, n in enumerate(self._grid.shape) if axis != plane[0]]
        return masks.get(segmentID, np.zeros(shape, bool))

    def inOrder(self, segmentIDs: Collection[str]) -> list[str]:
        """Those that there are, in the order of the segments table."""
        return [segmentID for segmentID in self._segmentation.GetSegmentIDs() if segmentID in segmentIDs]

    def segment(self, segmentID: str) -> slicer.vtkSegment | None:
        """The segment of that ID; None if it is gone."""
        return self._segmentation.GetSegment(segmentID)

    def fingerprint(self, plane: Plane, segmentIDs: Collection[str]) -> int:
        """A number that changes with the voxels of those segments on a plane, and with nothing else."""
        return fingerprintOf(self.masks(plane, segmentIDs))

    def neighbors(self, plane: Plane) -> list[Plane]:
        """The planes before and after that share no segment voxel with this one, as far as the volume has them."""
        axis, index = plane
        thickness = [np.abs(self._toIndex(image)[2 - axis, :3]).sum() for image, _segments in self._layers(None)]
        step = ceil(max(thickness, default=1.0) - _SAME_GRID) or 1
        return [beside for beside in ((axis, index - step), (axis, index + step)) if self._grid.contains(beside)]

    def state(self) -> object:
        """Compares equal as long as no label map has changed: a cheap way to see that nothing happened."""
        return [(image.GetMTime(), segments) for image, segments in self._layers(None)]

    def _layers(
        self, segmentIDs: Collection[str] | None
    ) -> Iterator[tuple[slicer.vtkOrientedImageData, dict[str, int]]]:
        """Label maps that are not empty, with the label of each segment asked for (None: all)."""
        name = slicer.vtkSegmentationConverter.GetSegmentationBinaryLabelmapRepresentationName()
        if self._segmentation.GetNumberOfSegments() and not self._segmentation.ContainsRepresentation(name):
            raise InputError(_("The segments are surfaces: open them in the Segment Editor to make them paintable."))
        for layer in range(self._segmentation.GetNumberOfLayers(name)):
            image = self._segmentation.GetLayerDataObject(layer, name)
            inLayer = self._segmentation.GetSegmentIDsForLayer(layer, name)
            wanted = inLayer if segmentIDs is None else [segmentID for segmentID in inLayer if segmentID in segmentIDs]
            if wanted and not image.IsEmpty():
                yield image, {key: self._segmentation.GetSegment(key).GetLabelValue() for key in wanted}

    def _toIndex(self, image: slicer.vtkOrientedImageData) -> np.ndarray:
        """Affine (4, 4) from the label map's i, j, k to the volume's."""
        return self._worldToIjk @ self._toWorld @ ijkToRasOf(image)

    def _labelsOn(self, plane: Plane, image: slicer.vtkOrientedImageData) -> np.ndarray:
        toIndex = self._toIndex(image)
        offset = np.rint(toIndex[:3, 3])
        drift = np.abs(toIndex[:3, :3] - np.eye(3)).sum(1) * self._grid.shape[::-1] + np.abs(toIndex[:3, 3] - offset)
        if drift.max() < _SAME_GRID:
            return self._sliced(plane, image, offset.astype(int))
        return self._resampled(plane, image)

    def _sliced(self, plane: Plane, image: slicer.vtkOrientedImageData, offset: np.ndarray) -> np.ndarray:
        """The plane of a label map whose voxels are voxels of the volume: a window of it, elsewhere 0."""
        axis, index = plane
        array, start = arrayOf(image), np.array(startOf(image)) + offset[::-1]
        labels = np.zeros([n for a, n in enumerate(self._grid.shape) if a != axis], array.dtype)
        first = np.maximum(0, start)
        last = np.minimum(self._grid.shape, start + array.shape)
        if first[axis] <= index < last[axis] and (first < last).all():
            source = [slice(f - s, e - s) for f, e, s in zip(first, last, start, strict=True)]
            source[axis] = index - start[axis]
            target = [slice(f, e) for a, (f, e) in enumerate(zip(first, last, strict=True)) if a != axis]
            labels[tuple(target)] = array[tuple(source)]
        return labels

    def _resampled(self, plane: Plane, image: slicer.vtkOrientedImageData) -> np.ndarray:
        grid = emptyImage(self._grid.extentOf(plane), self._grid.ijkToWorld)
        return arrayOf(resampled(image, self._toWorld, grid)).squeeze(plane[0])
