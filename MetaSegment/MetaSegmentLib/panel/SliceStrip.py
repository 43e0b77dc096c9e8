"""The slice strip: a bar along the volume for each direction, on which a click goes there. Decides nothing."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from math import ceil

import qt
from slicer.i18n import tr as _

from ..scene.VolumeGrid import Plane, VolumeGrid
from ..work.AnswerProfile import AnswerProfile
from ..work.SliceEntry import SliceEntry, SliceState

#: Cells of a bar: as many as a narrow panel can show.
_CELLS = 36
#: Pixels.
_ROW_HEIGHT = 16
_SURE, _UNSURE = (120, 170, 220), (240, 150, 60)
#: What is said of a slice, as one character; the latter wins where several lie in one cell.
_MARKS = {
    SliceState.IGNORED: "·",
    SliceState.PARTLY: "○",
    SliceState.CORRECTED: "✎",
    SliceState.DONE: "●",
    SliceState.ABSENT: "|",
    SliceState.ENDS: "|",
}
_SUGGESTED, _SHOWN = "★", "▽"


class SliceStrip:
    """Bars of cells. Example::

    strip = SliceStrip(ui.sliceStrip, onChosen=workflow.goTo)
    strip.show(grid, entries, profile, suggested=(0, 40), shown=(0, 46))      # profile: None without an answer
    """

    def __init__(self, table: qt.QTableWidget, onChosen: Callable[[Plane], None]) -> None:
        self._table = table
        self._onChosen = onChosen
        self._grid: VolumeGrid | None = None
        self._wanted: object = None  # what is shown
        table.setRowCount(3)
        table.horizontalHeader().hide()
        table.horizontalHeader().setMinimumSectionSize(1)
        table.horizontalHeader().setSectionResizeMode(qt.QHeaderView.Stretch)
        table.verticalHeader().setMinimumSectionSize(1)
        table.verticalHeader().setDefaultSectionSize(_ROW_HEIGHT)
        table.setFixedHeight(3 * _ROW_HEIGHT + 2 * table.frameWidth)
        table.setShowGrid(False)
        table.connect("cellClicked(int,int)", self._onCell)

    def show(
        self,
        grid: VolumeGrid | None,
        entries: Sequence[SliceEntry],
        profile: AnswerProfile | None,
        suggested: Plane | None,
        shown: Plane | None,
    ) -> None:
        """Show what is known along a volume; None: no volume, no answer, no suggestion, no plane in view."""
        names = [grid.planeName(axis) for axis in range(3)] if grid else []
        wanted = (grid and grid.shape, names, entries, profile, suggested, shown)
        self._grid = grid
        if wanted == self._wanted:
            return  # each message of the learner comes here
        self._wanted = wanted
        self._table.clearContents()
        if grid is None:
            self._table.setColumnCount(0)
            return
        self._table.setColumnCount(min(_CELLS, max(grid.shape)))
        self._table.setVerticalHeaderLabels(names)
        marks = {entry.plane: _MARKS[entry.state] for entry in entries}
        for plane, mark in ((suggested, _SUGGESTED), (shown, _SHOWN)):
            if plane is not None:
                marks.setdefault(plane, mark)
        for axis in range(3):
            self._fill(axis, grid, profile, {index: mark for (a, index), mark in marks.items() if a == axis})

    def _fill(self, axis: int, grid: VolumeGrid, profile: AnswerProfile | None, marks: dict[int, str]) -> None:
        cells = self._table.columnCount
        for cell in range(cells):
            first, last = (_planeAt(grid, axis, edge, cells) for edge in (cell, cell + 1))
            here = {index: mark for index, mark in marks.items() if first <= index < max(last, first + 1)}
            isThere, doubt = profile.at(axis, first, max(last, first + 1)) if profile else (False, 0.0)
            if here or (profile and isThere):
                item = qt.QTableWidgetItem("".join(here.values())[-1:])
                item.setTextAlignment(qt.Qt.AlignCenter)
                item.setToolTip(_tip(grid, axis, here, doubt))
                if here:
                    item.setData(qt.Qt.UserRole, list(here)[-1])
                if profile and isThere:
                    item.setBackground(qt.QBrush(_color(profile.relative(axis, doubt))))
                self._table.setItem(axis, cell, item)

    def _onCell(self, row: int, column: int) -> None:
        if self._grid is None:
            return
        cells = self._table.columnCount
        item = self._table.item(row, column)
        first, last = (_planeAt(self._grid, row, edge, cells) for edge in (column, column + 1))
        marked = item.data(qt.Qt.UserRole) if item else None
        self._onChosen((row, int(marked) if marked is not None else (first + max(last, first + 1) - 1) // 2))


def _planeAt(grid: VolumeGrid, axis: int, cell: int, cells: int) -> int:
    """The first plane of a cell."""
    return ceil(cell * grid.shape[axis] / cells)


def _color(share: float) -> qt.QColor:
    return qt.QColor(*(round(sure + share * (unsure - sure)) for sure, unsure in zip(_SURE, _UNSURE, strict=True)))


def _tip(grid: VolumeGrid, axis: int, marks: dict[int, str], doubt: float) -> str:
    planes = ", ".join(str(index + 1) for index in marks)
    text = _("{plane} {numbers}") if planes else _("{plane}: uncertainty {doubt:.2f}")
    return text.format(plane=grid.planeName(axis), numbers=planes, doubt=doubt)
