"""Stand-in for a 3D view, drawn by Slicer's own displayable managers."""

from __future__ import annotations

from typing import Any

import slicer
import vtk

from ..standin import follows
from .displayable import three_d_managers
from .offscreen import OffscreenWindow
from .qMRMLView import ctkVTKAbstractView

_LOW, _HIGH = (0.7568, 0.7648, 0.9098), (0.4549, 0.4706, 0.9098)  # vtkMRMLViewNode's default background


@follows("Slicer/Libs/MRML/Widgets/qMRMLThreeDView.h")
class qMRMLThreeDView(ctkVTKAbstractView):
    """One renderer with the view node's camera."""

    def __init__(self, node: Any, application_logic: Any, parent: Any = None) -> None:
        super().__init__(parent)
        self._node, self._application_logic = node, application_logic

    def mrmlViewNode(self) -> Any:
        return self._node

    def cameraNode(self) -> Any:
        self._window()
        cameras = slicer.app.moduleLogic("Cameras")
        return cameras.GetViewActiveCameraNode(self.mrmlViewNode())

    def resetFocalPoint(self) -> None:
        self._window().renderer.ResetCamera()
        self.scheduleRender()

    def resetCamera(
        self, resetRotation: bool = True, resetTranslation: bool = True, resetDistance: bool = True
    ) -> None:
        self.cameraNode().Reset(resetRotation, resetTranslation, resetDistance, self._window().renderer)
        self.scheduleRender()

    def rotateToViewAxis(self, axisId: int) -> None:
        self.cameraNode().RotateTo(axisId)
        self.scheduleRender()

    def _open(self) -> OffscreenWindow:
        window = OffscreenWindow(_LOW, _HIGH)
        self._style = slicer.vtkMRMLThreeDViewInteractorStyle()
        self._style.SetInteractor(window.interactor)
        self._group = three_d_managers(window.renderer, self.mrmlViewNode(), self._application_logic)
        self._style.SetDisplayableManagers(self._group)
        self._events.add(self._group, vtk.vtkCommand.UpdateEvent, self.scheduleRender)
        return window
