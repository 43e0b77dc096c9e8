"""Stand-in for CTK's range of two values."""

from __future__ import annotations

from typing import Any

from PySide6 import QtCore

from .. import qt
from ..standin import follows, forwarded


@follows("CTK/Libs/Widgets/ctkRangeWidget.h")
class ctkRangeWidget(qt.QWidget):
    """Two spin boxes, the lower one never above the upper one; the slider between them is not drawn."""

    minimumValueChanged = QtCore.Signal(float)
    maximumValueChanged = QtCore.Signal(float)
    valuesChanged = QtCore.Signal(float, float)
    _signals = {
        "minimumValueChanged(double)": "minimumValueChanged",
        "maximumValueChanged(double)": "maximumValueChanged",
        "valuesChanged(double,double)": "valuesChanged",
    }
    minimum = forwarded("_low", "minimum", float)
    maximum = forwarded("_high", "maximum", float)

    def __init__(self, parent: Any = None) -> None:
        super().__init__(parent)
        self._low, self._high = qt.QDoubleSpinBox(), qt.QDoubleSpinBox()
        row = qt.QHBoxLayout(self)
        row.setContentsMargins(0, 0, 0, 0)
        for spin in (self._low, self._high):
            row.addWidget(spin)
        self._low.valueChanged.connect(self._low_changed)
        self._high.valueChanged.connect(self._high_changed)

    def setMinimumValue(self, value: float) -> None:
        self._low.setValue(min(value, self._high.maximum))

    def setMaximumValue(self, value: float) -> None:
        self._high.setValue(max(value, self._low.minimum))

    minimumValue = QtCore.Property(float, lambda self: self._low.value, lambda self, value: self.setMinimumValue(value))
    maximumValue = QtCore.Property(
        float, lambda self: self._high.value, lambda self, value: self.setMaximumValue(value)
    )
    decimals = QtCore.Property(int, lambda self: self._low.decimals, lambda self, value: self._both("decimals", value))
    singleStep = QtCore.Property(
        float, lambda self: self._low.singleStep, lambda self, value: self._both("singleStep", value)
    )
    suffix = QtCore.Property("QString", lambda self: self._low.suffix, lambda self, value: self._both("suffix", value))

    def setValues(self, low: float, high: float) -> None:
        self.setMaximumValue(max(low, high))
        self.setMinimumValue(min(low, high))

    def setRange(self, low: float, high: float) -> None:
        for spin in (self._low, self._high):
            spin.setRange(low, high)

    def reset(self) -> None:
        self.setValues(0.0, 0.0)

    def _both(self, name: str, value: Any) -> None:
        for spin in (self._low, self._high):
            setattr(spin, name, value)

    def _low_changed(self, value: float) -> None:
        self._high.setValue(max(value, self._high.value))
        self.minimumValueChanged.emit(value)
        self.valuesChanged.emit(value, self._high.value)

    def _high_changed(self, value: float) -> None:
        self._low.setValue(min(value, self._low.value))
        self.maximumValueChanged.emit(value)
        self.valuesChanged.emit(self._low.value, value)
