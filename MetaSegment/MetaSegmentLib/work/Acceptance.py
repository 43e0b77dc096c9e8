"""Writes a preview into the user's segments as the Segment Editor's settings allow. Never writes other segments."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import slicer
from slicer.i18n import tr as _

from metasegment.errors import InputError

from ..scene.EditableRegion import EditableRegion
from ..scene.LabelImage import arrayOf, emptyImage, ijkToRasOf, imageOf, resampled, startOf
from ..scene.SegmentRole import segmentsOf
from ..scene.SegmentVoxels import changeVoxels
from ..scene.VolumeGrid import Plane, VolumeGrid, toWorld

_Logic = slicer.vtkSlicerSegmentationsModuleLogic


@dataclass(frozen=True)
class Accepted:
    """What accepting did: the segments written, by ID their names, the names of those whose segment is gone meanwhile,
    and of those that are hidden; how many voxels masking kept as they were.
    """

    written: Mapping[str, str]
    missing: tuple[str, ...] = ()
    hidden: tuple[str, ...] = ()
    masked: int = 0

    @property
    def sentence(self) -> str:
        """The same in words."""
        text = _("Accepted: {names}. Undo takes it back.").format(names=", ".join(self.written.values()))
        if self.masked:
            kept = _("The Segment Editor's masking kept {count} voxels as they were.")
            text += " " + kept.format(count=self.masked)
        if self.hidden:
            text += " " + _("Hidden, so not seen: {names}.").format(names=", ".join(self.hidden))
        if self.missing:
            text += " " + _("Not accepted, as the segment is gone: {names}.").format(names=", ".join(self.missing))
        return text


class Acceptance:
    """Accepts previews into the segmentation that a segment editor node edits. Example::

        acceptance = Acceptance(editor.mrmlSegmentEditorNode(), volumeNode, editor.saveStateForUndo)
        with annotatedSlices.paused():
            acceptance.accept(preview.node)
        preview.remove()

    Each structure becomes what the preview shows of it, where the settings allow editing; elsewhere it stays as it is.

    * Editable area (mask mode, mask segment) and editable intensity range: the Segment Editor's own, on the segments as
      they were before. The accepted structures count as one: voxels may pass from one to the other.
    * Overwrite mode: where it forbids overlap with a segment (all, visible), that segment keeps its voxels and the
      structure goes without, because accepting never takes from other segments. With "none" the two overlap.
    * Locked segments always keep their voxels for themselves.
    """

    def __init__(
        self,
        editorNode: slicer.vtkMRMLSegmentEditorNode,
        volumeNode: slicer.vtkMRMLScalarVolumeNode,
        saveStateForUndo: Callable[[], object] = lambda: None,
    ) -> None:
        self._editorNode = editorNode
        self._volumeNode = volumeNode
        self._saveStateForUndo = saveStateForUndo

    def accept(
        self,
        previewNode: slicer.vtkMRMLSegmentationNode | None,
        only: Collection[str] | None = None,
        kept: Collection[Plane] = (),
    ) -> Accepted:
        """Write all structures of the preview, or those in `only` (segment IDs), but not on the planes that are `kept`;
        one step of undo.

        Raises InputError where there is nothing to accept or nowhere to write it; then nothing was changed.
        """
        node = self._editorNode.GetSegmentationNode()
        if previewNode is None or node is None or node.GetScene() is None:
            raise InputError(_("There is no result to accept: segment first, and keep the segmentation open."))
        wanted = {key: segment for key, segment in segmentsOf(previewNode) if only is None or key in only}
        if not wanted:
            raise InputError(_("No structure is ticked: tick those to accept, or discard the result."))
        labels = {key: s.GetLabelValue() for key, s in wanted.items() if node.GetSegmentation().GetSegment(key)}
        if not labels:
            raise InputError(_("The segments of this result have been removed: there is nowhere to write it."))
        region = EditableRegion(self._editorNode)
        shown = _onEditorGrid(previewNode, list(labels), node, region)
        allowed = region.mask(shown, list(labels))
        masked = _heldBack(region, shown, allowed, labels)
        allowed &= ~self._onPlanes(kept, node, shown)
        self._saveStateForUndo()
        _replace(node, region, shown, allowed, labels)
        display, names = node.GetDisplayNode(), {key: segment.GetName() for key, segment in wanted.items()}
        return Accepted(
            written={key: names[key] for key in labels},
            missing=tuple(name for key, name in names.items() if key not in labels),
            hidden=tuple(names[key] for key in labels if display and not display.GetSegmentVisibility(key)),
            masked=masked,
        )

    def _onPlanes(
        self,
        planes: Collection[Plane],
        node: slicer.vtkMRMLSegmentationNode,
        grid: slicer.vtkOrientedImageData,
    ) -> np.ndarray:
        """Voxels (k, j, i of `grid`) that lie on planes of the volume."""
        found = np.zeros(grid.GetDimensions()[::-1], bool)
        if not planes:
            return found
        own = VolumeGrid.of(self._volumeNode)
        toRas = np.linalg.inv(toWorld(node)) @ own.ijkToWorld
        for plane in planes:
            ones = np.ones([1 if axis == plane[0] else n for axis, n in enumerate(own.shape)], np.uint8)
            start = [plane[1] if axis == plane[0] else 0 for axis in range(3)]
            found |= arrayOf(resampled(imageOf(ones, toRas, start), np.eye(4), grid)) > 0
        return found


def _heldBack(
    region: EditableRegion, shown: slicer.vtkOrientedImageData, allowed: np.ndarray, labels: Mapping[str, int]
) -> int:
    """How many voxels of the result the masking settings keep out of the segments."""
    values = arrayOf(shown)
    missed = [(values == label) & ~allowed & ~region.segment(key, shown) for key, label in labels.items()]
    return int(sum(mask.sum() for mask in missed)) if not allowed.all() else 0


def _onEditorGrid(
    previewNode: slicer.vtkMRMLSegmentationNode,
    segmentIDs: Sequence[str],
    node: slicer.vtkMRMLSegmentationNode,
    region: EditableRegion,
) -> slicer.vtkOrientedImageData:
    """The preview's labels on the grid of the Segment Editor, where preview or segments have voxels."""
    image = previewNode.GetBinaryLabelmapInternalRepresentation(segmentIDs[0])
    toRas = np.linalg.inv(toWorld(node)) @ toWorld(previewNode)
    toIndex = np.linalg.inv(region.ijkToRas)
    lowest, highest = _bounds(image, toIndex @ toRas @ ijkToRasOf(image))
    for segmentID in segmentIDs:
        old = node.GetBinaryLabelmapInternalRepresentation(segmentID)
        if old is not None and not old.IsEmpty():
            oldLowest, oldHighest = _bounds(old, toIndex @ ijkToRasOf(old))
            lowest, highest = np.minimum(lowest, oldLowest), np.maximum(highest, oldHighest)
    lowest, highest = np.maximum(lowest, region.extent[::2]), np.minimum(highest, region.extent[1::2])
    if (lowest > highest).any():
        raise InputError(_("The result lies outside the segmentation's geometry: enlarge that in the Segment Editor."))
    grid = emptyImage(np.stack([lowest, highest], axis=1).ravel().tolist(), region.ijkToRas)
    return resampled(image, toRas, grid)


