"""What accepting wrote, remembered: every later edit of it, with whichever tool and on any slices, is a stroke.

A tag of each segment says which acceptance its voxels come from; it is undone and redone with them.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from uuid import uuid4

import numpy as np
import slicer
import vtk

from metasegment.annotation import Stroke
from metasegment.knowledge import renewed

from ..scene.SegmentRole import segmentsOf
from ..scene.VolumeGrid import Plane, VolumeGrid
from ..scene.WholeSegments import SegmentBody, segmentBodies

_TAG = "MetaSegment.Accepted"
#: How many acceptances are remembered: one more than undo has steps (Segment Editor: 10).
_KEPT = 11
#: How many slices stand for a segment that nobody drew slices of.
_SPREAD = 9


@dataclass(frozen=True, eq=False)
class _Acceptance:
    """Voxels as accepted, and the strokes known then, by segment ID."""

    bodies: Mapping[str, SegmentBody]
    strokes: Mapping[str, Stroke]


def _spread(body: SegmentBody, stroke: Stroke, shape: tuple[int, int, int]) -> list[Plane]:
    """Planes across the first axis that are spread over a segment and its ends, but not close to a stroke."""
    used = body.start[0] + np.flatnonzero(body.mask.any((1, 2)))
    planes = np.unique(np.rint(np.linspace(used[0] - 1, used[-1] + 1, _SPREAD)).astype(int))
    edited = np.unique(np.unravel_index(np.concatenate([stroke.inside, stroke.outside]), shape)[0])
    reach = max(1, len(used) // _SPREAD)
    isAway = np.abs(planes[:, None] - edited).min(1) > reach
    return [(0, int(k)) for k in planes[isAway] if 0 <= k < shape[0]]


def acceptanceOf(segment: slicer.vtkSegment) -> str:
    """Which acceptance a segment's voxels come from; empty for none."""
    value = vtk.reference("")
    segment.GetTag(_TAG, value)
    return str(value)


class AcceptedAnswers:
    """The answers accepted into one segmentation since it was opened. Example::

    accepted = AcceptedAnswers(volumeNode, segmentationNode)
    accepted.remember(["Segment_1"], strokes)            # right after accepting; `strokes` by segment ID
    accepted.masksOn((0, 12))                            # what was accepted there
    accepted.strokes()                                   # those from before, and what was edited since
    """

    def __init__(
        self, volumeNode: slicer.vtkMRMLScalarVolumeNode, segmentationNode: slicer.vtkMRMLSegmentationNode
    ) -> None:
        self._volumeNode = volumeNode
        self._segmentationNode = segmentationNode
        self._kept: dict[str, _Acceptance] = {}

    def remember(self, segmentIDs: Collection[str], strokes: Mapping[str, Stroke]) -> None:
        """Take segments as they are for accepted. Raises InputError under non-linear transforms."""
        bodies = segmentBodies(VolumeGrid.of(self._volumeNode), self._segmentationNode, segmentIDs)
        key = uuid4().hex
        self._kept[key] = _Acceptance(bodies, {segmentID: strokes.get(segmentID, Stroke()) for segmentID in bodies})
        for old in list(self._kept)[:-_KEPT]:
            del self._kept[old]
        for segmentID in bodies:
            self._segmentationNode.GetSegmentation().GetSegment(segmentID).SetTag(_TAG, key)

    def masksOn(self, plane: Plane) -> dict[str, np.ndarray]:
        """By segment ID, what was accepted on a plane (rows, columns); those with voxels there."""
        shape = VolumeGrid.of(self._volumeNode).shape
        masks = {key: accepted.bodies[key].on(plane, shape) for key, accepted in self._current().items()}
        return {key: mask for key, mask in masks.items() if mask.any()}

    def strokes(self) -> dict[str, Stroke]:
        """By segment ID, what is known of the accepted segments beside their slices. Raises as `remember` does."""
        grid, current = VolumeGrid.of(self._volumeNode), self._current()
        if not current:
            return {}
        now = segmentBodies(grid, self._segmentationNode, current)
        found = {}
        for key, accepted in current.items():
            before, after = accepted.bodies[key], now.get(key)
            edited = Stroke(after.without(before, grid.shape), before.without(after, grid.shape)) if after else Stroke()
            found[key] = renewed(accepted.strokes[key], edited)
        return found

    def untouched(self, strokes: Mapping[str, Stroke]) -> dict[str, dict[Plane, np.ndarray]]:
        """By ID of the segments that have strokes, slices away from these that stay as they were accepted.

        They are spread over the segment, and those beside its ends are among them: what a structure is known by that
        nobody drew slices of.
        """
        shape = VolumeGrid.of(self._volumeNode).shape
        found: dict[str, dict[Plane, np.ndarray]] = {}
        for key, accepted in self._current().items():
            if key in strokes:
                body = accepted.bodies[key]
                planes = _spread(body, strokes[key], shape)
                found[key] = {plane: body.on(plane, shape) for plane in planes}
        return found

    def _current(self) -> dict[str, _Acceptance]:
        """By ID of those segments that hold something accepted, what that was."""
        kept = {key: self._kept.get(acceptanceOf(segment)) for key, segment in segmentsOf(self._segmentationNode)}
        return {key: accepted for key, accepted in kept.items() if accepted and key in accepted.bodies}
