"""Stand-in for the layout manager: a four-up arrangement of three slice views and a 3D view."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import slicer
import vtk
from PySide6 import QtCore

from .. import qt
from ..observers import Observers
from ..standin import follows
from ..views.qMRMLSliceWidget import qMRMLSliceWidget
from ..views.qMRMLThreeDWidget import qMRMLThreeDWidget

_NAMES = ("Red", "Green", "Yellow")  # the order of Slicer's sliceViewNames()
_PLACES = {"Red": (0, 0), "3D": (0, 1), "Green": (1, 0), "Yellow": (1, 1)}  # rows and columns of the four-up layout
_SHOWN = {  # what some layouts of vtkMRMLLayoutNode show; all others are not in the host
    "SlicerLayoutFourUpView": ("Red", "3D", "Green", "Yellow"),
    "SlicerLayoutConventionalView": ("Red", "3D", "Green", "Yellow"),
    "SlicerLayoutNone": (),
    "SlicerLayoutOneUp3DView": ("3D",),
    "SlicerLayoutOneUpRedSliceView": ("Red",),
    "SlicerLayoutOneUpGreenSliceView": ("Green",),
    "SlicerLayoutOneUpYellowSliceView": ("Yellow",),
}


@follows("Slicer/Base/QTGUI/qSlicerLayoutManager.h")
class qSlicerLayoutManager(qt.QObject):
    """View nodes come from the real vtkMRMLLayoutLogic; the widgets are the host's."""

    layoutChanged = QtCore.Signal(int)
    _signals = {"layoutChanged(int)": "layoutChanged"}
    tableViewCount = QtCore.Property(int, lambda self: 0)
    plotViewCount = QtCore.Property(int, lambda self: 0)
    threeDViewCount = QtCore.Property(int, lambda self: 1)

    def __init__(self, world: Any) -> None:
        super().__init__()
        self._scene = world.scene
        self._logic = slicer.vtkMRMLLayoutLogic()
        self._logic.SetMRMLApplicationLogic(world.application_logic)
        self._logic.SetMRMLScene(world.scene)
        self._logic.GetLayoutNode().SetViewArrangement(slicer.vtkMRMLLayoutNode.SlicerLayoutFourUpView)
        self._links = [slicer.vtkMRMLSliceLinkLogic(), slicer.vtkMRMLViewLinkLogic()]
        for link in self._links:
            link.SetMRMLApplicationLogic(world.application_logic)
            link.SetMRMLScene(world.scene)
        self._viewport = qt.QWidget()
        self._slices = {name: self._slice_widget(name, world.application_logic) for name in _NAMES}
        node = world.scene.GetFirstNodeByClass("vtkMRMLViewNode")
        self._three_d = qMRMLThreeDWidget(node, world.application_logic)
        self._arrange()
        self._map(_PLACES)
        self._events = Observers(self)
        self._events.add(self._logic.GetLayoutNode(), vtk.vtkCommand.ModifiedEvent, self._arranged)
        self._events.add(world.scene, slicer.vtkMRMLScene.EndCloseEvent, self._restore)
        self._shown_layout = self.layout

    def _restore(self) -> None:
        """Closing a scene resets the layout node to no view at all; the main window then shows the default again."""
        self.setLayout(slicer.vtkMRMLLayoutNode.SlicerLayoutFourUpView)

    def _slice_widget(self, name: str, application_logic: Any) -> Any:
        node = self._scene.GetSingletonNode(name, "vtkMRMLSliceNode")
        logic = slicer.vtkMRMLSliceLogic()
        logic.SetMRMLApplicationLogic(application_logic)
        logic.SetMRMLScene(self._scene)
        logic.SetSliceNode(node)
        application_logic.GetSliceLogics().AddItem(logic)
        return qMRMLSliceWidget(node, logic, application_logic)

    def _arrange(self) -> None:
        grid = qt.QGridLayout(self._viewport)
        grid.setContentsMargins(0, 0, 0, 0)
        grid.setSpacing(2)
        for name, place in _PLACES.items():
            grid.addWidget(self._widget(name), *place)
        for index in range(2):
            grid.setRowStretch(index, 1)
            grid.setColumnStretch(index, 1)

    def _widget(self, name: str) -> Any:
        return self._three_d if name == "3D" else self._slices[name]

    def _arranged(self) -> None:
        if self.layout == self._shown_layout:
            return
        shown = {getattr(slicer.vtkMRMLLayoutNode, name): views for name, views in _SHOWN.items()}.get(self.layout)
        if shown is None:
            raise NotImplementedError(f"layout {self.layout} is not in the test host")
        self._shown_layout = self.layout
        for name in _PLACES:
            self._widget(name).setVisible(name in shown)
        self._map(shown)
        self.layoutChanged.emit(self.layout)

    def _map(self, shown: Iterable[str]) -> None:
        """Libs/MRML/Widgets/qMRMLLayoutViewFactory.cxx, beginSetupLayout and after: first none, then each."""
        nodes = {name: widget.mrmlSliceNode() for name, widget in self._slices.items()}
        for node in nodes.values():
            node.SetMappedInLayout(0)
        for name in shown:
            if name in nodes:
                nodes[name].SetMappedInLayout(1)

    layout = QtCore.Property(
        int,
        lambda self: self._logic.GetLayoutNode().GetViewArrangement(),
        lambda self, value: self.setLayout(value),
    )

    def setLayout(self, layout: int) -> None:
        self._logic.GetLayoutNode().SetViewArrangement(layout)

    def layoutLogic(self) -> Any:
        return self._logic

    def mrmlScene(self) -> Any:
        return self._scene

    def mrmlSliceLogics(self) -> Any:
        return slicer.app.applicationLogic().GetSliceLogics()

    def viewport(self) -> Any:
        return self._viewport

    def sliceViewNames(self) -> tuple[str, ...]:
        return _NAMES

    def sliceWidget(self, name: str) -> Any:
        return self._slices.get(name)

    def threeDWidget(self, index: int) -> Any:
        return self._three_d if index == 0 else None

    def resetSliceViews(self) -> None:
        for widget in self._slices.values():
            widget.sliceLogic().FitSliceToAll()
            widget.sliceLogic().SnapSliceOffsetToIJK()

    def resetThreeDViews(self) -> None:
        self._three_d.threeDView().resetFocalPoint()
