"""Stand-in for CTK's slider with a spin box."""

from __future__ import annotations

from typing import Any

from PySide6 import QtCore

from .. import qt
from ..standin import follows, forwarded, held

_TICKS = 1000  # positions of the integer slider between minimum and maximum


@follows("CTK/Libs/Widgets/ctkSliderWidget.h")
class ctkSliderWidget(qt.QWidget):
    """A slider and a spin box that show one floating point value."""

    valueChanged = QtCore.Signal(float)
    valueIsChanging = QtCore.Signal(float)
    _signals = {
        "valueChanged(double)": "valueChanged",
        "valueIsChanging(double)": "valueIsChanging",
    }
    decimals = forwarded("_spin", "decimals", int)
    singleStep = forwarded("_spin", "singleStep", float)
    minimum = forwarded("_spin", "minimum", float)
    maximum = forwarded("_spin", "maximum", float)
    prefix = forwarded("_spin", "prefix", str)
    suffix = forwarded("_spin", "suffix", str)
    pageStep, _setPageStep = held("pageStep", 10.0)
    tickInterval, _setTickInterval = held("tickInterval", 0.0)
    autoSpinBoxWidth, _setAutoSpinBoxWidth = held("autoSpinBoxWidth", True)
    popupSlider, _setPopupSlider = held("popupSlider", False)
    tracking, _setTracking = held("tracking", True)

    def __init__(self, parent: Any = None) -> None:
        super().__init__(parent)
        self._spin = qt.QDoubleSpinBox()
        self._spin.setMaximum(100.0)
        self._slider = qt.QSlider(qt.Qt.Horizontal)
        self._slider.setRange(0, _TICKS)
        row = qt.QHBoxLayout(self)
        row.setContentsMargins(0, 0, 0, 0)
        row.addWidget(self._slider, 1)
        row.addWidget(self._spin)
        self._spin.valueChanged.connect(self._value_changed)
        self._slider.sliderMoved.connect(self._slider_moved)
        self._slider.sliderReleased.connect(self._slider_released)

    def setValue(self, value: float) -> None:
        self._spin.setValue(value)

    value = QtCore.Property(float, lambda self: self._spin.value, lambda self, value: self.setValue(value))

    def reset(self) -> None:
        self.setValue(0.0)

    def setSpinBoxVisible(self, visible: bool) -> None:
        self._spin.setVisible(visible)

    spinBoxVisible = QtCore.Property(
        bool, lambda self: not self._spin.isHidden(), lambda self, visible: self.setSpinBoxVisible(visible)
    )

    def _value_changed(self, value: float) -> None:
        span = self._spin.maximum - self._spin.minimum
        if not self._slider.sliderDown:
            self._slider.setValue(round(_TICKS * (value - self._spin.minimum) / span) if span else 0)
        self.valueChanged.emit(value)

    def _slider_moved(self, position: int) -> None:
        value = self._spin.minimum + (self._spin.maximum - self._spin.minimum) * position / _TICKS
        if self.tracking:
            self._spin.setValue(value)
        else:
            self.valueIsChanging.emit(value)

    def _slider_released(self) -> None:
        if not self.tracking:
            span = self._spin.maximum - self._spin.minimum
            self._spin.setValue(self._spin.minimum + span * self._slider.value / _TICKS)
