"""Stand-in for CTK's collapsible section header, on plain Qt painting."""

from __future__ import annotations

from typing import Any

from PySide6 import QtCore

from .. import qt
from ..standin import follows, held

_PADDING = 6  # pixels above and below the header's text


@follows("CTK/Libs/Widgets/ctkCollapsibleButton.h")
class ctkCollapsibleButton(qt.QAbstractButton):
    """A button that shows its children when checked and hides them when collapsed."""

    contentsCollapsed = QtCore.Signal(bool)
    _signals = {"contentsCollapsed(bool)": "contentsCollapsed"}
    collapsedHeight, _setCollapsedHeight = held("collapsedHeight", 0, "_collapse")
    contentsLineWidth, _setContentsLineWidth = held("contentsLineWidth", 1)
    contentsMidLineWidth, _setContentsMidLineWidth = held("contentsMidLineWidth", 0)

    def __init__(self, text: Any = "", parent: Any = None) -> None:
        if not isinstance(text, str):
            text, parent = "", text
        super().__init__(parent)
        self._hidden: list[Any] = []
        self.setText(text)
        self.setCheckable(True)
        self.setChecked(True)
        self.setSizePolicy(qt.QSizePolicy.Minimum, qt.QSizePolicy.Preferred)
        self.setContentsMargins(0, self._header(), 0, 0)
        self.toggled.connect(self._toggle)

    collapsed = QtCore.Property(
        bool, lambda self: not self.checked, lambda self, value: self.setChecked(not value), notify=contentsCollapsed
    )

    def _header(self) -> int:
        return self.fontMetrics().height() + 2 * _PADDING

    def _toggle(self) -> None:
        self._collapse()
        self.contentsCollapsed.emit(self.collapsed)

    def _collapse(self) -> None:
        """Hides or shows the direct children; those that were hidden on their own stay hidden."""
        children = [child for child in self.children() if child.isWidgetType()]
        if self.collapsed:
            fresh = [child for child in children if not child.isHidden()]
            self._hidden += fresh
            for child in fresh:
                child.hide()
            self.setMaximumHeight(self._header() + self.collapsedHeight)
        else:
            for child in [child for child in children if child in self._hidden]:
                child.show()
            self._hidden = []
            self.setMaximumHeight((1 << 24) - 1)  # QWIDGETSIZE_MAX
        self.updateGeometry()

    def showEvent(self, event: Any) -> None:
        self._collapse()
        super().showEvent(event)

    def hitButton(self, position: Any) -> bool:
        return 0 <= position.y() < self._header()

    def sizeHint(self) -> Any:
        layout = self.layout()
        inner = layout.totalSizeHint() if layout and not self.collapsed else qt.QSize(0, 0)
        return inner.expandedTo(qt.QSize(self.fontMetrics().horizontalAdvance(self.text) + 40, self._header()))

    def minimumSizeHint(self) -> Any:
        layout = self.layout()
        inner = layout.totalMinimumSize() if layout and not self.collapsed else qt.QSize(0, 0)
        return inner.expandedTo(qt.QSize(self.fontMetrics().horizontalAdvance(self.text) + 40, self._header()))

    def paintEvent(self, event: Any) -> None:
        painter = qt.QStylePainter(self)
        button = qt.QStyleOptionButton()
        button.initFrom(self)
        button.rect = qt.QRect(0, 0, self.width, self._header())
        if self.down:
            button.state |= qt.QStyle.State_Sunken
        painter.drawControl(qt.QStyle.CE_PushButtonBevel, button)
        arrow = qt.QStyleOption(button)
        arrow.rect = qt.QRect(6, 0, 12, self._header())
        shape = qt.QStyle.PE_IndicatorArrowRight if self.collapsed else qt.QStyle.PE_IndicatorArrowDown
        painter.drawPrimitive(shape, arrow)
        words = qt.QRect(24, 0, self.width - 24, self._header())
        flags = int(qt.Qt.AlignLeft | qt.Qt.AlignVCenter | qt.Qt.TextShowMnemonic)
        painter.drawItemText(words, flags, self.palette, self.enabled, self.text, qt.QPalette.ButtonText)
        painter.end()
