"""Modules as Slicer's module manager keeps them: real logics for the loadable ones, Python files for the scripted ones.

Source: qSlicerScriptedLoadableModule.cxx, qSlicerScriptedLoadableModuleWidget.cxx, qSlicerScriptedUtils.cxx.
"""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from typing import Any

import slicer
from PySide6 import QtCore

from .. import qt
from ..qmrml import qSlicerWidget
from ..standin import follows


def _field(name: str, default: Any) -> Any:
    """A property of any Python value; Qt itself never asks for these."""
    return QtCore.Property(
        object,
        lambda self: self.__dict__.get(f"_field_{name}", default),
        lambda self, value: self.__dict__.__setitem__(f"_field_{name}", value),
    )


@follows("Slicer/Base/QTCore/qSlicerLoadableModule.h")
class qSlicerLoadableModule(qt.QObject):
    """A C++ module of which only the logic is here."""

    name = _field("name", "")
    title = _field("title", "")
    path = _field("path", "")

    def __init__(self, name: str, logic: Any) -> None:
        super().__init__()
        self._logic = logic
        self.name = self.title = name

    def logic(self) -> Any:
        return self._logic

    def widgetRepresentation(self) -> Any:
        raise NotImplementedError(f"the panel of the module {self.name} is not in the test host")


@follows("Slicer/Base/QTGUI/qSlicerScriptedLoadableModule.h")
class qSlicerScriptedLoadableModule(qt.QObject):
    """The `parent` that a scripted module's class is given."""

    name = _field("name", "")
    title = _field("title", "")
    categories = _field("categories", [])
    dependencies = _field("dependencies", [])
    contributors = _field("contributors", [])
    associatedNodeTypes = _field("associatedNodeTypes", [])
    helpText = _field("helpText", "")
    acknowledgementText = _field("acknowledgementText", "")
    icon = _field("icon", None)
    hidden = _field("hidden", False)
    index = _field("index", -1)
    path = _field("path", "")
    widgetRepresentationCreationEnabled = _field("widgetRepresentationCreationEnabled", True)

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.path = str(path)
        self.name = path.stem
        self._widget: Any = None

    def logic(self) -> Any:
        logic = slicer.vtkSlicerScriptedLoadableModuleLogic()
        logic.SetMRMLScene(slicer.mrmlScene)
        return logic

    def widgetRepresentation(self) -> Any:
        if self._widget is None and self.widgetRepresentationCreationEnabled:
            self._widget = self.createNewWidgetRepresentation()
        return self._widget

    def createNewWidgetRepresentation(self) -> Any:
        widget = qSlicerScriptedLoadableModuleWidget()
        widget._represent(self)
        return widget


@follows("Slicer/Base/QTGUI/qSlicerScriptedLoadableModuleWidget.h")
class qSlicerScriptedLoadableModuleWidget(qSlicerWidget):
    """The `parent` that a scripted module's widget class is given: calls its setup, enter and exit."""

    isEntered = _field("isEntered", False)

    def __init__(self, parent: Any = None) -> None:
        super().__init__(parent)
        qt.QVBoxLayout(self)
        self._module: Any = None
        self._python: Any = None

    def self(self) -> Any:
        return self._python

    def setup(self) -> None:
        self._call("setup")

    def enter(self) -> None:
        self.isEntered = True
        self._call("enter")

    def exit(self) -> None:
        self.isEntered = False
        self._call("exit")

    def reload(self) -> None:
        """Makes the Python object again from the class that is loaded now, and sets it up; does not enter."""
        self._instantiate()
        self.setup()

    def setEditedNode(self, node: Any, role: str = "", context: str = "") -> bool:
        return bool(self._call("setEditedNode", node, role, context))

    def nodeEditable(self, node: Any) -> float:
        return float(self._call("nodeEditable", node) or 0.0)

    def _represent(self, module: qSlicerScriptedLoadableModule) -> None:
        self._module = module
        self.setObjectName(f"{module.name}ModuleWidget")
        self._instantiate()
        self.setup()
        self.setMRMLScene(slicer.mrmlScene)

    def _instantiate(self) -> None:
        name = f"{self._module.name}Widget"
        self._python = getattr(sys.modules[self._module.name], name)(self)
        setattr(slicer.modules, name, self._python)

    def _call(self, method: str, *arguments: Any) -> Any:
        function = getattr(self._python, method, None)
        return function(*arguments) if function else None


def load_scripted_module(path: Path) -> qSlicerScriptedLoadableModule:
    """Imports the file, makes the module's class, and puts it into slicer.modules, as Slicer does at start-up."""
    name, folder = path.stem, str(path.parent)
    if folder not in sys.path:
        sys.path.insert(0, folder)
    spec = importlib.util.spec_from_file_location(name, path)
    if spec is None or spec.loader is None:
        raise ImportError(f"{path} is no Python file")
    source = importlib.util.module_from_spec(spec)
    sys.modules[name] = source
    spec.loader.exec_module(source)
    module = qSlicerScriptedLoadableModule(path)
    instance = getattr(source, name)(module)
    setattr(slicer.modules, name.lower(), module)
    setattr(slicer.modules, f"{name}Instance", instance)
    if hasattr(instance, "setup"):
        instance.setup()
    return module
