"""Stand-in for a slice view with its controller bar."""

from __future__ import annotations

from typing import Any

import vtk
from PySide6 import QtCore

from .. import qt
from ..observers import Observers
from ..qmrml import qMRMLWidget
from ..standin import follows
from .qMRMLSliceView import qMRMLSliceView

_STEPS = 10_000  # positions of the slider over the volume's extent


@follows("Slicer/Libs/MRML/Widgets/qMRMLSliceControllerWidget.h")
class qMRMLSliceControllerWidget(qMRMLWidget):
    """The coloured bar over a slice view: name, offset."""

    def __init__(self, logic: Any, parent: Any = None) -> None:
        super().__init__(parent)
        self._logic = logic
        self._events = Observers(self)
        node = logic.GetSliceNode()
        colour = qt.QColor.fromRgbF(*node.GetLayoutColor()).name()
        self._label = qt.QLabel(node.GetLayoutLabel() or "")
        self._label.setStyleSheet(f"background: {colour}; color: black; padding: 1px 8px; font-weight: bold")
        self._slider = qt.QSlider(qt.Qt.Horizontal)
        self._slider.setRange(0, _STEPS)
        self._text = qt.QLabel()
        self._text.setMinimumWidth(90)
        row = qt.QHBoxLayout(self)
        row.setContentsMargins(0, 0, 0, 0)
        for widget in (self._label, self._slider, self._text):
            row.addWidget(widget)
        self._slider.sliderMoved.connect(self._moved)
        self._events.add(node, vtk.vtkCommand.ModifiedEvent, self._show)
        self._events.add(logic, vtk.vtkCommand.ModifiedEvent, self._show)
        self._show()

    def mrmlSliceNode(self) -> Any:
        return self._logic.GetSliceNode()

    def sliceLogic(self) -> Any:
        return self._logic

    def setSliceOffsetValue(self, offset: float) -> None:
        self._logic.SetSliceOffset(offset)

    def setSliceVisible(self, visible: bool) -> None:
        self.mrmlSliceNode().SetSliceVisible(visible)

    def fitSliceToBackground(self) -> None:
        self._logic.FitSliceToBackground(*self.mrmlSliceNode().GetDimensions()[:2])

    def rotateSliceToBackground(self) -> None:
        self._logic.RotateSliceToLowestVolumeAxes()

    def _bounds(self) -> tuple[float, float]:
        bounds = [0.0] * 6
        self._logic.GetLowestVolumeSliceBounds(bounds)
        return bounds[4], bounds[5]

    def _moved(self, step: int) -> None:
        low, high = self._bounds()
        self._logic.SetSliceOffset(low + (high - low) * step / _STEPS)

    def _show(self) -> None:
        low, high = self._bounds()
        offset = self._logic.GetSliceOffset()
        if not self._slider.sliderDown and high > low:
            self._slider.setValue(int(min(max((offset - low) / (high - low), 0), 1) * _STEPS))
        self._text.setText(f"{self.mrmlSliceNode().GetOrientation()}  {offset:.1f} mm")


@follows("Slicer/Libs/MRML/Widgets/qMRMLSliceWidget.h")
class qMRMLSliceWidget(qMRMLWidget):
    """Controller bar and view of one slice node."""

    def __init__(self, node: Any, logic: Any, application_logic: Any, parent: Any = None) -> None:
        super().__init__(parent)
        self._logic = logic
        self._controller = qMRMLSliceControllerWidget(logic)
        self._view = qMRMLSliceView(logic, application_logic)
        column = qt.QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(0)
        column.addWidget(self._controller)
        column.addWidget(self._view, 1)
        self.setObjectName(f"qMRMLSliceWidget{node.GetLayoutName()}")

    sliceOrientation = QtCore.Property(
        "QString",
        lambda self: self.mrmlSliceNode().GetOrientation(),
        lambda self, name: self.setSliceOrientation(name),
    )

    def sliceController(self) -> Any:
        return self._controller

    def mrmlSliceNode(self) -> Any:
        return self._logic.GetSliceNode()

    def sliceLogic(self) -> Any:
        return self._logic

    def mrmlSliceCompositeNode(self) -> Any:
        return self._logic.GetSliceCompositeNode()

    def interactorStyle(self) -> Any:
        return self._view.interactorStyle()

    def sliceView(self) -> Any:
        return self._view

    def setSliceOrientation(self, orientation: str) -> None:
        self.mrmlSliceNode().SetOrientation(orientation)

    def fitSliceToBackground(self) -> None:
        self._controller.fitSliceToBackground()
