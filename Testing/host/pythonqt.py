"""Gives PySide6's classes the manners of PythonQt, the binding inside Slicer; changes no behaviour of Qt itself.

Properties are attributes (`edit.text = "a"`) beside their setters, `button.connect("clicked()", f)` works, callback
arguments are cut to what the callable takes, and writing an unknown attribute of a wrapped C++ object raises.
Follows PythonQt's PythonQtInstanceWrapper.cpp and PythonQtSignalReceiver.cpp.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from types import ModuleType
from typing import Any

import shiboken6
from PySide6 import QtCore, QtGui, QtNetwork, QtUiTools, QtWidgets

from . import connections

MODULES: tuple[ModuleType, ...] = (QtCore, QtGui, QtWidgets, QtNetwork, QtUiTools)
# Shiboken looks these up by name on every object to find overrides in Python: they have to stay methods.
_VIRTUAL = {"sizeHint", "minimumSizeHint"}
_CONNECTORS: dict[str, Callable] = {"connect": connections.connect, "disconnect": connections.disconnect}


class QtProperty:
    """Descriptor of one Q_PROPERTY: reads and writes through the C++ getter and setter.

    Asked on the class it gives the static function of the same name where there is one (`QTimer.singleShot`).
    """

    def __init__(self, name: str, getter: Callable, setter: Callable | None, static: Callable | None = None) -> None:
        self._name, self._getter, self._setter, self._static = name, getter, setter, static

    def __get__(self, instance: Any, owner: type | None = None) -> Any:
        return self._static or self if instance is None else self._getter(instance)

    def __set__(self, instance: Any, value: Any) -> None:
        if self._setter is None:
            raise AttributeError(f"property '{self._name}' of {type(instance).__name__} object is not writable")
        self._setter(instance, value)


def is_wrapped_class(kind: type) -> bool:
    """Whether the class stands for a C++ class of Qt, CTK or Slicer, rather than one written in Python."""
    return kind.__module__.startswith("PySide6.") or "_follows" in vars(kind)


def property_names(kind: type) -> set[str]:
    """Names of all Qt properties of a class; asking its QMetaObject is no way, as PySide6 may have deleted it."""
    members = (item for base in kind.__mro__ for item in vars(base).items())
    return {name for name, value in members if isinstance(value, (QtCore.Property, QtProperty))}


def install() -> None:
    """Changes the classes of PySide6 in place, once in a process; there is no way back."""
    if hasattr(QtCore.QObject, "className"):
        return
    kinds = [kind for module in MODULES for kind in _classes(module)]
    for kind in sorted(kinds, key=lambda each: len(each.__mro__), reverse=True):
        _expose_properties(kind)  # subclasses first: their getters are found as methods of the base, still unhidden
    for kind in kinds:
        kind.__setattr__ = _set_attribute  # type: ignore[method-assign,assignment]
        if "__getattribute__" in vars(kind):  # the others inherit from one of these
            _offer_connect(kind)
    QtCore.QObject.className = lambda self: self.metaObject().className()  # type: ignore[attr-defined]
    QtCore.QObject.name = QtProperty(  # type: ignore[attr-defined]
        "name", lambda self: self.objectName, lambda self, value: self.setObjectName(value)
    )


def _classes(module: ModuleType) -> list[type]:
    found = (getattr(module, name) for name in dir(module))
    return [kind for kind in found if inspect.isclass(kind) and issubclass(kind, QtCore.QObject)]


def _expose_properties(kind: type) -> None:
    meta = kind.staticMetaObject  # type: ignore[attr-defined]
    for index in range(meta.propertyOffset(), meta.propertyCount()):
        declared = meta.property(index)
        name = declared.name()
        if name in _VIRTUAL:
            continue
        static = getattr(kind, name, None) if inspect.isbuiltin(getattr(kind, name, None)) else None
        setter = _setter(kind, name, declared.isWritable())
        setattr(kind, name, QtProperty(name, _getter(kind, name), setter, static))


def _getter(kind: type, name: str) -> Callable:
    capital = name[0].upper() + name[1:]
    for candidate in (name, f"is{capital}", f"has{capital}"):
        method = getattr(kind, candidate, None)
        if inspect.ismethoddescriptor(method) and not isinstance(method, QtCore.Signal):
            return method
    return lambda self: self.property(name)


def _setter(kind: type, name: str, writable: bool) -> Callable | None:
    if not writable:
        return None
    method = getattr(kind, f"set{name[0].upper()}{name[1:]}", None)
    return method or (lambda self, value: self.setProperty(name, value))


def _offer_connect(kind: type) -> None:
    read = kind.__getattribute__

    def get(self: Any, name: str) -> Any:
        connector = _CONNECTORS.get(name)
        if connector is None:
            return read(self, name)
        own = read(self, name)
        return lambda *given: connector(self, *given) if _names_a_signal(given) else own(*given)

    kind.__getattribute__ = get  # type: ignore[method-assign,assignment]


def _names_a_signal(given: tuple) -> bool:
    """Whether the arguments are PythonQt's; PySide6 calls `connect` itself, with a signal in its own coding."""
    return len(given) == 2 and isinstance(given[0], str) and not given[0].startswith("2")


def _set_attribute(self: Any, name: str, value: Any) -> None:
    """What PythonQtInstanceWrapper_setattro does: a property, a dynamic property, an attribute of a Python class."""
    declared = inspect.getattr_static(type(self), name, None)
    if isinstance(declared, QtCore.Property):
        if declared.fset is None:
            raise AttributeError(f"property '{name}' of {type(self).__name__} object is not writable")
        declared.fset(self, value)
    elif hasattr(type(declared), "__set__"):
        declared.__set__(self, value)  # type: ignore[union-attr]
    elif isinstance(value, QtCore.SignalInstance) or name.startswith("_") or not is_wrapped_class(type(self)):
        self.__dict__[name] = value
    elif name in [bytes(each.data()).decode() for each in self.dynamicPropertyNames()]:
        self.setProperty(name, value)
    elif declared is not None:
        raise AttributeError(f"Slot '{name}' can not be overwritten on this {type(self).__name__} object")
    else:
        raise AttributeError(
            f"Attribute '{name}' does not exist and creation of new attributes on C++ objects is not allowed"
            f" ({type(self).__name__})"
        )


def alive(wrapped: Any) -> bool:
    """Whether the C++ object behind a wrapper still exists."""
    return shiboken6.isValid(wrapped)
