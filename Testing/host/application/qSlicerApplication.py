"""Stand-in for the application object, `slicer.app`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from PySide6 import QtCore

from .. import qt
from ..standin import follows, held


@follows("Slicer/Base/QTGUI/qSlicerApplication.h")
class qSlicerApplication(qt.QApplication):
    """Scene, logics, layout and settings of the running application; what it lacks raises."""

    startupCompleted = QtCore.Signal()
    mrmlSceneChanged = QtCore.Signal(object)
    renderPaused = QtCore.Signal(bool)
    urlReceived = QtCore.Signal(str)
    _signals = {
        "startupCompleted()": "startupCompleted",
        "mrmlSceneChanged(vtkMRMLScene*)": "mrmlSceneChanged",
        "renderPaused(bool)": "renderPaused",
        "urlReceived(QString)": "urlReceived",
    }
    temporaryPath, _setTemporaryPath = held("temporaryPath", "")
    cachePath, _setCachePath = held("cachePath", "")
    slicerHome, _setSlicerHome = held("slicerHome", "")
    extensionsInstallPath, _setExtensionsInstallPath = held("extensionsInstallPath", "")
    defaultScenePath, _setDefaultScenePath = held("defaultScenePath", "")
    majorVersion, _setMajorVersion = held("majorVersion", 5)
    minorVersion, _setMinorVersion = held("minorVersion", 12)
    revision, _setRevision = held("revision", "host")
    isInstalled, _setIsInstalled = held("isInstalled", True)
    documentationBaseUrl, _setDocumentation = held("documentationBaseUrl", "https://slicer.readthedocs.io/en/5.12/")

    def __init__(self, arguments: list[str]) -> None:
        super().__init__(arguments)
        self._world: Any = None
        self._layout_manager: Any = None
        self._module_manager: Any = None
        self._io_manager: Any = None
        self._folder = Path()
        self._pauses = 0

    def _start(self, folder: Path, world: Any, module_manager: Any, io_manager: Any) -> None:
        self._folder, self._world = folder, world
        self._module_manager, self._io_manager = module_manager, io_manager
        for name in ("temporaryPath", "cachePath", "slicerHome", "extensionsInstallPath", "defaultScenePath"):
            path = folder / name
            path.mkdir(exist_ok=True)
            setattr(self, name, str(path))
        self.mrmlSceneChanged.emit(world.scene)

    def mrmlScene(self) -> Any:
        return self._world.scene

    def applicationLogic(self) -> Any:
        return self._world.application_logic

    def moduleLogic(self, moduleName: str) -> Any:
        return self._world.logics.get(moduleName)

    def layoutManager(self) -> Any:
        return self._layout_manager

    def setLayoutManager(self, layoutManager: Any) -> None:
        self._layout_manager = layoutManager

    def moduleManager(self) -> Any:
        return self._module_manager

    def coreIOManager(self) -> Any:
        return self._io_manager

    def ioManager(self) -> Any:
        return self._io_manager

    def userSettings(self) -> Any:
        return qt.QSettings()

    def settings(self) -> Any:
        return qt.QSettings()

    def revisionUserSettings(self) -> Any:
        return qt.QSettings(str(self._folder / "revision.ini"), qt.QSettings.IniFormat)

    def testingEnabled(self) -> bool:
        """False: message boxes take their real way, to the host's record of dialogs."""
        return False

    def startupEnvironment(self) -> Any:
        return qt.QProcessEnvironment.systemEnvironment()

    def environment(self) -> Any:
        return qt.QProcessEnvironment.systemEnvironment()

    def moduleDocumentationUrl(self, moduleName: str) -> str:
        return f"{self.documentationBaseUrl}user_guide/modules/{moduleName.lower()}.html"

    def pythonConsole(self) -> None:
        return None

    def pauseRender(self) -> None:
        self.setRenderPaused(True)

    def resumeRender(self) -> None:
        self.setRenderPaused(False)

    def setRenderPaused(self, pause: bool) -> None:
        self._pauses += 1 if pause else -1
        self.renderPaused.emit(pause)
