"""The running stand-in for the Slicer application, as tests drive it: modules, events, dialogs, pictures."""

from __future__ import annotations

import importlib
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import slicer
from PySide6 import QtTest

from . import appearance, qt
from .application.modules import load_scripted_module, qSlicerLoadableModule, qSlicerScriptedLoadableModule
from .application.qSlicerApplication import qSlicerApplication
from .application.qSlicerCoreIOManager import qSlicerCoreIOManager
from .application.qSlicerLayoutManager import qSlicerLayoutManager
from .application.qSlicerMainWindow import qSlicerMainWindow
from .application.qSlicerModuleManager import qSlicerModuleManager
from .blockage import Blockage
from .complaints import Complaints
from .connections import forget
from .dialogs import Dialogs
from .environment import Environment
from .observers import clear_all
from .pip_record import PipRecord
from .publication import Publication
from .python_files import put_on_path
from .pythonqt import alive
from .scene import build_world
from .views.offscreen import from_qimage
from .waiting import run_until

VIEWS = ("Red", "Yellow", "Green", "3D")


class HostError(AssertionError):
    """Something went wrong inside a callback, where Slicer would only have printed it."""


class Host:
    """One application with one scene; made by start_host, ended by close."""

    def __init__(self, slicer_python: Path | None) -> None:
        self._folder = tempfile.TemporaryDirectory(prefix="slicer-host-")
        folder = Path(self._folder.name)
        self._complaints = Complaints()
        self.errors = self._complaints.errors  # tracebacks of exceptions raised in signals, timers and VTK observers
        self.warnings = self._complaints.warnings  # what Qt complained of
        self.dialogs = Dialogs()
        self.pip = PipRecord()
        self.samples: dict[str, Path] = {}  # sample data by name: the volume file to load instead of a download
        self.app = _application()
        self._publication = Publication(self.app)
        put_on_path(slicer_python)
        importlib.import_module("SampleData")._files = self.samples  # type: ignore[attr-defined]
        _temporary_settings(folder)
        self._environment = Environment(folder)
        self.world = build_world(folder)
        self.scene = self.world.scene
        manager = qSlicerModuleManager()
        for name, logic in self.world.logics.items():
            module = qSlicerLoadableModule(name, logic)
            setattr(slicer.modules, name.lower(), module)
            manager._load(module)
        self.app._start(folder, self.world, manager, qSlicerCoreIOManager())
        self.layout_manager = qSlicerLayoutManager(self.world)
        self.app.setLayoutManager(self.layout_manager)
        self.window = qSlicerMainWindow(self.layout_manager.viewport(), manager)
        self.dialogs.install()
        self.pip.install()
        self._complaints.install()

    # modules

    def load_module(self, path: Path | str) -> Any:
        """Loads a scripted module's file as Slicer does at start-up, then tells that start-up is over."""
        module = load_scripted_module(Path(path).resolve())
        self.app.moduleManager()._load(module)
        self.app.startupCompleted.emit()
        return module

    def open_module(self, name: str) -> Any:
        """Shows the module's panel (setup at the first time, then enter); returns the Python widget object."""
        self.window.moduleSelector().selectModule(name)
        return slicer.util.getModuleWidget(name)

    def leave_module(self) -> None:
        """Shows no module: the present one exits."""
        self.window.moduleSelector().selectModule("")

    def reload_module(self, name: str) -> Any:
        """What the Reload button does; returns the new Python widget object."""
        slicer.util.reloadScriptedModule(name)
        return slicer.util.getModuleWidget(name)

    def unload_module(self, name: str) -> None:
        """What closing the application does to a module: exit, cleanup, and away with its widgets."""
        if self.window.moduleSelector().selectedModule == name:
            self.leave_module()
        module = self.app.moduleManager().module(name)
        self.app.moduleManager()._unload(name)
        if module._widget is not None:
            module._widget.deleteLater()
        for attribute in (name.lower(), f"{name}Instance", f"{name}Widget"):
            vars(slicer.modules).pop(attribute, None)
        self.process_events()

    # events

    def process_events(self) -> None:
        """Delivers what is waiting, deletions too."""
        self.app.processEvents()
        self.app.sendPostedEvents(None, int(qt.QEvent.DeferredDelete.value))

    def wait_until(self, condition: Callable[[], Any], seconds: float = 30.0) -> None:
        """Runs the event loop until the condition holds; AssertionError when it does not within the time."""
        if not run_until(condition, seconds):
            raise AssertionError(f"not within {seconds} s; errors: {self.errors or 'none'}")

    def press(self, keys: str) -> None:
        """Types a key sequence such as "Ctrl+G" into the main window, which has to be shown; shortcuts hear it."""
        QtTest.QTest.keySequence(self.window, qt.QKeySequence(keys))
        self.process_events()

    def blockage(self) -> Blockage:
        """A context that measures the longest time the GUI thread was not free."""
        return Blockage()

    def check(self) -> None:
        """Raises HostError with the first error that a callback raised, or the first warning of Qt."""
        for complaint in (*self.errors, *self.warnings):
            raise HostError(complaint)

    # pictures

    def show(self, width: int = 1366, height: int = 768, panel: int = 500) -> None:
        """Shows the main window at a size in pixels, with the panel's width; views render when painted."""
        self.window.resize(width, height)
        self.window.show()
        self.window.activateWindow()
        self.window._panel_width(panel)
        self.process_events()

    def use_dark(self, dark: bool = True) -> None:
        """Gives the application Slicer's dark look, or its light one."""
        appearance.use(dark)

    def hide(self) -> None:
        """Hides the main window: nothing renders unless asked."""
        self.window.hide()

    def grab(self, widget: Any = None) -> np.ndarray:
        """Pixels of a widget, of the main window where none is given: uint8, height x width x 3."""
        self.process_events()
        return from_qimage(self.grab_image(widget))

    def grab_image(self, widget: Any = None) -> Any:
        """As `grab`, a QImage."""
        return (widget or self.window).grab().toImage()

    def grab_panel(self, name: str, width: int = 500, height: int = 0) -> np.ndarray:
        """Pixels of a module's whole panel at a width; at the height it asks for where none is given."""
        widget = self.app.moduleManager().module(name).widgetRepresentation()
        self.process_events()
        before = (widget.minimumSize, widget.maximumSize)
        widget.setFixedSize(width, height or max(widget.sizeHint().height(), widget.minimumSizeHint().height()))
        pixels = self.grab(widget)
        widget.minimumSize, widget.maximumSize = before
        return pixels

    def view(self, name: str) -> Any:
        """The view widget Red, Yellow, Green or 3D."""
        if name == "3D":
            return self.layout_manager.threeDWidget(0).threeDView()
        return self.layout_manager.sliceWidget(name).sliceView()

    def grab_view(self, name: str, size: tuple[int, int] | None = None) -> np.ndarray:
        """Pixels of one view, rendered now; size is (width, height), the view's own where none is given."""
        view = self.view(name)
        before = view.size
        if size:
            view.resize(*size)
            view._resized()  # a view that is not shown hears of its size only later
        pixels = view._render()
        if size:
            view.resize(before)
            view._resized()
        return pixels

    def grab_views(self, size: tuple[int, int] = (800, 600)) -> np.ndarray:
        """Pixels of the four views (Red and 3D above, Green and Yellow below) in a picture of (width, height)."""
        half = (size[0] // 2, size[1] // 2)
        rows = [[self.grab_view(name, half) for name in row] for row in (("Red", "3D"), ("Green", "Yellow"))]
        return np.vstack([np.hstack(row) for row in rows])

    # end

    def close_scene(self) -> None:
        """What File > Close Scene does."""
        self.scene.Clear(0)
        self.process_events()

    def close(self) -> None:
        """Unloads the scripted modules and clears the scene, as quitting does; a second call does nothing."""
        if not alive(self.window):
            return
        self.app.aboutToQuit.emit()
        for name in self.app.moduleManager().modulesNames():
            if isinstance(self.app.moduleManager().module(name), qSlicerScriptedLoadableModule):
                self.unload_module(name)
        self.window.hide()
        self.scene.Clear(1)
        self.process_events()
        clear_all()
        self.window.deleteLater()
        self.process_events()
        forget(self.app)
        self._environment.restore()
        self.pip.withdraw()
        self._publication.withdraw()
        self._complaints.uninstall()
        self._folder.cleanup()


def _application() -> Any:
    """The one QApplication of the process."""
    app = qt.QApplication.instance()
    if app is None:
        app = qSlicerApplication(["Slicer"])
        app.setApplicationName("Slicer")
        app.setOrganizationName("slicer-host")
    if not isinstance(app, qSlicerApplication):
        raise RuntimeError("another QApplication runs in this process")
    return app


def _temporary_settings(folder: Path) -> None:
    qt.QSettings.setDefaultFormat(qt.QSettings.IniFormat)
    qt.QSettings.setPath(qt.QSettings.IniFormat, qt.QSettings.UserScope, str(folder / "settings"))
