"""The table of results: what was found of each structure, and how far it can be trusted. Decides nothing."""

from __future__ import annotations

from collections.abc import Mapping

import qt
from slicer.i18n import tr as _

from metasegment.segmentation import Segmentation

from ..work.Plausibility import estimateInWords

_STRUCTURE, _VOLUME, _QUALITY = range(3)
#: Millilitres from which on decimals say nothing.
_WHOLE = 10
_Color = tuple[float, float, float]

#: Pixels between the lines of text of two rows.
_PADDING = 6


class ResultTable:
    """Rows of structures with volume and estimate. Example::

    table = ResultTable(ui.resultTable)
    table.show(answer, request.annotation.colors, warnings)      # None: empty
    """

    def __init__(self, table: qt.QTableWidget) -> None:
        self._table = table
        table.setColumnCount(3)
        table.setHorizontalHeaderLabels([_("Structure"), _("Volume"), _("Estimated overlap (Dice)")])
        header = table.horizontalHeader()
        header.setSectionResizeMode(_STRUCTURE, qt.QHeaderView.Stretch)
        for column in (_VOLUME, _QUALITY):
            header.setSectionResizeMode(column, qt.QHeaderView.ResizeToContents)
        table.verticalHeader().hide()
        table.verticalHeader().setDefaultSectionSize(table.fontMetrics().height() + _PADDING)

    def show(self, answer: Segmentation | None, colors: Mapping[int, _Color], warnings: Mapping[int, str]) -> None:
        """Show an answer; `colors` and `warnings` are by label."""
        structures = answer.structures if answer else ()
        self._table.setRowCount(len(structures))
        for row, structure in enumerate(structures):
            volume = _("{volume} ml").format(volume=_rounded(structure.volume_ml))
            name, warning = structure.name, warnings.get(structure.label, "")
            items = [qt.QTableWidgetItem(text) for text in (name, volume, estimateInWords(structure.estimated_dice))]
            if structure.label in colors:
                items[_STRUCTURE].setIcon(_square(self._table, colors[structure.label]))
            if warning:
                icon = self._table.style().standardIcon(qt.QStyle.SP_MessageBoxWarning)
                items[_QUALITY].setIcon(icon)
            for column, item in enumerate(items):
                item.setToolTip(warning or item.text())
                self._table.setItem(row, column, item)


def _rounded(volume: float) -> str:
    """Millilitres as a report gives them: whole ones from 10 on."""
    return f"{volume:.0f}" if volume >= _WHOLE else f"{volume:.2g}"


def _square(table: qt.QTableWidget, color: _Color) -> qt.QIcon:
    """An icon filled with a structure's colour, as in the table of segments."""
    size = table.fontMetrics().height()
    pixmap = qt.QPixmap(size, size)
    pixmap.fill(qt.QColor.fromRgbF(*color))
    return qt.QIcon(pixmap)
