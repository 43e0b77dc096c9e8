"""Stand-ins for the main window: the module panel on the left, the views in the centre, the module selector."""

from __future__ import annotations

from typing import Any

from PySide6 import QtCore

from .. import qt
from ..standin import follows


@follows("Slicer/Base/QTGUI/qSlicerModuleSelectorToolBar.h")
class qSlicerModuleSelectorToolBar(qt.QToolBar):
    """Switches modules: the old one exits, the new one is made if need be and enters."""

    moduleSelected = QtCore.Signal(str)
    _signals = {"moduleSelected(QString)": "moduleSelected"}

    def __init__(self, panel: Any, manager: Any) -> None:
        super().__init__("Module Selection")
        self._panel, self._manager, self._selected = panel, manager, ""
        self._label = qt.QLabel()
        self.addWidget(qt.QLabel(" Modules: "))
        self.addWidget(self._label)

    selectedModule = QtCore.Property("QString", lambda self: self._selected)

    def selectModule(self, name: str) -> None:
        module = self._manager.module(name)
        if name and module is None:
            raise RuntimeError(f"no module {name} is loaded")
        widget = module.widgetRepresentation() if module else None
        shown = self._panel.takeWidget()
        if shown is not None:
            shown.exit()
            shown.hide()
        self._selected = name
        if widget is not None:
            self._label.setText(module.title)
            self._panel.setWidget(widget)
            widget.show()
            widget.enter()
        self.moduleSelected.emit(name)


@follows("Slicer/Base/QTApp/qSlicerMainWindow.h")
class qSlicerMainWindow(qt.QMainWindow):
    """Found by slicer.util.mainWindow() through its object name."""

    def __init__(self, viewport: Any, manager: Any) -> None:
        super().__init__()
        self.setObjectName("qSlicerMainWindow")
        self.setWindowTitle("3D Slicer (test host)")
        self._panel = qt.QScrollArea()
        self._panel.setObjectName("ModulePanel")
        self._panel.setWidgetResizable(True)
        self._panel.setHorizontalScrollBarPolicy(qt.Qt.ScrollBarAlwaysOff)
        dock = qt.QDockWidget()
        dock.setObjectName("PanelDockWidget")
        dock.setTitleBarWidget(qt.QWidget())
        dock.setWidget(self._panel)
        self.addDockWidget(qt.Qt.LeftDockWidgetArea, dock)
        self.setCentralWidget(viewport)
        self._selector = qSlicerModuleSelectorToolBar(self._panel, manager)
        self.addToolBar(self._selector)
        self._dock = dock

    def moduleSelector(self) -> Any:
        return self._selector

    def _panel_width(self, width: int) -> None:
        self.resizeDocks([self._dock], [width], qt.Qt.Horizontal)
