"""What the listed slices say of each structure: where it is known completely, and what was mended elsewhere."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

import numpy as np

from metasegment.annotation import AnnotatedSlice, Stroke
from metasegment.knowledge import renewed

from ..scene.SegmentPlanes import SegmentPlanes
from ..scene.VolumeGrid import Plane
from .AcceptedAnswers import acceptanceOf
from .SliceEntry import SliceEntry, SliceState

Masks = dict[str, np.ndarray]


@dataclass(frozen=True, eq=False)
class Said:
    """By plane: the masks (rows, columns) of the structures that are `finished` there (all False: not there), and of
    those that were `mended`, the voxels found to be in and out.
    """

    finished: Mapping[Plane, Masks]
    mended: Mapping[Plane, Mapping[str, tuple[np.ndarray, np.ndarray]]]

    @property
    def drawn(self) -> set[str]:
        """The structures that some finished slice shows."""
        return {key for masks in self.finished.values() for key, mask in masks.items() if mask.any()}


def saidBy(
    entries: Sequence[SliceEntry],
    planes: SegmentPlanes,
    segmentIDs: Collection[str],
    untouched: Mapping[str, Mapping[Plane, np.ndarray]] = MappingProxyType({}),
) -> Said:
    """Read what is drawn of some segments on the listed slices.

    A structure that no slice is finished for is known by what is `untouched` of an accepted answer (by segment ID and
    plane, rows and columns); without that, a mended contour counts as a whole one: it is all there is.
    """
    mendedEntries = [entry for entry in entries if entry.state is SliceState.CORRECTED]
    read = {entry.plane for entry in entries if entry.isUsed} | {entry.plane for entry in mendedEntries}
    drawn = {plane: planes.masks(plane, segmentIDs) for plane in read}
    finished: dict[Plane, Masks] = {}
    for entry in entries:
        if entry.isUsed:
            known = [key for key in planes.inOrder(segmentIDs) if entry.finishedFor is None or key in entry.finishedFor]
            finished[entry.plane] = {key: planes.maskOf(entry.plane, drawn[entry.plane], key) for key in known}
    for key in set(untouched) & set(segmentIDs) - Said(finished, {}).drawn:
        for plane, mask in untouched[key].items():
            finished.setdefault(plane, {})[key] = mask
    shown = Said(finished, {}).drawn
    mended = {}
    for entry in mendedEntries:
        for key, mask in drawn[entry.plane].items():
            if key not in shown:
                finished.setdefault(entry.plane, {})[key] = mask
        mended[entry.plane] = _mendedOn(entry, planes, drawn[entry.plane], shown)
    return Said(finished, mended)


def strokesOf(said: Said, shape: tuple[int, int, int], accepted: Mapping[str, Stroke]) -> dict[str, Stroke]:
    """By segment ID, the strokes in a volume of `shape` (k, j, i): those in accepted answers, and on mended slices.

    None are left on slices that are finished for their structure.
    """
    found = dict(accepted)
    for plane, changes in said.mended.items():
        voxels = AnnotatedSlice(*plane).voxels(shape)
        for key, (inside, outside) in changes.items():
            elsewhere = _without(found.get(key, Stroke()), [plane], shape)
            found[key] = renewed(elsewhere, Stroke(voxels[inside.ravel()], voxels[outside.ravel()]))
    for key, stroke in found.items():
        found[key] = _without(stroke, [plane for plane, masks in said.finished.items() if key in masks], shape)
    return {key: stroke for key, stroke in found.items() if stroke.inside.size or stroke.outside.size}


def _mendedOn(
    entry: SliceEntry, planes: SegmentPlanes, drawn: Masks, segmentIDs: Collection[str]
) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """What was changed on a plane since the segments held the answer that is being mended."""
    changes = {}
    for answer in entry.answers:
        segment = planes.segment(answer.segmentID)
        if answer.segmentID in segmentIDs and segment and acceptanceOf(segment) == answer.acceptance:
            now = planes.maskOf(entry.plane, drawn, answer.segmentID)
            before = answer.mask(now.shape)
            changes[answer.segmentID] = now & ~before, before & ~now
    return changes


def _without(stroke: Stroke, planes: Sequence[Plane], shape: tuple[int, int, int]) -> Stroke:
    """A stroke but for its voxels on some planes."""

    def elsewhere(flat: np.ndarray) -> np.ndarray:
        place = np.unravel_index(flat, shape)
        return flat[~np.any([place[axis] == index for axis, index in planes], axis=0)] if planes else flat

    return Stroke(elsewhere(stroke.inside), elsewhere(stroke.outside))
