"""Stand-in for the button that shows a segmentation in 3D."""

from __future__ import annotations

from typing import Any

import slicer

from .. import qt
from ..observers import Observers
from ..standin import follows, held


@follows("Slicer/Modules/Loadable/Segmentations/Widgets/qMRMLSegmentationShow3DButton.h")
class qMRMLSegmentationShow3DButton(qt.QPushButton):
    """Creates or removes the closed surfaces; the real one is a ctkMenuButton with smoothing options."""

    locked, setLocked = held("locked", False, "_update")

    def __init__(self, parent: Any = None) -> None:
        super().__init__("Show 3D", parent)
        self._node: Any = None
        self._events = Observers(self)
        self.setCheckable(True)
        self.clicked.connect(self._toggle)
        self._update()

    def segmentationNode(self) -> Any:
        return self._node

    def setSegmentationNode(self, node: Any) -> None:
        self._events.clear()
        self._node = node
        if node:
            for event in (slicer.vtkSegmentation.ContainedRepresentationNamesModified, "ModifiedEvent"):
                self._events.add(node, event, self._update)
        self._update()

    def _toggle(self, on: bool) -> None:
        if on:
            self._node.CreateClosedSurfaceRepresentation()
            self._node.GetDisplayNode().SetVisibility3D(True)
        else:
            self._node.RemoveClosedSurfaceRepresentation()

    def _update(self, *_: Any) -> None:
        self.setEnabled(self._node is not None and not self.locked)
        name = slicer.vtkSegmentationConverter.GetSegmentationClosedSurfaceRepresentationName()
        self.setChecked(bool(self._node and self._node.GetSegmentation().ContainsRepresentation(name)))
