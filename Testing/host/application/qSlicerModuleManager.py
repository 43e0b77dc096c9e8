"""Stand-in for the keeper of modules."""

from __future__ import annotations

from typing import Any

from PySide6 import QtCore

from .. import qt
from ..standin import follows


@follows("Slicer/Base/QTCore/qSlicerModuleManager.h")
class qSlicerModuleManager(qt.QObject):
    """Modules by name, and the signals of their coming and going."""

    moduleLoaded = QtCore.Signal(str)
    moduleAboutToBeUnloaded = QtCore.Signal(str)
    _signals = {
        "moduleLoaded(QString)": "moduleLoaded",
        "moduleAboutToBeUnloaded(QString)": "moduleAboutToBeUnloaded",
    }

    def __init__(self) -> None:
        super().__init__()
        self._modules: dict[str, Any] = {}

    def module(self, name: str) -> Any:
        return self._modules.get(name)

    def isLoaded(self, name: str) -> bool:
        return name in self._modules

    def modulesNames(self) -> tuple[str, ...]:
        return tuple(self._modules)

    def _load(self, module: Any) -> None:
        self._modules[module.name] = module
        self.moduleLoaded.emit(module.name)

    def _unload(self, name: str) -> None:
        self.moduleAboutToBeUnloaded.emit(name)
        del self._modules[name]
