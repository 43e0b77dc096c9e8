"""What Slicer's Python sees because the application runs: qt and ctk, slicer.app, slicer.modules, slicer's widgets.

Withdrawn when the host closes, so that tests which need no application find slicer-core as it was.
"""

from __future__ import annotations

import sys
from typing import Any

import slicer

from . import ctk, qmrml, qt
from .application.modules import (
    qSlicerLoadableModule,
    qSlicerScriptedLoadableModule,
    qSlicerScriptedLoadableModuleWidget,
)

_KINDS = (qSlicerLoadableModule, qSlicerScriptedLoadableModule, qSlicerScriptedLoadableModuleWidget)
_ABSENT = object()


class Modules:
    """`slicer.modules`: an attribute a module; a module that is not here raises."""


class Publication:
    """In force from its making to `withdraw`."""

    def __init__(self, app: Any) -> None:
        sys.modules["qt"], sys.modules["ctk"] = qt, ctk
        kinds = {name: getattr(qmrml, name) for name in qmrml.__all__} | {kind.__name__: kind for kind in _KINDS}
        published = {"app": app, "modules": Modules(), **kinds}
        self._before = {name: vars(slicer).get(name, _ABSENT) for name in ("mrmlScene", "selfTests", *published)}
        vars(slicer).update(published)

    def withdraw(self) -> None:
        """Leaves slicer as it was found."""
        for name in ("qt", "ctk"):
            sys.modules.pop(name, None)
        for name, value in self._before.items():
            if value is _ABSENT:
                vars(slicer).pop(name, None)
            else:
                vars(slicer)[name] = value
