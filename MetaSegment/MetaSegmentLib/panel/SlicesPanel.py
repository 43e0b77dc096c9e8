"""Section 2 of the panel: the slice in view, what it is to be used for, and the list of annotated slices.

Drawing itself is Slicer's segment editor, which this section contains and does not touch.
"""

from __future__ import annotations

from types import SimpleNamespace

import slicer
from slicer.i18n import tr as _

from metasegment.errors import InputError
from metasegment.segmentation import Segmentation

from ..scene.SegmentRole import SegmentRole
from ..scene.SlicePosition import positionOf
from ..scene.VolumeGrid import Plane, VolumeGrid
from ..work.AnswerProfile import AnswerProfile, profileOf
from ..work.SliceEntry import SliceState
from ..work.Workflow import Workflow
from .SliceStrip import SliceStrip
from .SliceTable import SliceTable, stateInWords
from .SliceViewObserver import SliceViewObserver

#: Effects whose strokes lie on one slice.
_BRUSHES = ("Paint", "Draw", "Erase", "Level tracing", "Scissors")


class SlicesPanel:
    """The slice in view, its buttons, and the table. Example::

    panel = SlicesPanel(ui, workflow, viewWatch)
    panel.onViewsChanged()               # whenever a slice view moved
    panel.update()                       # whenever the workflow changed
    """

    def __init__(self, ui: SimpleNamespace, workflow: Workflow, watch: SliceViewObserver) -> None:
        self._ui = ui
        self._workflow = workflow
        self._watch = watch
        self._shown: list[Plane] = []
        self._table = SliceTable(ui.sliceTable, self._onChosen)
        self._strip = SliceStrip(ui.sliceStrip, self._onChosen)
        self._profile: tuple[Segmentation | None, AnswerProfile | None] = (None, None)
        for role in SegmentRole:
            ui.roleBox.addItem(_roleInWords(role), role.value)
        ui.roleBox.connect("activated(int)", self._onRole)
        ui.alignButton.connect("clicked()", self._onAlign)
        for button, state in (
            (ui.doneButton, SliceState.DONE),
            (ui.absentButton, SliceState.ABSENT),
            (ui.ignoreButton, SliceState.IGNORED),
            (ui.removeButton, None),
        ):
            button.connect("clicked()", lambda state=state: self._onMark(state))
        ui.endsButton.connect("clicked()", self._onEnds)
        ui.takeButton.connect("clicked()", self._onTake)

    @property
    def plane(self) -> Plane | None:
        """The plane in the view in which the user works; None where that is tilted."""
        session, view = self._workflow.session, self._watch.view
        if view and session:
            plane = session.views.planeOf(view)
            return plane if plane in self._shown else None
        return self._shown[0] if self._shown else None

    def onViewsChanged(self) -> None:
        """Tell the list which planes are shown; a partly drawn one that was left is done."""
        shown = self._planesNow()
        if shown != self._shown:
            self._shown = shown
            if self._workflow.session:
                self._workflow.session.slices.setShownPlanes(shown)
            self.update()

    def onSession(self) -> None:
        """Another volume or segmentation: nothing is known of its shown planes."""
        self._shown = []
        self.onViewsChanged()

    def beginMending(self, view: slicer.vtkMRMLSliceNode) -> None:
        """The brush is set on what a view shows: let it work on the answer there."""
        editor, session = self._ui.segmentEditor, self._workflow.session
        plane = session.views.planeOf(view) if session else None
        if plane and editor.currentSegmentID() and editor.mrmlSegmentEditorNode().GetActiveEffectName() in _BRUSHES:
            self._workflow.beginMending(plane, editor.currentSegmentID(), editor.saveStateForUndo)

    def update(self) -> None:
        """Show what is true now."""
        session, ui = self._workflow.session, self._ui
        entries = session.slices.entries() if session else ()
        grid = VolumeGrid.of(session.volumeNode) if session else None
        self._table.show(session, self.plane)
        found = self._workflow.suggestion
        suggested = (found.axis, found.index) if found else None
        self._strip.show(grid, entries, self._profileNow(), suggested, self.plane)
        for button in (ui.doneButton, ui.absentButton, ui.ignoreButton):
            button.enabled = self.plane is not None
        ui.endsButton.enabled = self.plane is not None and bool(ui.segmentEditor.currentSegmentID())
        ui.takeButton.enabled = self.plane is not None and self._workflow.isPreviewing
        ui.removeButton.enabled = self.plane in [entry.plane for entry in entries]
        ui.sliceLabel.text = self._planeInWords(grid, entries)
        tilted = session.views.tiltedReason() if session else None
        ui.tiltLabel.text = tilted or ""
        for widget in (ui.tiltLabel, ui.alignButton):
            widget.visible = bool(tilted)
        self.updateRole()

    def _profileNow(self) -> AnswerProfile | None:
        answer = self._workflow.answer
        if answer is not self._profile[0]:
            self._profile = answer, profileOf(answer) if answer else None
        return self._profile[1]

    def updateRole(self) -> None:
        """Show the role of the selected segment. The segment editor's signal tells of choices in its table alone, not
        of the segment that was just added (qMRMLSegmentEditorWidget::onSegmentSelectionChanged).
        """
        segment = self._segment()
        self._ui.roleBox.enabled = segment is not None
        if segment is not None:
            self._ui.roleBox.currentIndex = list(SegmentRole).index(SegmentRole.of(segment))

    def _planeInWords(self, grid: VolumeGrid | None, entries: tuple) -> str:
        if self.plane is None or grid is None:
            return ""
        state = next((stateInWords(entry.state) for entry in entries if entry.plane == self.plane), _("not annotated"))
        text = _("Slice in view: {plane} {position}, {state}")
        return text.format(plane=grid.planeName(self.plane[0]), position=positionOf(grid, self.plane), state=state)

    def _planesNow(self) -> list[Plane]:
        session = self._workflow.session
        try:
            return session.views.shownPlanes(self._watch.view) if session else []
        except InputError:
            return []

    def _segment(self) -> object | None:
        session = self._workflow.session
        chosen = self._ui.segmentEditor.currentSegmentID()
        return session.segmentationNode.GetSegmentation().GetSegment(chosen) if session and chosen else None

    def _onRole(self, index: int) -> None:
        session = self._workflow.session
        if session and self._segment() is not None:
            role = list(SegmentRole)[index]
            segmentID = self._ui.segmentEditor.currentSegmentID()
            role.assign(session.segmentationNode, segmentID)
            if role is SegmentRole.STRUCTURE:
                session.takeUp(segmentID)

    def _onAlign(self) -> None:
        if self._workflow.session:
            self._workflow.session.views.align()

    def _onChosen(self, plane: Plane) -> None:
        self._workflow.goTo(plane)

    def _onEnds(self) -> None:
        editor = self._ui.segmentEditor
        if self.plane and editor.currentSegmentID():
            self._workflow.endHere(self.plane, editor.currentSegmentID(), editor.saveStateForUndo)

    def _onTake(self) -> None:
        if self.plane:
            self._workflow.takeFromAnswer(self.plane, self._ui.segmentEditor.saveStateForUndo)

    def _onMark(self, state: SliceState | None) -> None:
        if self.plane:
            self._workflow.mark(self.plane, state)


def _roleInWords(role: SegmentRole) -> str:
    return {
        SegmentRole.STRUCTURE: _("segment it"),
        SegmentRole.LOCKED: _("locked: never write where it is"),
        SegmentRole.LEFT_ALONE: _("leave it alone"),
    }[role]
