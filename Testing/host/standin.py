"""What every stand-in for a CTK or Slicer class shares: the header it follows, and properties that only hold a value.

A stand-in has the members that Python sees of the real class and no others: properties, slots and invokable methods.
Its own machinery is named with a leading underscore.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

from PySide6 import QtCore

REGISTRY: dict[str, type] = {}  # class name -> stand-in, as the .ui loader and `slicer` offer them
_QT_NAMES = {bool: bool, int: int, float: float, str: "QString", list: "QStringList"}
Kind = TypeVar("Kind", bound=type)


def follows(header: str) -> Callable[[Kind], Kind]:
    """Marks a class as the stand-in for the C++ class of the same name, declared in the header."""

    def register(kind: Kind) -> Kind:
        kind._follows = header  # type: ignore[attr-defined]
        REGISTRY[kind.__name__] = kind
        return kind

    return register


def held(name: str, default: Any, changed: str = "") -> tuple[Any, Callable]:
    """A property that holds its value, and the setter; `changed` names the method to call after a change.

    Use as `collapsedHeight, setCollapsedHeight = held("collapsedHeight", 10)`; give the setter a name with a leading
    underscore where the real one is no slot, since Python does not see it there.
    """

    def read(self: Any) -> Any:
        return self.__dict__.get(f"_held_{name}", default)

    def write(self: Any, value: Any) -> None:
        value = type(default)(value)
        if value != read(self):
            self.__dict__[f"_held_{name}"] = value
            if changed:
                getattr(self, changed)()

    return QtCore.Property(_QT_NAMES[type(default)], read, write), write  # type: ignore[arg-type]


def forwarded(part: str, name: str, kind: type) -> Any:
    """A property that belongs to an inner widget, kept in the attribute `part`."""
    return QtCore.Property(
        _QT_NAMES[kind],  # type: ignore[arg-type]
        lambda self: getattr(getattr(self, part), name),
        lambda self, value: setattr(getattr(self, part), name, kind(value)),
    )
