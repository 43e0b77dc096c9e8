"""Hears when the user sets the brush on a slice view, before the segment editor's effect does. Changes nothing."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import slicer
import vtk

#: Above that of the segment editor's effects (qMRMLSegmentEditorWidget::setupViewObservations: 1).
_PRIORITY = 2.0


class BrushObserver:
    """Listens to the left mouse button. Example::

    brush = BrushObserver(onPressed=slices.beginMending)      # is given the slice view's node
    brush.install(); brush.uninstall()                        # when the module is entered and left, and for new layouts
    """

    def __init__(self, onPressed: Callable[[slicer.vtkMRMLSliceNode], None]) -> None:
        self._onPressed = onPressed
        self._observed: dict[str, tuple[Any, int]] = {}

    def install(self) -> None:
        """Listen to the views that there are now, too."""
        layout = slicer.app.layoutManager()
        for name in layout.sliceViewNames() if layout else ():
            if name not in self._observed:
                widget = layout.sliceWidget(name)
                interactor, node = widget.sliceView().interactor(), widget.mrmlSliceNode()
                heard = lambda caller, event, node=node: self._onPressed(node)  # noqa: E731
                self._observed[name] = (
                    interactor,
                    interactor.AddObserver(vtk.vtkCommand.LeftButtonPressEvent, heard, _PRIORITY),
                )

    def uninstall(self) -> None:
        """Stop listening."""
        for interactor, tag in self._observed.values():
            interactor.RemoveObserver(tag)
        self._observed = {}
