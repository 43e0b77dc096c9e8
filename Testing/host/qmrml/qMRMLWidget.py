"""Stand-in for the base of all widgets that know a MRML scene."""

from __future__ import annotations

from typing import Any

from PySide6 import QtCore

from .. import qt
from ..standin import follows


@follows("Slicer/Libs/MRML/Widgets/qMRMLWidget.h")
class qMRMLWidget(qt.QWidget):
    """A widget with a scene; its children get the scene through the .ui file's connections."""

    mrmlSceneChanged = QtCore.Signal(object)
    _signals = {"mrmlSceneChanged(vtkMRMLScene*)": "mrmlSceneChanged"}

    def __init__(self, parent: Any = None) -> None:
        super().__init__(parent)
        self._scene: Any = None

    def mrmlScene(self) -> Any:
        return self._scene

    def setMRMLScene(self, scene: Any) -> None:
        if scene is not self._scene:
            self._scene = scene
            self.mrmlSceneChanged.emit(scene)
