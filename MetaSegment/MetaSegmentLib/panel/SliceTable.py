"""The table of annotated slices. Shows entries and says which was chosen; decides nothing."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import qt
from slicer.i18n import tr as _

from ..scene.SegmentRole import segmentsOf
from ..scene.SlicePosition import positionOf
from ..scene.VolumeGrid import Plane, VolumeGrid
from ..work.Session import Session
from ..work.SliceEntry import SliceEntry, SliceState

_PLANE, _POSITION, _STRUCTURES, _STATE = range(4)
#: Pixels between the lines of text of two rows.
_PADDING = 6


def stateInWords(state: SliceState) -> str:
    """What the user reads of a slice's state."""
    return {
        SliceState.DONE: _("done"),
        SliceState.PARTLY: _("partly drawn"),
        SliceState.CORRECTED: _("corrected"),
        SliceState.ENDS: _("ends here"),
        SliceState.ABSENT: _("structures absent"),
        SliceState.IGNORED: _("ignored"),
    }[state]


class SliceTable:
    """Rows of slices, one of which may be marked. Example::

    table = SliceTable(ui.sliceTable, onChosen=workflow.goTo)
    table.show(session, shown=(0, 46))
    """

    def __init__(self, table: qt.QTableWidget, onChosen: Callable[[Plane], None]) -> None:
        self._table = table
        self._onChosen = onChosen
        self._entries: tuple[SliceEntry, ...] = ()
        table.setColumnCount(4)
        table.setHorizontalHeaderLabels([_("Plane"), _("Position"), _("Structures"), _("State")])
        header = table.horizontalHeader()
        for column in (_PLANE, _POSITION, _STATE):
            header.setSectionResizeMode(column, qt.QHeaderView.ResizeToContents)
        header.setSectionResizeMode(_STRUCTURES, qt.QHeaderView.Stretch)
        table.verticalHeader().hide()
        table.verticalHeader().setDefaultSectionSize(table.fontMetrics().height() + _PADDING)
        table.connect("cellClicked(int,int)", self._onRow)
        table.connect("cellActivated(int,int)", self._onRow)

    def show(self, session: Session | None, shown: Plane | None) -> None:
        """Show a session's slices; the row of the plane `shown` is marked."""
        self._entries = session.slices.entries() if session else ()
        self._table.setRowCount(len(self._entries))
        for row, texts in enumerate(_rows(session) if session else ()):
            for column, text in enumerate(texts):
                self._setText(row, column, text)
        marked = [row for row, entry in enumerate(self._entries) if entry.plane == shown]
        if marked:
            self._table.setCurrentCell(marked[0], _PLANE)
        else:
            self._table.clearSelection()

    def _setText(self, row: int, column: int, text: str) -> None:
        item = self._table.item(row, column)
        if item is None:
            item = qt.QTableWidgetItem()
            self._table.setItem(row, column, item)
        item.setText(text)
        item.setToolTip(text)

    def _onRow(self, row: int, column: int) -> None:
        if row < len(self._entries):
            self._onChosen(self._entries[row].plane)


def _rows(session: Session) -> Iterator[tuple[str, str, str, str]]:
    """Texts of the columns, slice by slice."""
    grid = VolumeGrid.of(session.volumeNode)
    names = {key: segment.GetName() for key, segment in segmentsOf(session.segmentationNode)}
    for entry in session.slices.entries():
        shown = (entry.finishedFor or ()) if entry.state is SliceState.ENDS else entry.segmentIDs
        structures = ", ".join(names[key] for key in shown if key in names) or "–"
        yield entry.planeName, positionOf(grid, entry.plane), structures, stateInWords(entry.state)
