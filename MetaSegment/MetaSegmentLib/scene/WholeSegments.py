"""Whole segments as one label map on a volume's grid, without a copy for each of them. Changes nothing."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass

import numpy as np
import slicer
from slicer.i18n import tr as _

from metasegment.errors import InputError
from metasegment.regrid import bounding_box

from .LabelImage import arrayOf, emptyImage, ijkToRasOf, resampled, startOf
from .VolumeGrid import Plane, VolumeGrid, toWorld

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


@dataclass(frozen=True, eq=False)
class SegmentBody:
    """A segment's voxels: `mask` bool (k, j, i), whose first voxel is `start` (k, j, i) of the volume's grid."""

    mask: np.ndarray
    start: np.ndarray

    def on(self, plane: Plane, shape: tuple[int, int, int]) -> np.ndarray:
        """The mask (rows, columns) on a plane of a volume of `shape` (k, j, i)."""
        axis, index = plane
        found = np.zeros([n for a, n in enumerate(shape) if a != axis], bool)
        within = index - self.start[axis]
        if 0 <= within < self.mask.shape[axis]:
            start, size = (np.delete(values, axis) for values in (self.start, self.mask.shape))
            found[_window(start, start + size)] = np.moveaxis(self.mask, axis, 0)[within]
        return found

    def without(self, other: SegmentBody, shape: tuple[int, int, int]) -> np.ndarray:
        """Sorted flat indices (C order) into a volume of `shape` of the voxels that `other` does not have."""
        left = self.mask.copy()
        first = np.maximum(self.start, other.start)
        last = np.minimum(np.add(self.start, self.mask.shape), np.add(other.start, other.mask.shape))
        if (first < last).all():
            own, others = (_window(first - start, last - start) for start in (self.start, other.start))
            left[own] &= ~other.mask[others]
        return np.ravel_multi_index(tuple((np.argwhere(left) + self.start).T), shape)


def _window(first: np.ndarray, last: np.ndarray) -> tuple[slice, ...]:
    return tuple(slice(int(f), int(e)) for f, e in zip(first, last, strict=True))


def segmentBodies(
    grid: VolumeGrid, segmentationNode: slicer.vtkMRMLSegmentationNode, segmentIDs: Collection[str]
) -> dict[str, SegmentBody]:
    """By segment ID, the voxels within the volume of those segments that have any; raises as `wholeSegments` does."""
    wanted = {key: n for n, key in enumerate(segmentIDs) if hasVoxels(segmentationNode, key)}
    if not wanted:
        return {}
    keys = {n: key for key, n in wanted.items()}
    found = {}
    for part in wholeSegments(grid, segmentationNode, wanted).parts:
        first = np.maximum(0, -part.start)
        last = np.maximum(first, np.minimum(part.layer.shape, grid.shape - part.start))
        mask = part.layer[_window(first, last)] == part.value
        box = bounding_box(mask)
        if box[0].stop:
            start = part.start + first + [side.start for side in box]
            found[keys[part.label]] = SegmentBody(mask[box].copy(), start)
    return found


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
