"""An offscreen VTK window with one renderer, its pixels as an array or a QImage, and Qt's input events passed to it.

Knows nothing of MRML. Needs OpenGL: where there is none VTK ends the process, so host.availability asks a child first.
"""

from __future__ import annotations

import os
from typing import Any

import numpy as np
import vtk
from PySide6 import QtCore, QtGui
from vtk.util.numpy_support import vtk_to_numpy


class OffscreenWindow:
    """The window is made at the first use, so that a host without pictures needs no OpenGL."""

    def __init__(self, background: tuple[float, float, float], background2: tuple[float, float, float]) -> None:
        self.renderer = vtk.vtkRenderer()
        self.renderer.SetBackground(*background)
        self.renderer.SetBackground2(*background2)
        self.renderer.SetGradientBackground(background != background2)
        self.window = vtk.vtkRenderWindow()
        self.window.SetOffScreenRendering(True)
        self.window.SetMultiSamples(0)  # the same picture from every OpenGL
        self.window.AddRenderer(self.renderer)
        self.interactor = vtk.vtkGenericRenderWindowInteractor()
        self.interactor.SetRenderWindow(self.window)
        self.interactor.EnableRenderOff()

    def resize(self, width: int, height: int) -> None:
        """Size in pixels."""
        self.window.SetSize(width, height)
        self.interactor.UpdateSize(width, height)

    def pixels(self) -> np.ndarray:
        """What the window shows now: uint8, height x width x 3 (RGB), top row first."""
        self.window.Render()
        reader = vtk.vtkWindowToImageFilter()
        reader.SetInput(self.window)
        reader.ReadFrontBufferOff()
        reader.ShouldRerenderOff()
        reader.Update()
        image = reader.GetOutput()
        width, height, _ = image.GetDimensions()
        return vtk_to_numpy(image.GetPointData().GetScalars()).reshape(height, width, 3)[::-1].copy()

    def pass_on(self, event: Any, height: int) -> bool:
        """Hands a Qt mouse or wheel event to the interactor; False for an event that is neither."""
        kind = event.type()
        wheel = kind == QtCore.QEvent.Wheel
        if not wheel and kind not in _INVOKED:
            return False
        position = event.position()
        modifiers = event.modifiers()
        self.interactor.SetEventInformation(
            int(position.x()),
            height - 1 - int(position.y()),
            int(bool(modifiers & QtCore.Qt.ControlModifier)),
            int(bool(modifiers & QtCore.Qt.ShiftModifier)),
        )
        if wheel:
            forward = event.angleDelta().y() > 0
            self.interactor.InvokeEvent("MouseWheelForwardEvent" if forward else "MouseWheelBackwardEvent")
        elif kind == QtCore.QEvent.MouseMove:
            self.interactor.InvokeEvent("MouseMoveEvent")
        else:
            self.interactor.InvokeEvent(_BUTTONS.get(event.button(), "LeftButton") + _INVOKED[kind])
        return True


_BUTTONS = {
    QtCore.Qt.LeftButton: "LeftButton",
    QtCore.Qt.RightButton: "RightButton",
    QtCore.Qt.MiddleButton: "MiddleButton",
}
_INVOKED = {
    QtCore.QEvent.MouseButtonPress: "PressEvent",
    QtCore.QEvent.MouseButtonRelease: "ReleaseEvent",
    QtCore.QEvent.MouseMove: "",
}


def to_qimage(pixels: np.ndarray) -> QtGui.QImage:
    """A QImage with its own copy of uint8 pixels, height x width x 3."""
    height, width, _ = pixels.shape
    packed = np.ascontiguousarray(pixels)
    return QtGui.QImage(packed.data, width, height, 3 * width, QtGui.QImage.Format_RGB888).copy()


def from_qimage(image: QtGui.QImage) -> np.ndarray:
    """uint8 pixels, height x width x 3 (RGB), of a QImage."""
    converted = image.convertToFormat(QtGui.QImage.Format_RGB888)
    rows = np.frombuffer(converted.constBits(), np.uint8).reshape(converted.height(), converted.bytesPerLine())
    return rows[:, : 3 * converted.width()].reshape(converted.height(), converted.width(), 3).copy()


def prefer_software_rendering() -> None:
    """One renderer everywhere: EGL without a display, as pictures differ slightly between OpenGL implementations."""
    if "DISPLAY" not in os.environ:
        os.environ.setdefault("VTK_DEFAULT_OPENGL_WINDOW", "vtkEGLRenderWindow")
