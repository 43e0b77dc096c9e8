"""What the stand-ins for slice and 3D views share: ctkVTKAbstractView's members on an offscreen VTK window.

A view renders when it is painted or asked (forceRender, pixels), never by itself: a test decides when to pay for it.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from .. import qt
from ..observers import Observers
from ..standin import follows, held
from .offscreen import OffscreenWindow, to_qimage


@follows("CTK/Libs/Visualization/VTK/Widgets/ctkVTKAbstractView.h")
class ctkVTKAbstractView(qt.QWidget):
    """Shows the pixels of an offscreen window and passes mouse events to it."""

    renderEnabled, setRenderEnabled = held("renderEnabled", True)

    def __init__(self, parent: Any = None) -> None:
        super().__init__(parent)
        self._offscreen: OffscreenWindow | None = None
        self._group: Any = None
        self._style: Any = None
        self._image: Any = None
        self._stale = True
        self._events = Observers(self)
        self.setMinimumSize(60, 60)
        self.setFocusPolicy(qt.Qt.StrongFocus)
        self.setMouseTracking(True)

    def renderWindow(self) -> Any:
        return self._window().window

    def interactor(self) -> Any:
        return self._window().interactor

    def interactorStyle(self) -> Any:
        self._window()
        return self._style

    def scheduleRender(self) -> None:
        self._stale = True
        self.update()

    def forceRender(self) -> None:
        self._render()
        self.update()

    def addDisplayableManager(self, displayableManager: str) -> None:
        raise NotImplementedError("the test host's views have a fixed set of displayable managers")

    def getDisplayableManagers(self, displayableManagers: Any) -> None:
        self._window()
        for index in range(self._group.GetDisplayableManagerCount()):
            displayableManagers.AddItem(self._group.GetNthDisplayableManager(index))

    def _window(self) -> OffscreenWindow:
        """The offscreen window, made at the first call."""
        if self._offscreen is None:
            self._offscreen = self._open()
            self._resized()
        return self._offscreen

    def _open(self) -> OffscreenWindow:
        raise NotImplementedError

    def _resized(self) -> None:
        if self._offscreen is not None:
            self._offscreen.resize(self.width, self.height)
            self._stale = True

    def _render(self) -> np.ndarray:
        """Pixels of the view as it is now, height x width x 3."""
        pixels = self._window().pixels()
        self._image = to_qimage(pixels)
        self._stale = False
        return pixels

    def resizeEvent(self, event: Any) -> None:
        super().resizeEvent(event)
        self._resized()

    def paintEvent(self, event: Any) -> None:
        if self._stale and self.renderEnabled:
            self._render()
        if self._image is not None:
            painter = qt.QPainter(self)
            painter.drawImage(self.rect, self._image)
            painter.end()

    def event(self, event: Any) -> bool:
        if self._offscreen is not None and self._offscreen.pass_on(event, self.height):
            self.scheduleRender()
            return True
        return super().event(event)
