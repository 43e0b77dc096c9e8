"""Observations of VTK objects on behalf of a widget, which end with the widget; delivers nothing to a dead one."""

from __future__ import annotations

import weakref
from collections.abc import Callable
from functools import partial
from typing import Any

import shiboken6
import vtk

from .connections import cut

_living: weakref.WeakSet[Observers] = weakref.WeakSet()


def clear_all() -> None:
    """Ends the observations of all widgets. Python's collector would else empty callbacks that VTK still calls, since
    it takes a VTK object for dead when only C++ holds it.
    """
    for each in list(_living):
        each.clear()


class Observers:
    """Keeps (object, tag) pairs; callbacks are bound methods of the owner, held weakly."""

    def __init__(self, owner: Any) -> None:
        self._tags: list[tuple[vtk.vtkObject, int]] = []
        owner.destroyed.connect(partial(_remove, self._tags))
        _living.add(self)

    def add(self, subject: vtk.vtkObject | None, event: int | str, method: Callable, with_node: bool = False) -> None:
        """Calls the owner's method whenever the subject invokes the event; with the node that the event is about where
        the event carries one. Never ask for a node of an event that carries text: VTK would read the text as an object.
        """
        if subject is not None:
            self._tags.append((subject, subject.AddObserver(event, _weakly(method, with_node))))

    def clear(self) -> None:
        """Ends all observations."""
        _remove(self._tags)


def _remove(tags: list[tuple[vtk.vtkObject, int]], *_: Any) -> None:
    for subject, tag in tags:
        subject.RemoveObserver(tag)
    tags.clear()


def _weakly(method: Callable, with_node: bool) -> Callable:
    reference = weakref.WeakMethod(method)

    def call(caller: vtk.vtkObject, event: str, node: Any = None) -> None:
        bound = reference()
        if bound is not None and shiboken6.isValid(bound.__self__):
            bound(*cut(bound, (node,)))

    if with_node:
        call.CallDataType = vtk.VTK_OBJECT  # type: ignore[attr-defined]
    return call