def _bounds(image: slicer.vtkOrientedImageData, toIndex: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """First and last index (i, j, k) on another grid of what an image covers."""
    extent = np.reshape(image.GetExtent(), (3, 2))
    corners = np.stack([*(axis.ravel() for axis in np.meshgrid(*extent)), np.ones(8)])
    indices = (toIndex @ corners)[:3]
    return np.floor(indices.min(1)).astype(int), np.ceil(indices.max(1)).astype(int)


def _replace(
    node: slicer.vtkMRMLSegmentationNode,
    region: EditableRegion,
    shown: slicer.vtkOrientedImageData,
    allowed: np.ndarray,
    labels: dict[str, int],
) -> None:
    """Make each segment what its label shows, where allowed.

    All are cleared before any is drawn: structures that meet in a shared layer would be moved to layers of their own.
    """
    values = arrayOf(shown)
    for segmentID, label in labels.items():
        gone = region.segment(segmentID, shown) & allowed & (values != label)
        changeVoxels(node, segmentID, gone, ijkToRasOf(shown), startOf(shown), isTaking=True)
    for segmentID, label in labels.items():
        changeVoxels(node, segmentID, allowed & (values == label), ijkToRasOf(shown), startOf(shown), isTaking=False)
        segment = node.GetSegmentation().GetSegment(segmentID)
        if _Logic.GetSegmentStatus(segment) == _Logic.NotStarted:
            _Logic.SetSegmentStatus(segment, _Logic.InProgress)
