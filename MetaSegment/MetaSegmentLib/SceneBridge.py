"""From the MRML scene to what the learner is asked: a volume, and an annotation on its grid.

Reads only; results go back through Preview and Acceptance.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import numpy as np
import slicer
from slicer.i18n import tr as _

from metasegment.annotation import BACKGROUND, AnnotatedSlice, Annotation
from metasegment.errors import InputError
from metasegment.volume import Volume

from .LabelImage import arrayOf
from .SegmentPlanes import SegmentPlanes
from .SegmentRole import structureIDs
from .SliceEntry import SliceEntry
from .VolumeGrid import VolumeGrid


@dataclass(frozen=True, eq=False)
class BridgedAnnotation:
    """An annotation and its way back: which segment each label is.

    `unused` are the names of structures that no used slice shows: they are neither learnt nor changed.
    """

    annotation: Annotation
    segmentIDs: Mapping[int, str]
    unused: tuple[str, ...]


class SceneBridge:
    """Reads one volume and one segmentation. Example::

        bridge = SceneBridge(volumeNode, segmentationNode)
        volume = bridge.volume()                                 # both raise InputError with a reason for the user
        bridged = bridge.annotation(annotatedSlices.entries())
        result = client.segment(volume, bridged.annotation)

    Where segments overlap on a slice, the one further down in the segments table has the voxel, as in Slicer's own
    export to a label map. Segments that are locked or left alone are background.
    """

    def __init__(
        self, volumeNode: slicer.vtkMRMLScalarVolumeNode, segmentationNode: slicer.vtkMRMLSegmentationNode
    ) -> None:
        self._volumeNode = volumeNode
        self._segmentationNode = segmentationNode

    def volume(self) -> Volume:
        """The voxels, shared with the node (64-bit floats are copied to 32), where its transforms put them.

        Raises InputError for what `VolumeGrid.of` refuses, and for constant, NaN and infinite voxels.
        """
        grid = VolumeGrid.of(self._volumeNode)
        lowest, highest = self._volumeNode.GetImageData().GetScalarRange()
        array = arrayOf(self._volumeNode.GetImageData())
        if lowest == highest:
            raise InputError(
                _("Every voxel of this volume is {value:g}: there is nothing to segment.").format(value=lowest)
            )
        if array.dtype.kind == "f" and not np.isfinite(array.sum(dtype=np.float64)):
            raise InputError(_("This volume has voxels that are NaN or infinite: replace them first."))
        return Volume(array.astype(np.float32) if array.dtype == np.float64 else array, grid.geometry)

    def annotation(self, entries: Iterable[SliceEntry]) -> BridgedAnnotation:
        """The slices that may be used, as labels on the volume's grid.

        Raises InputError where there is nothing to learn from, and for what VolumeGrid and SegmentPlanes refuse.
        """
        grid = VolumeGrid.of(self._volumeNode)
        planes = SegmentPlanes(grid, self._segmentationNode)
        wanted = structureIDs(self._segmentationNode)
        used = [entry for entry in entries if entry.isUsed]
        if not used:
            raise InputError(_("No slice is finished yet: draw every structure on a slice, then mark it as done."))
        masks = [planes.masks(entry.plane, wanted) for entry in used]
        present = [segmentID for segmentID in wanted if any(segmentID in onSlice for onSlice in masks)]
        if not present:
            raise InputError(_("No structure is drawn on the finished slices: draw it on at least one of them."))
        if len(present) >= BACKGROUND:
            raise InputError(_("At most 254 structures can be segmented together: lock some of the segments."))
        labelOf = {segmentID: label for label, segmentID in enumerate(present, start=1)}
        labels = np.zeros(grid.shape, np.uint8)
        for entry, onSlice in zip(used, masks, strict=True):
            target = np.moveaxis(labels, entry.axis, 0)[entry.index]
            target[:] = BACKGROUND
            for segmentID, mask in onSlice.items():
                target[mask] = labelOf[segmentID]
        return self._bridged(labels, grid, used, labelOf, wanted)

    def _bridged(
        self, labels: np.ndarray, grid: VolumeGrid, used: list[SliceEntry], labelOf: dict[str, int], wanted: list[str]
    ) -> BridgedAnnotation:
        segments = {key: self._segmentationNode.GetSegmentation().GetSegment(key) for key in wanted}
        annotation = Annotation(
            labels=labels,
            geometry=grid.geometry,
            slices=tuple(AnnotatedSlice(*entry.plane) for entry in sorted(used, key=lambda entry: entry.plane)),
            structures=tuple(labelOf.values()),
            names={label: segments[key].GetName() for key, label in labelOf.items()},
            colors={label: tuple(segments[key].GetColor()) for key, label in labelOf.items()},
        )
        unused = tuple(segment.GetName() for key, segment in segments.items() if key not in labelOf)
        return BridgedAnnotation(annotation, {label: key for key, label in labelOf.items()}, unused)
