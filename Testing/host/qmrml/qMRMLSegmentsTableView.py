"""Stand-in for Slicer's table of segments, wired to a real segmentation node."""

from __future__ import annotations

from typing import Any

import slicer
from PySide6 import QtCore

from .. import qt
from ..observers import Observers
from ..standin import follows, held
from .qMRMLWidget import qMRMLWidget

_VISIBLE, _COLOUR, _OPACITY, _NAME = range(4)


@follows("Slicer/Modules/Loadable/Segmentations/Widgets/qMRMLSegmentsTableView.h")
class qMRMLSegmentsTableView(qMRMLWidget):
    """Rows of segments with visibility, colour, opacity and name; edits go to the node."""

    selectionChanged = QtCore.Signal(object, object)
    segmentAboutToBeModified = QtCore.Signal(str)
    _signals = {
        "selectionChanged(QItemSelection,QItemSelection)": "selectionChanged",
        "segmentAboutToBeModified(QString)": "segmentAboutToBeModified",
    }
    headerVisible, setHeaderVisible = held("headerVisible", True, "_columns")
    visibilityColumnVisible, setVisibilityColumnVisible = held("visibilityColumnVisible", True, "_columns")
    colorColumnVisible, setColorColumnVisible = held("colorColumnVisible", True, "_columns")
    opacityColumnVisible, setOpacityColumnVisible = held("opacityColumnVisible", True, "_columns")
    statusColumnVisible, setStatusColumnVisible = held("statusColumnVisible", False)
    layerColumnVisible, setLayerColumnVisible = held("layerColumnVisible", False)
    filterBarVisible, setFilterBarVisible = held("filterBarVisible", False)
    textFilter, setTextFilter = held("textFilter", "", "_update")
    readOnly, setReadOnly = held("readOnly", False, "_update")
    jumpToSelectedSegmentEnabled, setJumpToSelectedSegmentEnabled = held("jumpToSelectedSegmentEnabled", False)
    selectionMode, setSelectionMode = held("selectionMode", int(qt.QTableWidget.ExtendedSelection.value), "_columns")

    def __init__(self, parent: Any = None) -> None:
        super().__init__(parent)
        self._node: Any = None
        self._hidden: list[str] = []
        self._updating = False
        self._events = Observers(self)
        self._table = qt.QTableWidget(0, 4)
        self._table.setHorizontalHeaderLabels(["", "Color", "Opacity", "Name"])
        self._table.verticalHeader().hide()
        self._table.setSelectionBehavior(qt.QAbstractItemView.SelectRows)
        self._table.horizontalHeader().setStretchLastSection(True)
        for column, width in ((_VISIBLE, 28), (_COLOUR, 44), (_OPACITY, 60)):
            self._table.setColumnWidth(column, width)
        column = qt.QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.addWidget(self._table)
        self._table.itemSelectionChanged.connect(self._selection_changed)
        self._table.itemChanged.connect(self._edited)

    def segmentationNode(self) -> Any:
        return self._node

    def setSegmentationNode(self, node: Any) -> None:
        if node is self._node:
            return
        self._events.clear()
        self._node = node
        if node:
            kind = slicer.vtkSegmentation
            for event in (kind.SegmentAdded, kind.SegmentRemoved, kind.SegmentModified, kind.SegmentsOrderModified):
                self._events.add(node, event, self._update)
            self._events.add(node, slicer.vtkMRMLDisplayableNode.DisplayModifiedEvent, self._update)
        self._update()

    def tableWidget(self) -> Any:
        return self._table

    def displayedSegmentIDs(self) -> tuple[str, ...]:
        if not self._node:
            return ()
        segmentation = self._node.GetSegmentation()
        names = [(each, segmentation.GetSegment(each).GetName() or "") for each in segmentation.GetSegmentIDs()]
        return tuple(
            each for each, name in names if each not in self._hidden and self.textFilter.lower() in name.lower()
        )

    segmentCount = QtCore.Property(int, lambda self: len(self.displayedSegmentIDs()))

    def setHideSegments(self, segmentIDs: list[str]) -> None:
        self._hidden = list(segmentIDs)
        self._update()

    def hideSegments(self) -> tuple[str, ...]:
        return tuple(self._hidden)

    def rowForSegmentID(self, segmentID: str) -> int:
        shown = self.displayedSegmentIDs()
        return shown.index(segmentID) if segmentID in shown else -1

    def segmentIDForRow(self, row: int) -> str:
        return self.displayedSegmentIDs()[row]

    def selectedSegmentIDs(self) -> tuple[str, ...]:
        rows = sorted({item.row() for item in self._table.selectedItems()})
        return tuple(self._table.item(row, _NAME).data(qt.Qt.UserRole) for row in rows)

    def setSelectedSegmentIDs(self, segmentIDs: list[str]) -> None:
        self._table.blockSignals(True)
        self._table.clearSelection()
        for each in segmentIDs:
            row = self.rowForSegmentID(each)
            for column in range(4) if row >= 0 else ():
                self._table.item(row, column).setSelected(True)
        self._table.blockSignals(False)
        self._selection_changed()

    def clearSelection(self) -> None:
        self._table.clearSelection()

    def _selection_changed(self) -> None:
        if not self._updating:
            self.selectionChanged.emit(qt.QItemSelection(), qt.QItemSelection())

    def _columns(self) -> None:
        self._table.horizontalHeader().setVisible(self.headerVisible)
        self._table.setSelectionMode(qt.QAbstractItemView.SelectionMode(self.selectionMode))
        for column, shown in (
            (_VISIBLE, self.visibilityColumnVisible),
            (_COLOUR, self.colorColumnVisible),
            (_OPACITY, self.opacityColumnVisible),
        ):
            self._table.setColumnHidden(column, not shown)

    def _update(self, *_: Any) -> None:
        if self._updating:
            return
        chosen = [each for each in self.selectedSegmentIDs() if each in self.displayedSegmentIDs()]
        self._updating = True
        try:
            shown = self.displayedSegmentIDs()
            self._table.setRowCount(len(shown))
            for row, segment_id in enumerate(shown):
                self._fill(row, segment_id)
            self.setSelectedSegmentIDs(chosen)
        finally:
            self._updating = False

    def _fill(self, row: int, segment_id: str) -> None:
        segment = self._node.GetSegmentation().GetSegment(segment_id)
        display = self._node.GetDisplayNode()
        cells = [qt.QTableWidgetItem() for _ in range(4)]
        if display:
            seen = display.GetSegmentVisibility(segment_id)
            cells[_VISIBLE].setCheckState(qt.Qt.Checked if seen else qt.Qt.Unchecked)
            cells[_OPACITY].setText(f"{display.GetSegmentOpacity2DFill(segment_id):.2f}")
        cells[_COLOUR].setData(qt.Qt.DecorationRole, qt.QColor.fromRgbF(*segment.GetColor()))
        cells[_NAME].setText(segment.GetName() or "")
        cells[_NAME].setData(qt.Qt.UserRole, segment_id)
        for column, cell in enumerate(cells):
            if self.readOnly or column in (_COLOUR, _OPACITY):
                cell.setFlags(qt.Qt.ItemIsEnabled | qt.Qt.ItemIsSelectable)
            self._table.setItem(row, column, cell)

    def _edited(self, item: Any) -> None:
        if self._updating:
            return
        segment_id = self._table.item(item.row(), _NAME).data(qt.Qt.UserRole)
        self.segmentAboutToBeModified.emit(segment_id)
        if item.column() == _NAME:
            self._node.GetSegmentation().GetSegment(segment_id).SetName(item.text())
        elif item.column() == _VISIBLE and self._node.GetDisplayNode():
            self._node.GetDisplayNode().SetSegmentVisibility(segment_id, item.checkState() == qt.Qt.Checked)
