"""From the MRML scene to what the learner is asked: a volume, an annotation on its grid, and what is taught.

Reads only; results go back through Preview and Acceptance.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass

import numpy as np
import slicer
from slicer.i18n import tr as _

from metasegment.annotation import BACKGROUND, AnnotatedSlice, Annotation
from metasegment.errors import InputError
from metasegment.io.terminology import entry_of
from metasegment.structure import TISSUE
from metasegment.task import Task
from metasegment.volume import Volume

from ..learner.TeachRequest import TeachRequest
from ..scene.LabelImage import arrayOf
from ..scene.SegmentPlanes import SegmentPlanes
from ..scene.SegmentRole import structureIDs
from ..scene.TaskSegments import sameName
from ..scene.VolumeGrid import Plane, VolumeGrid
from ..scene.WholeSegments import hasVoxels, wholeSegments
from .SliceEntry import SliceEntry


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
        drawn = bridge.annotationFor({segmentID: label}, annotatedSlices.entries())      # None: no slice

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
        entries, wanted = tuple(entries), structureIDs(self._segmentationNode)
        drawn = self._drawn(entries, wanted)
        finishedFor = {entry.plane: entry.finishedFor for entry in entries}
        if not drawn:
            raise InputError(_("No slice is finished yet: draw every structure on a slice, then mark it as done."))
        present = [segmentID for segmentID in wanted if any(segmentID in masks for masks in drawn.values())]
        if not present:
            raise InputError(_("No structure is drawn on the finished slices: draw it on at least one of them."))
        if len(present) >= BACKGROUND:
            raise InputError(_("At most 254 structures can be segmented together: lock some of the segments."))
        labelOf = {segmentID: label for label, segmentID in enumerate(present, start=1)}
        names = {key: self._segment(key).GetName() for key in wanted}
        unused = tuple(name for key, name in names.items() if key not in labelOf)
        return BridgedAnnotation(
            self._annotation(drawn, labelOf, finishedFor), {label: key for key, label in labelOf.items()}, unused
        )

    def annotationFor(self, labelOf: Mapping[str, int], entries: Iterable[SliceEntry]) -> Annotation | None:
        """The slices that may be used, with given labels of segments; all other segments are background.

        None where there is no such slice. Raises InputError for what VolumeGrid and SegmentPlanes refuse.
        """
        entries = tuple(entries)
        drawn = self._drawn(entries, labelOf)
        finishedFor = {entry.plane: entry.finishedFor for entry in entries}
        return self._annotation(drawn, labelOf, finishedFor) if drawn else None

    def teachRequest(self, volume: Volume, entries: Iterable[SliceEntry], task: Task | None) -> TeachRequest:
        """Whole segments as they are, without those that are empty; a task of the same structures grows by them.

        Raises InputError where nothing is drawn, and where names do not tell the segments apart.
        """
        named = self._byName()
        known = {sameName(name): label for label, name in task.names.items()} if task else {}
        earlier = task if set(named) == set(known) else None
        labelOf = {key: known[name] if earlier else n for n, (name, key) in enumerate(named.items(), start=1)}
        whole = wholeSegments(VolumeGrid.of(self._volumeNode), self._segmentationNode, labelOf)
        segments = {label: self._segment(key) for key, label in labelOf.items()}
        return TeachRequest(
            volume=volume,
            whole=whole,
            names=earlier.names if earlier else {label: s.GetName().strip() for label, s in segments.items()},
            colors={label: tuple(segment.GetColor()) for label, segment in segments.items()},
            terminologies=_chosen({label: segment.GetTerminology() for label, segment in segments.items()}),
            drawn=tuple(entry.plane for entry in entries),
            earlier=earlier,
        )

    def _byName(self) -> dict[str, str]:
        """The IDs of the structures that have voxels, by name as it is compared."""
        keys = [key for key in structureIDs(self._segmentationNode) if hasVoxels(self._segmentationNode, key)]
        named = {sameName(self._segment(key).GetName()): key for key in keys}
        if len(named) < len(keys) or "" in named:
            raise InputError(_("Give each segment a name of its own: structures are found again by their names."))
        if len(named) >= BACKGROUND:
            raise InputError(_("At most 254 structures can be taught together: leave some of the segments alone."))
        return named

    def _drawn(self, entries: Iterable[SliceEntry], segmentIDs: Collection[str]) -> dict[Plane, dict[str, np.ndarray]]:
        """What of the segments is on each slice that may be used."""
        planes = SegmentPlanes(VolumeGrid.of(self._volumeNode), self._segmentationNode)
        return {entry.plane: planes.masks(entry.plane, segmentIDs) for entry in entries if entry.isUsed}

    def _annotation(
        self,
        drawn: Mapping[Plane, Mapping[str, np.ndarray]],
        labelOf: Mapping[str, int],
        finishedFor: Mapping[Plane, tuple[str, ...] | None],
    ) -> Annotation:
        grid = VolumeGrid.of(self._volumeNode)
        labels = np.zeros(grid.shape, np.uint8)
        for (axis, index), masks in drawn.items():
            target = np.moveaxis(labels, axis, 0)[index]
            target[:] = BACKGROUND
            for segmentID, mask in masks.items():
                target[mask] = labelOf[segmentID]
        used = {label: self._segment(key) for key, label in labelOf.items() if any(key in on for on in drawn.values())}
        return Annotation(
            labels=labels,
            geometry=grid.geometry,
            slices=tuple(AnnotatedSlice(*plane) for plane in sorted(drawn)),
            structures=tuple(sorted(used)),
            names={label: segment.GetName() for label, segment in used.items()},
            colors={label: tuple(segment.GetColor()) for label, segment in used.items()},
            finished=_finished(drawn, labelOf, finishedFor),
        )

    def _segment(self, segmentID: str) -> slicer.vtkSegment:
        return self._segmentationNode.GetSegmentation().GetSegment(segmentID)


def _finished(
    drawn: Mapping[Plane, Mapping[str, np.ndarray]],
    labelOf: Mapping[str, int],
    finishedFor: Mapping[Plane, tuple[str, ...] | None],
) -> dict[AnnotatedSlice, frozenset[int]]:
    """For which labels the slices are finished that are not finished for all: what is drawn on one always is."""
    found = {}
    for plane, masks in drawn.items():
        said = finishedFor[plane]
        labels = frozenset(n for key, n in labelOf.items() if said is None or key in said or key in masks)
        if len(labels) < len(labelOf):
            found[AnnotatedSlice(*plane)] = labels
    return found


def _chosen(terminologies: Mapping[int, str]) -> dict[int, str]:
    """Those that are not what Slicer gives every new segment."""
    return {label: entry for label, entry in terminologies.items() if entry not in ("", entry_of(TISSUE))}
