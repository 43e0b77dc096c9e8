"""From the MRML scene to what the learner is asked: a volume, an annotation on its grid, and what is taught.

Reads only; results go back through Preview and Acceptance.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from types import MappingProxyType

import numpy as np
import slicer
from slicer.i18n import tr as _

from metasegment.annotation import BACKGROUND, AnnotatedSlice, Annotation, Stroke
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
from .SaidOnSlices import Said, saidBy, strokesOf
from .SliceEntry import SliceEntry


@dataclass(frozen=True, eq=False)
class BridgedAnnotation:
    """An annotation and its way back: which segment each label is.

    `unused` are the names of structures that no used slice shows: they are neither learnt nor changed.
    """

    annotation: Annotation
    segmentIDs: Mapping[int, str]
    unused: tuple[str, ...]


Untouched = Mapping[str, Mapping[Plane, np.ndarray]]


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

    def annotation(
        self,
        entries: Iterable[SliceEntry],
        strokes: Mapping[str, Stroke] = MappingProxyType({}),
        untouched: Untouched = MappingProxyType({}),
    ) -> BridgedAnnotation:
        """The slices that may be used, as labels on the volume's grid; `strokes` by segment ID, beside those on slices,
        and what is `untouched` of accepted answers (AcceptedAnswers).

        Raises InputError where there is nothing to learn from, and for what VolumeGrid and SegmentPlanes refuse.
        """
        wanted = structureIDs(self._segmentationNode)
        said = saidBy(tuple(entries), self._planes(), wanted, untouched)
        if not said.finished:
            raise InputError(_("No slice is finished yet: draw every structure on a slice, then mark it as done."))
        present = [key for key in wanted if key in said.drawn]
        if not present:
            raise InputError(_("No structure is drawn on the finished slices: draw it on at least one of them."))
        if len(present) >= BACKGROUND:
            raise InputError(_("At most 254 structures can be segmented together: lock some of the segments."))
        labelOf = {segmentID: label for label, segmentID in enumerate(present, start=1)}
        names = {key: self._segment(key).GetName() for key in wanted}
        unused = tuple(name for key, name in names.items() if key not in labelOf)
        annotation = self._annotation(said, labelOf, strokes)
        return BridgedAnnotation(annotation, {label: key for key, label in labelOf.items()}, unused)

    def annotationFor(
        self,
        labelOf: Mapping[str, int],
        entries: Iterable[SliceEntry],
        strokes: Mapping[str, Stroke] = MappingProxyType({}),
        untouched: Untouched = MappingProxyType({}),
    ) -> Annotation | None:
        """The slices that may be used, with given labels of segments; all other segments are background.

        None where there is no such slice. Raises InputError for what VolumeGrid and SegmentPlanes refuse.
        """
        said = saidBy(tuple(entries), self._planes(), labelOf, untouched)
        return self._annotation(said, labelOf, strokes) if said.finished else None

    def strokes(
        self, entries: Iterable[SliceEntry], accepted: Mapping[str, Stroke], untouched: Untouched
    ) -> dict[str, Stroke]:
        """By segment ID, all that is known beside finished slices; `accepted` are the strokes in accepted answers."""
        said = saidBy(tuple(entries), self._planes(), structureIDs(self._segmentationNode), untouched)
        return strokesOf(said, VolumeGrid.of(self._volumeNode).shape, accepted)

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

    def _planes(self) -> SegmentPlanes:
        return SegmentPlanes(VolumeGrid.of(self._volumeNode), self._segmentationNode)

    def _annotation(self, said: Said, labelOf: Mapping[str, int], strokes: Mapping[str, Stroke]) -> Annotation:
        grid = VolumeGrid.of(self._volumeNode)
        labels = np.zeros(grid.shape, np.uint8)
        finished = {}
        for plane, masks in said.finished.items():
            target = np.moveaxis(labels, plane[0], 0)[plane[1]]
            target[:] = BACKGROUND
            here = {labelOf[key]: mask for key, mask in masks.items() if key in labelOf}
            for label, mask in here.items():
                target[mask] = label
            if len(here) < len(labelOf):
                finished[AnnotatedSlice(*plane)] = frozenset(here)
        used = {label: self._segment(key) for key, label in labelOf.items() if key in said.drawn}
        known = strokesOf(said, grid.shape, strokes)
        return Annotation(
            labels=labels,
            geometry=grid.geometry,
            slices=tuple(AnnotatedSlice(*plane) for plane in sorted(said.finished)),
            structures=tuple(sorted(used)),
            names={label: segment.GetName() for label, segment in used.items()},
            colors={label: tuple(segment.GetColor()) for label, segment in used.items()},
            finished=finished,
            strokes={label: known[key] for key, label in labelOf.items() if key in known},
        )

    def _segment(self, segmentID: str) -> slicer.vtkSegment:
        return self._segmentationNode.GetSegmentation().GetSegment(segmentID)


def _chosen(terminologies: Mapping[int, str]) -> dict[int, str]:
    """Those that are not what Slicer gives every new segment."""
    return {label: entry for label, entry in terminologies.items() if entry not in ("", entry_of(TISSUE))}
