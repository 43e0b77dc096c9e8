"""Stand-in for CTK's collapsible group box."""

from __future__ import annotations

from typing import Any

from PySide6 import QtCore

from .. import qt
from ..standin import follows, held


@follows("CTK/Libs/Widgets/ctkCollapsibleGroupBox.h")
class ctkCollapsibleGroupBox(qt.QGroupBox):
    """A checkable group box that shows its contents when checked."""

    collapsedHeight, _setCollapsedHeight = held("collapsedHeight", 14)

    def __init__(self, title: Any = "", parent: Any = None) -> None:
        if not isinstance(title, str):
            title, parent = "", title
        super().__init__(title, parent)
        self._hidden: list[Any] = []
        self.setCheckable(True)
        self.setChecked(True)
        self.toggled.connect(self._expand)

    collapsed = QtCore.Property(bool, lambda self: not self.checked, lambda self, value: self.setChecked(not value))

    def _expand(self) -> None:
        children = [child for child in self.children() if child.isWidgetType()]
        if self.collapsed:
            self._hidden = [child for child in children if not child.isHidden()]
        for child in self._hidden:
            child.setVisible(not self.collapsed)

    def showEvent(self, event: Any) -> None:
        if self.collapsed and not self._hidden:
            self._expand()
        super().showEvent(event)
