"""Stand-in for a 3D view with its bar."""

from __future__ import annotations

from typing import Any

from .. import qt
from ..qmrml import qMRMLWidget
from ..standin import follows
from .qMRMLThreeDView import qMRMLThreeDView


@follows("Slicer/Libs/MRML/Widgets/qMRMLThreeDWidget.h")
class qMRMLThreeDWidget(qMRMLWidget):
    """Bar and view of one 3D view node; no view logic, since it cannot be given a node from Python."""

    def __init__(self, node: Any, application_logic: Any, parent: Any = None) -> None:
        super().__init__(parent)
        self._view = qMRMLThreeDView(node, application_logic)
        bar = qt.QLabel(node.GetLayoutLabel() or "1")
        bar.setStyleSheet("background: rgb(116, 120, 232); color: black; padding: 1px 8px; font-weight: bold")
        column = qt.QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(0)
        column.addWidget(bar)
        column.addWidget(self._view, 1)

    def mrmlViewNode(self) -> Any:
        return self._view.mrmlViewNode()

    def threeDView(self) -> Any:
        return self._view
