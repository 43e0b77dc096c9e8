"""What is remembered of a plane on which the user drew, and its text form in the scene."""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any

import slicer

from ..scene.SegmentPlanes import EMPTY
from ..scene.VolumeGrid import Plane
from .MendedAnswer import MendedAnswer
from .SliceEntry import SliceState

_ATTRIBUTE = "MetaSegment.AnnotatedSlices"
#: How many looks of a plane are remembered: more than undo has steps (Segment Editor: 10).
_LOOKS = 20


@dataclass(frozen=True)
class SliceRecord:
    """What the user last said of a plane, and fingerprints by which undo and redo are recognised.

    `before` is how the plane looked before its first stroke (None: listed by hand, nothing to go back to), `after` how
    it looked while it was listed, the latest last. A plane that looks as before is taken off the list but remembered.
    Undo may clear all segments on its way to an earlier look (vtkSegmentation::DeepCopy). `finishedFor` are the IDs of
    the segments that a finished plane was finished for, drawn there or not (None, as in older scenes: all); `answers`
    are those of an answer that was mended there. Example::

        record = SliceRecord(SliceState.DONE, before=EMPTY, after=(fingerprint,))
        record = record.seen(EMPTY)              # undo: record.stateOf(EMPTY) is None
        record = record.seen(fingerprint)        # redo: record.stateOf(fingerprint) is SliceState.DONE
    """

    state: SliceState
    before: int | None
    after: tuple[int, ...]
    isListed: bool = True
    finishedFor: tuple[str, ...] | None = None
    answers: tuple[MendedAnswer, ...] = ()

    def seen(self, fingerprint: int) -> SliceRecord:
        """The record once the plane looks like that."""
        if self.state in (SliceState.IGNORED, SliceState.ABSENT, SliceState.ENDS):
            return self
        if self.isListed:
            isUndone = fingerprint == (EMPTY if self.before is None else self.before)
            return replace(self, isListed=False) if isUndone else self._looking(fingerprint)
        return replace(self._looking(fingerprint), isListed=True) if fingerprint in self.after else self

    def _looking(self, fingerprint: int) -> SliceRecord:
        earlier = tuple(look for look in self.after if look != fingerprint)
        return replace(self, after=(*earlier, fingerprint)[-_LOOKS:])

    def stateOf(self, fingerprint: int) -> SliceState | None:
        """The state of the plane as it looks now; None where it is not listed."""
        if self.state in (SliceState.IGNORED, SliceState.ENDS):
            return self.state
        if self.state is SliceState.ABSENT:
            return self.state if fingerprint == EMPTY else SliceState.PARTLY
        if not self.isListed:
            return None
        # What was there when the user came has been erased on purpose.
        isErased = fingerprint == EMPTY and self.state is SliceState.DONE
        return SliceState.ABSENT if isErased else self.state


Records = dict[Plane, SliceRecord]


def load(segmentationNode: slicer.vtkMRMLSegmentationNode, key: str) -> Records:
    """The records stored in the node for the volume grid `key`; none where the text is not ours."""
    try:
        rows = _stored(segmentationNode).get(key, [])
        return recordsFrom(rows)
    except (AttributeError, KeyError, TypeError, ValueError):
        logging.warning("MetaSegment: the scene's list of annotated slices cannot be read; starting an empty one")
        return {}


def recordsFrom(rows: list[dict[str, Any]]) -> Records:
    """The records that `rowsOf` made rows of. Raises KeyError, TypeError or ValueError for other rows."""
    return {
        (int(row["axis"]), int(row["index"])): SliceRecord(
            state=SliceState(row["state"]),
            before=row["before"],
            after=tuple(row["after"]),
            isListed=row["isListed"],
            finishedFor=None if row.get("finishedFor") is None else tuple(row["finishedFor"]),
            answers=tuple(MendedAnswer(**answer) for answer in row.get("answers", ())),
        )
        for row in rows
    }


def rowsOf(records: Mapping[Plane, SliceRecord]) -> list[dict[str, Any]]:
    """Records in a form that JSON keeps."""
    return [
        {"axis": axis, "index": index, **asdict(record), "state": record.state.value}
        for (axis, index), record in sorted(records.items())
    ]


def hasRecords(segmentationNode: slicer.vtkMRMLSegmentationNode) -> bool:
    """Whether anything was ever listed in a segmentation, for whichever volume."""
    return bool(segmentationNode.GetAttribute(_ATTRIBUTE))


def store(segmentationNode: slicer.vtkMRMLSegmentationNode, key: str, records: Mapping[Plane, SliceRecord]) -> None:
    """Write the records for the volume grid `key` into the node, beside those for other grids."""
    grids = _stored(segmentationNode)
    rows = rowsOf(records)
    grids = {**grids, key: rows} if rows else {other: kept for other, kept in grids.items() if other != key}
    segmentationNode.SetAttribute(_ATTRIBUTE, json.dumps(grids) if grids else None)


def _stored(segmentationNode: slicer.vtkMRMLSegmentationNode) -> dict[str, list[dict[str, Any]]]:
    text = segmentationNode.GetAttribute(_ATTRIBUTE)
    try:
        grids = json.loads(text) if text else {}
    except ValueError:
        return {}
    return grids if isinstance(grids, dict) else {}
