"""Stand-in for a slice view: the slice logic's image under Slicer's own displayable managers."""

from __future__ import annotations

from typing import Any

import slicer
import vtk

from ..standin import follows
from .displayable import slice_managers
from .offscreen import OffscreenWindow
from .qMRMLView import ctkVTKAbstractView

_BLACK = (0.0, 0.0, 0.0)


@follows("Slicer/Libs/MRML/Widgets/qMRMLSliceView.h")
class qMRMLSliceView(ctkVTKAbstractView):
    """The image actor is CTK's in the real one; a vtkImageMapper plays it here."""

    def __init__(self, logic: Any, application_logic: Any, parent: Any = None) -> None:
        super().__init__(parent)
        self._logic, self._application_logic = logic, application_logic
        self._mapper: Any = None

    def mrmlSliceNode(self) -> Any:
        return self._logic.GetSliceNode()

    def sliceViewInteractorStyle(self) -> Any:
        return self.interactorStyle()

    def convertRASToXYZ(self, ras: Any) -> tuple[float, ...]:
        inverse = vtk.vtkMatrix4x4()
        vtk.vtkMatrix4x4.Invert(self.mrmlSliceNode().GetXYToRAS(), inverse)
        return tuple(inverse.MultiplyPoint((*ras, 1.0))[:3])

    def convertXYZToRAS(self, xyz: Any) -> tuple[float, ...]:
        return tuple(self.mrmlSliceNode().GetXYToRAS().MultiplyPoint((*xyz, 1.0))[:3])

    def convertDeviceToXYZ(self, xy: Any) -> tuple[float, ...]:
        return (float(xy[0]), float(xy[1]), 0.0)

    def _open(self) -> OffscreenWindow:
        window = OffscreenWindow(_BLACK, _BLACK)
        self._mapper = vtk.vtkImageMapper()
        self._mapper.SetColorWindow(255)
        self._mapper.SetColorLevel(127.5)
        self._actor = vtk.vtkActor2D()
        self._actor.SetMapper(self._mapper)
        self._actor.GetProperty().SetDisplayLocationToBackground()
        window.renderer.AddViewProp(self._actor)
        self._group = slice_managers(window.renderer, self.mrmlSliceNode(), self._application_logic)
        self._style = slicer.vtkMRMLSliceViewInteractorStyle()
        self._style.SetSliceLogic(self._logic)
        self._style.SetDisplayableManagers(self._group)
        self._style.SetInteractor(window.interactor)
        self._events.add(self._group, vtk.vtkCommand.UpdateEvent, self.scheduleRender)
        self._events.add(self._logic, vtk.vtkCommand.ModifiedEvent, self._image_changed)
        self._image_changed()
        return window

    def _image_changed(self) -> None:
        connection = self._logic.GetImageDataConnection()
        self._actor.SetVisibility(connection is not None)
        self._mapper.SetInputConnection(connection)
        self.scheduleRender()

    def _resized(self) -> None:
        super()._resized()
        self._logic.ResizeSliceNode(self.width, self.height)
