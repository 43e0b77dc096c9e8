"""Writes a preview into the user's segments as the Segment Editor's settings allow. Never writes other segments."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import slicer
from slicer.i18n import tr as _

from metasegment.errors import InputError
from metasegment.regrid import bounding_box

from ..scene.EditableRegion import EditableRegion
from ..scene.LabelImage import arrayOf, emptyImage, ijkToRasOf, imageOf, resampled, startOf
from ..scene.SegmentRole import segmentsOf
from ..scene.VolumeGrid import toWorld

_Logic = slicer.vtkSlicerSegmentationsModuleLogic


@dataclass(frozen=True)
class Accepted:
    """What accepting did, by names of structures: those written, and those whose segment is gone meanwhile."""

    written: tuple[str, ...]
    missing: tuple[str, ...]

    @property
    def sentence(self) -> str:
        """The same in words."""
        text = _("Accepted: {names}. Undo takes it back.").format(names=", ".join(self.written))
        if self.missing:
            text += " " + _("Not accepted, as the segment is gone: {names}.").format(names=", ".join(self.missing))
        return text


class Acceptance:
    """Accepts previews into the segmentation that a segment editor node edits. Example::

        acceptance = Acceptance(editor.mrmlSegmentEditorNode(), editor.saveStateForUndo)
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
        self, editorNode: slicer.vtkMRMLSegmentEditorNode, saveStateForUndo: Callable[[], object] = lambda: None
    ) -> None:
        self._editorNode = editorNode
        self._saveStateForUndo = saveStateForUndo

    def accept(self, previewNode: slicer.vtkMRMLSegmentationNode | None, only: Sequence[str] | None = None) -> Accepted:
        """Write all structures of the preview, or those in `only` (segment IDs); one step of undo.

        Raises InputError where there is nothing to accept or nowhere to write it; then nothing was changed.
        """
        node = self._editorNode.GetSegmentationNode()
        if previewNode is None or node is None or node.GetScene() is None:
            raise InputError(_("There is no result to accept: segment first, and keep the segmentation open."))
        wanted = {key: segment for key, segment in segmentsOf(previewNode) if only is None or key in only}
        labels = {key: s.GetLabelValue() for key, s in wanted.items() if node.GetSegmentation().GetSegment(key)}
        if not labels:
            raise InputError(_("The segments of this result have been removed: there is nowhere to write it."))
        region = EditableRegion(self._editorNode)
        shown = _onEditorGrid(previewNode, list(labels), node, region)
        allowed = region.mask(shown, list(labels))
        self._saveStateForUndo()
        _replace(node, region, shown, allowed, labels)
        names = {key: segment.GetName() for key, segment in wanted.items()}
        return Accepted(
            tuple(names[key] for key in labels), tuple(name for key, name in names.items() if key not in labels)
        )


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
        _merge(node, segmentID, gone, shown, _Logic.MODE_MERGE_MIN)
    for segmentID, label in labels.items():
        _merge(node, segmentID, allowed & (values == label), shown, _Logic.MODE_MERGE_MASK)
        segment = node.GetSegmentation().GetSegment(segmentID)
        if _Logic.GetSegmentStatus(segment) == _Logic.NotStarted:
            _Logic.SetSegmentStatus(segment, _Logic.InProgress)


def _merge(
    node: slicer.vtkMRMLSegmentationNode,
    segmentID: str,
    voxels: np.ndarray,
    grid: slicer.vtkOrientedImageData,
    mode: int,
) -> None:
    """Take voxels from a segment (MODE_MERGE_MIN) or give it some (MODE_MERGE_MASK).

    This is what vtkSlicerSegmentEditorLogic::ModifySegmentByLabelmap ends in. That method itself would write other
    segments: it takes voxels from those to be overwritten, and when editing is limited to one segment, gives it what
    is erased from another.
    """
    box = bounding_box(voxels)
    if not box[0].stop:
        return
    start = [int(s + part.start) for s, part in zip(startOf(grid), box, strict=True)]
    isTaking = mode == _Logic.MODE_MERGE_MIN
    modifier = imageOf((voxels[box] ^ isTaking).astype(np.uint8), ijkToRasOf(grid), start)
    others = [key for key, _segment in segmentsOf(node) if key != segmentID]
    # Taking leaves the others as they are, but were they not named here, it would move the segment to another layer.
    _Logic.SetBinaryLabelmapToSegment(modifier, node, segmentID, mode, None, False, others if isTaking else [])
