"""Finds, as strokes happen, the slices that the user annotates, and keeps the list in the scene.

Reads segments, never changes them. A stroke is a change on one plane that a view shows, with nothing changed on the
planes beside it; what changes several planes at once (threshold, 3D brush, scissors) only adds content to the segments.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from types import MappingProxyType

import numpy as np
import slicer
import vtk
from slicer.i18n import tr as _
from slicer.util import VTKObservationMixin

from metasegment.errors import InputError

from ..scene.SegmentPlanes import EMPTY, SegmentPlanes, fingerprintOf
from ..scene.SegmentRole import structureIDs
from ..scene.SequenceFrame import frameOf
from ..scene.VolumeGrid import Plane, VolumeGrid
from .AcceptedAnswers import acceptanceOf
from .MendedAnswer import MendedAnswer
from .SliceEntry import SliceEntry, SliceState
from .SliceRecord import Records, SliceRecord, load, store

#: By segment ID, masks (rows, columns) on a plane.
MasksOn = Callable[[Plane], Mapping[str, np.ndarray]]


class AnnotatedSlices(VTKObservationMixin):
    """The annotated slices of one volume in one segmentation. Example::

        slices = AnnotatedSlices(volumeNode, segmentationNode, onChanged=updateTable)
        slices.setShownPlanes([(0, 12), (1, 80), (2, 75)])      # whenever a slice view moves, the active one first
        slices.entries()                                        # (SliceEntry(0, 12, "axial", SliceState.PARTLY, ...),)
        slices.release()                                        # before the nodes are let go of

    A stroke lists its plane as partly drawn; once no view shows it any more, it is done. A stroke costs reading the
    shown planes and those beside them, a move those that come into view; never a whole label map. Raises InputError
    with a reason for the user where volume or segmentation cannot be used (VolumeGrid.of and SegmentPlanes.masks).

    `answerOn` tells the masks of an answer on a plane by segment ID, `acceptedOn` what of it the segments themselves
    hold untouched. Who draws on a plane that shows an answer of the structure mends it: what was changed is known, and
    no more. A plane is finished for the structures that there are when it is left, but for those that an answer shows
    there and that were not drawn by hand: who corrects one of two says nothing of the other.
    """

    def __init__(
        self,
        volumeNode: slicer.vtkMRMLScalarVolumeNode,
        segmentationNode: slicer.vtkMRMLSegmentationNode,
        onChanged: Callable[[], None] = lambda: None,
        answerOn: MasksOn = lambda plane: {},
        acceptedOn: MasksOn = lambda plane: {},
    ) -> None:
        super().__init__()
        self._answerOn = answerOn
        self._acceptedOn = acceptedOn
        self._volumeNode = volumeNode
        self._segmentationNode = segmentationNode
        self._onChanged: Callable[[], None] = lambda: None
        self._entries: tuple[SliceEntry, ...] = ()
        self._shown: list[Plane] = []
        self._seen: dict[Plane, int] = {}
        self._content: dict[Plane, tuple[int, tuple[str, ...]]] = {}  # of listed planes: fingerprint, structures
        self._paused = False
        self._records: Records = {}
        self.refresh()
        self._onChanged = onChanged
        events = slicer.vtkSegmentation
        self.addObserver(segmentationNode, events.SourceRepresentationModified, self._onVoxelsModified)
        self.addObserver(segmentationNode, events.SegmentModified, self._onSegmentModified)
        for event in (events.SegmentAdded, events.SegmentRemoved):
            self.addObserver(segmentationNode, event, self._onSegmentsListed)
        self.addObserver(volumeNode, slicer.vtkMRMLVolumeNode.ImageDataModifiedEvent, self._onVolumeModified)

    def release(self) -> None:
        """Stop listening. The list stays in the scene."""
        self.removeObservers()

    def entries(self) -> tuple[SliceEntry, ...]:
        """The listed slices, by axis and index."""
        if self._planes.state() != self._state:
            self._synchronize()
        return self._entries

    def setShownPlanes(self, planes: Sequence[Plane]) -> None:
        """Tell which planes the views show now, the one being drawn on first. A partly drawn plane left is done."""
        self._shown = [plane for plane in dict.fromkeys(planes) if self._grid.contains(plane)]
        self._seen = self._look(self._seen)
        self._finish(lambda plane: plane not in self._shown)

    def finishDrawing(self) -> None:
        """Everything that is partly drawn is done: the user wants an answer now."""
        self._finish(lambda plane: True)

    def mark(self, plane: Plane, state: SliceState, finishedFor: Collection[str] | None = None) -> None:
        """Say what a plane is, listed or not; so existing segments become annotation (done).

        `finishedFor` are the structures that it is finished for; by itself, all but those that only an answer shows.
        Raises InputError, saying what to do, for a plane outside the volume, one with no structure that shall be done,
        and one with a structure that shall be absent.
        """
        if not self._grid.contains(plane):
            raise InputError(_("The volume has no such slice."))
        fingerprint = self.fingerprint(plane)
        if state is SliceState.ABSENT and fingerprint != EMPTY:
            raise InputError(_("A structure is drawn on this slice: erase it there first, or ignore the slice."))
        if state is SliceState.DONE and fingerprint == EMPTY:
            raise InputError(_("Nothing is drawn on this slice: mark it as 'structure absent' if that is so."))
        known = self._records.get(plane)
        before = known.before if known and known.isListed else None
        if finishedFor is None and state is SliceState.ABSENT:
            finishedFor = self._structures
        elif finishedFor is None:
            finishedFor = self._finishedFor(plane, self._planes.masks(plane, self._structures))
        record = SliceRecord(state, before, (fingerprint,), finishedFor=tuple(finishedFor))
        self._write({**self._records, plane: record})

    def markWhole(self, plane: Plane) -> None:
        """What is drawn on a plane is all there is of any structure, as after taking it from an answer."""
        self.mark(plane, SliceState.DONE if self.fingerprint(plane) != EMPTY else SliceState.ABSENT, self._structures)

    def markEnd(self, plane: Plane, segmentID: str) -> None:
        """Say that a structure is not on a plane, and nothing of the others. Raises InputError where it is drawn."""
        if segmentID in self._planes.masks(plane, [segmentID]):
            raise InputError(_("The structure is drawn on this slice: erase it there first."))
        known = self._records.get(plane)
        isKept = known is not None and known.isListed and known.state is not SliceState.IGNORED
        ends = SliceRecord(SliceState.ENDS, None, (self.fingerprint(plane),), finishedFor=())
        record = known if known and isKept else ends
        if record.finishedFor is not None:
            record = replace(record, finishedFor=tuple(dict.fromkeys([*record.finishedFor, segmentID])))
        self._write({**self._records, plane: record})

    def beginMending(self, plane: Plane, answers: Mapping[str, np.ndarray], before: int) -> None:
        """What is drawn on a plane now is an answer, by segment ID: from here on what is changed is a correction.

        `before` is the fingerprint of the plane as it was before the answer was copied there.
        """
        known = self._records.get(plane)
        if known is None or not known.isListed or known.state is SliceState.IGNORED:
            known = SliceRecord(SliceState.CORRECTED, before, (self.fingerprint(plane),), finishedFor=())
        kept = tuple(answer for answer in known.answers if answer.segmentID not in answers)
        self._write({**self._records, plane: replace(known, answers=(*kept, *self._mended(answers)))})

    def fingerprint(self, plane: Plane) -> int:
        """A number for what the structures have on a plane."""
        return self._planes.fingerprint(plane, self._structures)

    def drawnByHand(self, plane: Plane) -> set[str]:
        """The structures that are not on a plane what was accepted there."""
        return self._byHand(plane, self._planes.masks(plane, self._structures))

    def stateOf(self, plane: Plane) -> SliceState | None:
        """What is said of a plane; None for one that is not listed."""
        return next((entry.state for entry in self.entries() if entry.plane == plane), None)

    def takeUp(self, records: Records) -> None:
        """Go on with records from elsewhere, as after a crash."""
        self._write(dict(records))

    @property
    def key(self) -> str:
        """Text that is the same for volumes on the same grid, in the same frame."""
        return self._key

    @property
    def records(self) -> Records:
        """What is remembered, by plane."""
        return dict(self._records)

    def remove(self, plane: Plane) -> None:
        """Take a plane off the list; what is drawn there stays in the segments."""
        self._write({known: record for known, record in self._records.items() if known != plane})

    @contextmanager
    def paused(self) -> Iterator[None]:
        """While segments are changed by other than the user's hand, such as by accepting a result."""
        self._paused = True
        try:
            yield
        finally:
            self._paused = False
            self.refresh()

    def refresh(self) -> None:
        """Read everything anew: after another frame, another role of a segment or another transform."""
        self._frame = self._frameNow()
        self._grid = VolumeGrid.of(self._volumeNode)
        self._key = f"{self._grid.key} {self._frame}".strip()
        self._records = load(self._segmentationNode, self._key)
        self._synchronize()

    def _synchronize(self) -> None:
        """Take the segments as they are for granted: no stroke."""
        self._planes = SegmentPlanes(self._grid, self._segmentationNode)
        self._structures = structureIDs(self._segmentationNode)
        self._state = self._planes.state()
        self._seen = self._look()
        self._list()

    def _frameNow(self) -> str:
        return " ".join(filter(None, (frameOf(self._volumeNode), frameOf(self._segmentationNode))))

    def _look(self, known: Mapping[Plane, int] = MappingProxyType({})) -> dict[Plane, int]:
        """Fingerprints of the shown planes and of those beside them, read unless `known`."""
        beside = [neighbor for plane in self._shown for neighbor in self._planes.neighbors(plane)]
        return {
            plane: known[plane] if plane in known else self._planes.fingerprint(plane, self._structures)
            for plane in {*self._shown, *beside}
        }

    def _onVolumeModified(self, caller: object, event: str) -> None:
        if self._frameNow() != self._frame:
            self.refresh()

    def _onSegmentsListed(self, caller: object, event: str) -> None:
        if not self._paused:
            self._synchronize()

    @vtk.calldata_type(vtk.VTK_STRING)  # type: ignore[untyped-decorator]
    def _onSegmentModified(self, caller: object, event: str, segmentID: str | None = None) -> None:
        """Undo and redo name no segment. Else it is a name, colour or role, or one of the steps by which a segment
        moves to another layer; between those its voxels seem to be gone.
        """
        isRoleChanged = structureIDs(self._segmentationNode) != self._structures
        if not self._paused and (segmentID is None or isRoleChanged):
            self._synchronize()

    def _onVoxelsModified(self, caller: object, event: str) -> None:
        if self._paused:
            return
        if self._frameNow() != self._frame:
            self.refresh()
            return
        self._state = self._planes.state()
        before, self._seen = self._seen, self._look()
        drawn = self._drawnPlane(before)
        if drawn is None:
            self._list()
            return
        known = self._records.get(drawn)
        if known is None or not known.isListed:
            known = self._begun(drawn, before[drawn])
        isKept = known.state in (SliceState.IGNORED, SliceState.CORRECTED)
        self._write({**self._records, drawn: known if isKept else replace(known, state=SliceState.PARTLY)}, [drawn])

    def _begun(self, plane: Plane, before: int) -> SliceRecord:
        """The record of a plane that was just drawn on for the first time."""
        drawn, answer = self._planes.masks(plane, self._structures), self._answerOn(plane)
        mended = {key: answer[key] for key in self._byHand(plane, drawn) if key in answer}
        if not mended:
            return SliceRecord(SliceState.PARTLY, before, (self._seen[plane],))
        accepted = self._acceptedOn(plane)  # mended without having been copied from it: what is drawn is in, no more
        added = {key: answer[key] & drawn[key] for key in mended if key in drawn and key not in accepted}
        answers = self._mended(added)
        return SliceRecord(SliceState.CORRECTED, before, (self._seen[plane],), finishedFor=(), answers=answers)

    def _byHand(self, plane: Plane, drawn: Mapping[str, np.ndarray]) -> set[str]:
        accepted = self._acceptedOn(plane)
        changed = {key for key, mask in drawn.items() if key not in accepted or (mask != accepted[key]).any()}
        return changed | {key for key in accepted if key not in drawn}

    def _mended(self, answers: Mapping[str, np.ndarray]) -> tuple[MendedAnswer, ...]:
        segmentation = self._segmentationNode.GetSegmentation()
        return tuple(
            MendedAnswer.of(key, acceptanceOf(segmentation.GetSegment(key)), mask) for key, mask in answers.items()
        )

    def _drawnPlane(self, before: dict[Plane, int]) -> Plane | None:
        """The plane of the stroke that led from the fingerprints `before` to those seen now, if it was one.

        A dot or a line may lie on two shown planes: then the one that is being drawn, or else the first shown.
        """
        changed = {plane for plane, fingerprint in self._seen.items() if before.get(plane, EMPTY) != fingerprint}
        drawn = [
            plane for plane in self._shown if plane in changed and changed.isdisjoint(self._planes.neighbors(plane))
        ]
        drawing = [plane for plane, record in self._records.items() if record.state is SliceState.PARTLY]
        return next((plane for plane in drawn if plane in drawing), next(iter(drawn), None))

    def _finish(self, isLeft: Callable[[Plane], bool]) -> None:
        left = [plane for plane, known in self._records.items() if known.state is SliceState.PARTLY and isLeft(plane)]
        done = {}
        for plane in left:
            finishedFor = self._finishedFor(plane, self.drawnByHand(plane))
            done[plane] = replace(self._records[plane], state=SliceState.DONE, finishedFor=finishedFor)
        if done:
            self._write({**self._records, **done})

    def _finishedFor(self, plane: Plane, complete: Collection[str]) -> tuple[str, ...]:
        """The structures of which nothing more is to be drawn on a plane: what is `complete`, what was so before, and
        what no answer shows there.
        """
        answer, known = self._answerOn(plane), self._records.get(plane)
        before = (known and known.isListed and known.finishedFor) or ()
        return tuple(key for key in self._structures if key in complete or key in before or key not in answer)

    def _write(self, records: Records, changed: Collection[Plane] | None = None) -> None:
        self._records = records
        store(self._segmentationNode, self._key, records)
        self._list(changed)

    def _list(self, changed: Collection[Plane] | None = None) -> None:
        """Make the list from the records and from what is on their planes now; tell if it is another than before.

        Planes are read anew only where `changed` (None: all). While one is being drawn on, the slices that it crosses
        can wait until it is left.
        """
        for plane in self._records:
            if changed is None or plane in changed:
                masks = self._planes.masks(plane, self._structures)
                self._content[plane] = fingerprintOf(masks), tuple(masks)
        records = {plane: record.seen(self._content[plane][0]) for plane, record in self._records.items()}
        if records != self._records:
            self._records = records
            store(self._segmentationNode, self._key, records)
        entries = []
        for plane, record in sorted(records.items()):
            fingerprint, segmentIDs = self._content[plane]
            if state := record.stateOf(fingerprint):
                name = self._grid.planeName(plane[0])
                look = fingerprint if state is SliceState.CORRECTED else EMPTY
                finishedFor, answers = record.finishedFor, record.answers
                entries.append(SliceEntry(*plane, name, state, segmentIDs, finishedFor, answers, look))
        if tuple(entries) != self._entries:
            self._entries = tuple(entries)
            self._onChanged()
