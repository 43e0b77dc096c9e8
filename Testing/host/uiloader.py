"""Loads .ui files as Slicer's QUiLoader does, with stand-ins for CTK and qMRML widgets; draws nothing of its own.

Stricter than Qt, so that a typo fails here: an unknown class, property, signal or slot raises. Connections with a
pointer in their signature, which PySide6 ignores, are made here.
"""

from __future__ import annotations

from typing import Any
from xml.etree import ElementTree

from PySide6 import QtCore, QtUiTools, QtWidgets

from . import connections
from .pythonqt import property_names
from .standin import REGISTRY

_OF_THE_LOADER = {"leftMargin", "topMargin", "rightMargin", "bottomMargin", "margin", "buddy"}  # by QUiLoader


class UiLoader(QtUiTools.QUiLoader):
    """`slicer.util.loadUI` uses it under the name qt.QUiLoader."""

    def load(self, device: QtCore.QIODevice, parent: QtWidgets.QWidget | None = None) -> QtWidgets.QWidget:
        """The widget tree of the file; RuntimeError names what is not known in it."""
        tree = ElementTree.fromstring(bytes(device.readAll().data()))
        problems = [problem for widget in tree.iter("widget") for problem in _unknown(widget)]
        if problems:
            raise RuntimeError("; ".join(problems))
        wired = tree.find("connections")
        listed = [] if wired is None else list(wired)
        if wired is not None:
            tree.remove(wired)
        buffer = QtCore.QBuffer(self)
        buffer.setData(ElementTree.tostring(tree))
        buffer.open(QtCore.QIODevice.ReadOnly)
        widget = super().load(buffer, parent)
        for each in listed:
            _connect(widget, {part.tag: part.text or "" for part in each})
        return widget

    def createWidget(
        self, className: str, parent: QtWidgets.QWidget | None = None, name: str = ""
    ) -> QtWidgets.QWidget:
        """Called by Qt for every widget of the file."""
        kind = REGISTRY.get(className)
        if kind is None:
            return super().createWidget(className, parent, name)
        widget = kind(parent)
        widget.setObjectName(name)
        return widget


def _unknown(widget: ElementTree.Element) -> list[str]:
    class_name = widget.get("class", "")
    kind = REGISTRY.get(class_name) or getattr(QtWidgets, class_name, None)
    if kind is None:
        return [f"unknown widget class '{class_name}'"]
    known = property_names(kind) | _OF_THE_LOADER
    return [
        f"{class_name} '{widget.get('name')}' has no property '{each.get('name')}'"
        for each in widget.findall("property")
        if each.get("stdset") != "0" and each.get("name") not in known
    ]


def _connect(root: QtWidgets.QWidget, wire: dict[str, str]) -> None:
    sender, receiver = (_named(root, wire[role]) for role in ("sender", "receiver"))
    name = wire["slot"].partition("(")[0]
    slot = getattr(receiver, name, None)
    if not callable(slot):
        raise RuntimeError(f"{receiver.className()} '{wire['receiver']}' has no slot '{wire['slot']}'")
    connections.connect(sender, wire["signal"], slot)


def _named(root: QtWidgets.QWidget, name: str) -> Any:
    found = root if root.objectName == name else root.findChild(QtCore.QObject, name)  # type: ignore[comparison-overlap]
    if found is None:
        raise RuntimeError(f"a connection names '{name}', which is not in the file")
    return found
