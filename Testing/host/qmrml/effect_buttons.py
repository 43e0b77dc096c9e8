"""The buttons of segment editor effects; the effects themselves are not in the host."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from .. import qt

EFFECTS = (  # as Slicer 5.12 lists them
    *("None", "Threshold", "Paint", "Draw", "Erase", "Level tracing", "Grow from seeds", "Fill between slices"),
    *("Margin", "Hollow", "Smoothing", "Scissors", "Islands", "Logical operators", "Mask volume"),
)


class EffectButtons(qt.QWidget):
    """A grid of buttons, one of which is down: that of the active effect."""

    def __init__(self, chosen: Callable[[str], Any]) -> None:
        super().__init__()
        self._chosen = chosen
        self._grid = qt.QGridLayout(self)
        self._grid.setContentsMargins(0, 0, 0, 0)

    def fill(self, names: list[str], columns: int, style: Any) -> None:
        """Shows buttons for these effects; icons are initials."""
        while self._grid.count():
            self._grid.takeAt(0).widget().deleteLater()
        for position, name in enumerate(names):
            button = qt.QToolButton()
            button.setText(name)
            button.setToolTip(name)
            button.setIcon(_initial(button, name))
            button.setToolButtonStyle(style)
            button.setCheckable(True)
            button.setSizePolicy(qt.QSizePolicy.Expanding, qt.QSizePolicy.Fixed)
            button.clicked.connect(lambda *_, name=name: self._chosen(name))
            self._grid.addWidget(button, *divmod(position, max(1, columns)))

    def mark(self, active: str) -> None:
        """Presses the active effect's button; "None" where there is none."""
        for index in range(self._grid.count()):
            button = self._grid.itemAt(index).widget()
            button.setChecked(button.text == (active or "None"))


def _initial(button: Any, name: str) -> Any:
    size = button.fontMetrics().height()
    pixmap = qt.QPixmap(size, size)
    pixmap.fill(qt.Qt.transparent)
    painter = qt.QPainter(pixmap)
    painter.drawText(pixmap.rect(), qt.Qt.AlignCenter, name[:1])
    painter.end()
    return qt.QIcon(pixmap)
