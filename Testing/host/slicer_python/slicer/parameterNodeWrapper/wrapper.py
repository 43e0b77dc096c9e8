"""The decorator: a class of annotations becomes typed access to a parameter node, bound to widgets."""

from __future__ import annotations

import typing

import qt
import slicer
import vtk

from .annotations import Default
from .connectors import Connector
from .parameters import Parameter

SlicerParameterNamePropertyName = "SlicerParameterName"
_OF_EVERY_CLASS = ("__module__", "__qualname__", "__doc__", "__dict__", "__weakref__")


class _Wrapper:
    """What the decorator adds to a class; never instantiated itself."""

    _is_parameter_node_wrapper = True

    def __init__(self, parameterNode, prefix=None):
        self.parameterNode = parameterNode
        self._prefix = prefix or ""
        self._guis = {}
        self._updatingGui = False
        for parameter in self.allParameters.values():
            if not parameterNode.HasParameter(self._prefix + parameter.basename):
                parameter.write(parameterNode, self._prefix + parameter.basename, parameter.default.value)

    @classmethod
    def _parameter(cls, name):
        if name not in cls.allParameters:
            raise ValueError(f"Cannot find a param with the given name: {name}")
        return cls.allParameters[name]

    def default(self, name):
        return self._parameter(name).default

    @classmethod
    def dataType(cls, name):
        return cls._parameter(name).unalteredType

    def getValue(self, name):
        return self._parameter(name).read(self.parameterNode, self._prefix + name)

    def setValue(self, name, value):
        with slicer.util.NodeModify(self.parameterNode):
            self._parameter(name).write(self.parameterNode, self._prefix + name, value)

    def connectGui(self, gui):
        """Returns no tag, as in Slicer (its issue 7547): what has to be disconnected takes connectParametersToGui."""
        widgets = gui.findChildren(qt.QWidget) if hasattr(gui, "isWidgetType") else list(vars(gui).values())
        named = {widget.property(SlicerParameterNamePropertyName): widget for widget in widgets}
        self.connectParametersToGui({name: widget for name, widget in named.items() if name})

    def connectParametersToGui(self, mapping):
        connectors = {name: Connector(widget, self._parameter(name)) for name, widget in mapping.items()}
        tag = len(self._guis)
        self._guis[tag] = connectors
        for name, connector in connectors.items():
            connector.write(self.getValue(name))
            connector.onChanged(lambda name=name, connector=connector: self._fromGui(name, connector))
        self.AddObserver(vtk.vtkCommand.ModifiedEvent, lambda caller, event: self._toGui())
        return tag

    def disconnectGui(self, tag):
        for connector in self._guis.get(tag, {}).values():
            connector.onChanged(None)
        if tag in self._guis:
            self._guis[tag] = {}

    def _fromGui(self, name, connector):
        if not self._updatingGui:
            self.setValue(name, connector.read())

    def _toGui(self):
        if self._updatingGui:
            return
        self._updatingGui = True
        try:
            for connectors in self._guis.values():
                for name, connector in connectors.items():
                    connector.write(self.getValue(name))
        finally:
            self._updatingGui = False

    def StartModify(self):
        return self.parameterNode.StartModify()

    def EndModify(self, wasModified):
        return self.parameterNode.EndModify(wasModified)

    def AddObserver(self, event, callback, priority=0.0):
        return self.parameterNode.AddObserver(event, callback, priority)

    def RemoveObserver(self, tag):
        self.parameterNode.RemoveObserver(tag)

    def Modified(self):
        self.parameterNode.Modified()


def _process(classtype):
    hints = typing.get_type_hints(classtype, include_extras=True)
    given = {name: Default(getattr(classtype, name)) if hasattr(classtype, name) else None for name in hints}
    added = {name: member for name, member in vars(_Wrapper).items() if name not in _OF_EVERY_CLASS}
    for name, member in added.items():
        if name != "__init__" and hasattr(classtype, name):
            raise ValueError(f"Cannot use reserved name '{name}' in a parameterNodeWrapper")
        setattr(classtype, name, member)
    classtype.allParameters = {name: Parameter(name, kind, given[name]) for name, kind in hints.items()}
    for name in hints:
        setattr(classtype, name, _property(name))
    return classtype


def _property(name):
    return property(lambda self: self.getValue(name), lambda self, value: self.setValue(name, value))


def parameterNodeWrapper(classtype=None):
    """Class decorator, with or without parentheses."""
    return _process if classtype is None else _process(classtype)


def isParameterNodeWrapper(classOrObj):
    return getattr(classOrObj, "_is_parameter_node_wrapper", False)


def findChildWidgetForParameter(widget, parameter):
    named = (each for each in widget.findChildren(qt.QWidget))
    return next((each for each in named if each.property(SlicerParameterNamePropertyName) == parameter), None)
