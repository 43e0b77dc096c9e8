"""Which widget can show which type of parameter; a pair that the real package does not know raises here too."""

from __future__ import annotations

from pathlib import Path

import ctk
import qt
import slicer

from .annotations import Choice, Decimals, Maximum, Minimum, SingleStep, WithinRange


class Connector:
    """A widget that shows one parameter: which signal tells of changes, how it is read and written."""

    def __init__(self, widget, parameter):
        self.widget, self.parameter = widget, parameter
        self._callback = None
        kind, name = type(widget), parameter.kind
        if name is bool and kind in (qt.QCheckBox, qt.QPushButton):
            self._use(widget.toggled if kind is qt.QPushButton else widget.stateChanged, "checked")
            if kind is qt.QPushButton:
                widget.checkable = True
        elif name is int and kind in (qt.QSlider, qt.QSpinBox):
            self._limit(-(2**31), 2**31 - 1, kind is qt.QSlider)
            self._use(widget.valueChanged, "value")
        elif name is float and kind in (qt.QDoubleSpinBox, ctk.ctkSliderWidget):
            self._limit(float("-inf"), float("inf"), kind is ctk.ctkSliderWidget)
            self._use(widget.valueChanged, "value")
        elif kind is qt.QComboBox and (parameter.isEnum or name in (int, float, str, bool)):
            self._choose()
        elif name is str and kind is qt.QLineEdit:
            self._use(widget.textChanged, "text")
        elif name is str and kind is qt.QTextEdit:
            self.signal, self.read, self.write = widget.textChanged, widget.toPlainText, widget.setPlainText
        elif parameter.isPath and kind in (ctk.ctkPathLineEdit, ctk.ctkDirectoryButton):
            isLine = kind is ctk.ctkPathLineEdit
            self._use(
                widget.currentPathChanged if isLine else widget.directoryChanged,
                "currentPath" if isLine else "directory",
                Path if name is Path else name,
                str,
            )
        elif parameter.nodes and kind is slicer.qMRMLNodeComboBox:
            widget.nodeTypes = [each().GetClassName() for each in parameter.nodes]
            self.signal, self.read, self.write = widget.currentNodeChanged, widget.currentNode, widget.setCurrentNode
        else:
            raise RuntimeError(f"Unable to create GUI connector from datatype '{name}' to widget type '{kind}'")

    def _use(self, signal, attribute, fromWidget=lambda value: value, toWidget=lambda value: value):
        self.signal = signal
        self.read = lambda: fromWidget(getattr(self.widget, attribute))
        self.write = lambda value: setattr(self.widget, attribute, toWidget(value))

    def _limit(self, lowest, highest, mustBeBounded):
        span = self.parameter.note(WithinRange)
        low = span or self.parameter.note(Minimum)
        high = span or self.parameter.note(Maximum)
        if mustBeBounded and not (low and high):
            raise RuntimeError(f"{type(self.widget).__name__} needs a parameter with a range")
        for note, attribute in ((Decimals, "decimals"), (SingleStep, "singleStep")):
            if self.parameter.note(note):
                setattr(self.widget, attribute, self.parameter.note(note).value)
        self.widget.minimum = low.minimum if low else lowest
        self.widget.maximum = high.maximum if high else highest

    def _choose(self):
        if self.parameter.isEnum:
            values = list(self.parameter.kind)
            label = getattr(self.parameter.kind, "label", lambda each: each.name)
        else:
            choice = self.parameter.note(Choice)
            if choice is None:
                raise RuntimeError("A combo box needs a parameter with the Choice annotation")
            values, label = choice.choices, str
        self.widget.clear()
        for each in values:
            self.widget.addItem(label(each))
        self.signal = self.widget.currentIndexChanged
        self.read = lambda: values[self.widget.currentIndex]
        self.write = lambda value: setattr(self.widget, "currentIndex", values.index(value))

    def onChanged(self, callback):
        if self._callback is not None:
            self.signal.disconnect(self._changed)
        self._callback = callback
        if callback is not None:
            self.signal.connect(self._changed)

    def _changed(self):
        if self._callback:
            self._callback()
