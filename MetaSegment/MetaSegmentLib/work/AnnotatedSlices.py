"""Finds, as strokes happen, the slices that the user annotates, and keeps the list in the scene.

Reads segments, never changes them. A stroke is a change on one plane that a view shows, with nothing changed on the
planes beside it; what changes several planes at once (threshold, 3D brush, scissors) only adds content to the segments.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from types import MappingProxyType

import slicer
import vtk
from slicer.i18n import tr as _
from slicer.util import VTKObservationMixin

from metasegment.errors import InputError

from ..scene.SegmentPlanes import EMPTY, SegmentPlanes, fingerprintOf
from ..scene.SegmentRole import structureIDs
from ..scene.SequenceFrame import frameOf
from ..scene.VolumeGrid import Plane, VolumeGrid
from .SliceEntry import SliceEntry, SliceState
from .SliceRecord import Records, SliceRecord, load, store


class AnnotatedSlices(VTKObservationMixin):
    """The annotated slices of one volume in one segmentation. Example::

        slices = AnnotatedSlices(volumeNode, segmentationNode, onChanged=updateTable)
        slices.setShownPlanes([(0, 12), (1, 80), (2, 75)])      # whenever a slice view moves, the active one first
        slices.entries()                                        # (SliceEntry(0, 12, "axial", SliceState.PARTLY, ...),)
        slices.release()                                        # before the nodes are let go of

    A stroke lists its plane as partly drawn; once no view shows it any more, it is done. A stroke costs reading the
    shown planes and those beside them, a move those that come into view; never a whole label map. Raises InputError
    with a reason for the user where volume or segmentation cannot be used (VolumeGrid.of and SegmentPlanes.masks).

    A plane is finished for the structures that there are when it is left, but for those that an answer shows there
    (`answeredOn` tells their segments' IDs) and that are not drawn: who corrects one of two says nothing of the other.
    """

    def __init__(
        self,
        volumeNode: slicer.vtkMRMLScalarVolumeNode,
        segmentationNode: slicer.vtkMRMLSegmentationNode,
        onChanged: Callable[[], None] = lambda: None,
        answeredOn: Callable[[Plane], Collection[str]] = lambda plane: (),
    ) -> None:
        super().__init__()
        self._answeredOn = answeredOn
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

    def mark(self, plane: Plane, state: SliceState) -> None:
        """Say what a plane is, listed or not; so existing segments become annotation (done).

        Raises InputError, saying what to do, for a plane outside the volume, one with no structure that shall be done,
        and one with a structure that shall be absent.
        """
        if not self._grid.contains(plane):
            raise InputError(_("The volume has no such slice."))
        fingerprint = self._planes.fingerprint(plane, self._structures)
        if state is SliceState.ABSENT and fingerprint != EMPTY:
            raise InputError(_("A structure is drawn on this slice: erase it there first, or ignore the slice."))
        if state is SliceState.DONE and fingerprint == EMPTY:
            raise InputError(_("Nothing is drawn on this slice: mark it as 'structure absent' if that is so."))
        known = self._records.get(plane)
        before = known.before if known and known.isListed else None
        finishedFor = tuple(self._structures) if state is SliceState.ABSENT else self._finishedFor(plane)
        self._write({**self._records, plane: SliceRecord(state, before, (fingerprint,), finishedFor=finishedFor)})

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
            known = SliceRecord(SliceState.PARTLY, before[drawn], (self._seen[drawn],))
        isKept = known.state is SliceState.IGNORED
        self._write({**self._records, drawn: known if isKept else replace(known, state=SliceState.PARTLY)}, [drawn])

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
        done = {
            plane: replace(record, state=SliceState.DONE, finishedFor=self._finishedFor(plane))
            for plane, record in self._records.items()
            if record.state is SliceState.PARTLY and isLeft(plane)
        }
        if done:
            self._write({**self._records, **done})

    def _finishedFor(self, plane: Plane) -> tuple[str, ...]:
        """The structures of which nothing more is to be drawn on a plane."""
        answered = self._answeredOn(plane)
        return tuple(segmentID for segmentID in self._structures if segmentID not in answered)

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
                entries.append(SliceEntry(*plane, name, state, segmentIDs, record.finishedFor))
        if tuple(entries) != self._entries:
            self._entries = tuple(entries)
            self._onChanged()
