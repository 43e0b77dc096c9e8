"""The table of results: what was found of each structure, and how far it can be trusted. Decides nothing."""

from __future__ import annotations

from collections.abc import Callable, Mapping

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
    table.show(answer, names, colors, warnings)      # None: empty
    table.ticked()                                   # labels of the structures to accept
    """

    def __init__(self, table: qt.QTableWidget) -> None:
        self._table = table
        self._labels: list[int] = []
        self.onChosen: Callable[[int], None] = lambda label: None  #: is told the label of a row that was clicked
        table.connect("cellClicked(int,int)", self._onRow)
        table.setColumnCount(3)
        table.setHorizontalHeaderLabels([_("Structure"), _("Volume"), _("Estimated overlap (Dice)")])
        header = table.horizontalHeader()
        header.setSectionResizeMode(_STRUCTURE, qt.QHeaderView.Stretch)
        for column in (_VOLUME, _QUALITY):
            header.setSectionResizeMode(column, qt.QHeaderView.ResizeToContents)
        table.verticalHeader().hide()
        table.verticalHeader().setDefaultSectionSize(table.fontMetrics().height() + _PADDING)

    def _onRow(self, row: int, column: int) -> None:
        if row < len(self._labels):
            self.onChosen(self._labels[row])

    def ticked(self) -> list[int]:
        """Labels of the structures that are to be accepted."""
        items = [self._table.item(row, _STRUCTURE) for row in range(len(self._labels))]
        return [label for label, item in zip(self._labels, items, strict=True) if item.checkState() == qt.Qt.Checked]

    def show(
        self,
        answer: Segmentation | None,
        names: Mapping[int, str],
        colors: Mapping[int, _Color],
        warnings: Mapping[int, str],
    ) -> None:
        """Show an answer; `names`, `colors` and `warnings` are by label. What was not ticked stays so."""
        structures = answer.structures if answer else ()
        left = set(self._labels) - set(self.ticked())
        self._labels = [structure.label for structure in structures]
        self._table.setRowCount(len(structures))
        for row, structure in enumerate(structures):
            volume = _("{volume} ml").format(volume=_rounded(structure.volume_ml))
            name, warning = names.get(structure.label, structure.name), warnings.get(structure.label, "")
            items = [qt.QTableWidgetItem(text) for text in (name, volume, estimateInWords(structure.estimated_dice))]
            items[_STRUCTURE].setCheckState(qt.Qt.Unchecked if structure.label in left else qt.Qt.Checked)
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
