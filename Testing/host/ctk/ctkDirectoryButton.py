"""Stand-in for CTK's button that holds a folder."""

from __future__ import annotations

from typing import Any

from PySide6 import QtCore

from .. import qt
from ..standin import follows, held


@follows("CTK/Libs/Widgets/ctkDirectoryButton.h")
class ctkDirectoryButton(qt.QWidget):
    """A push button that shows a folder and asks for another when clicked."""

    directoryChanged = QtCore.Signal(str)
    directorySelected = QtCore.Signal(str)
    _signals = {
        "directoryChanged(QString)": "directoryChanged",
        "directorySelected(QString)": "directorySelected",
    }
    caption, _setCaption = held("caption", "")
    text, _setText = held("text", "", "_show")
    directory, _setDirectory = held("directory", ".", "_changed")

    def __init__(self, parent: Any = None) -> None:
        super().__init__(parent)
        self._button = qt.QPushButton()
        row = qt.QHBoxLayout(self)
        row.setContentsMargins(0, 0, 0, 0)
        row.addWidget(self._button)
        self._button.clicked.connect(self.browse)
        self._show()

    def browse(self) -> str:
        path = qt.QFileDialog.getExistingDirectory(self, self.caption, self.directory)
        if path:
            self.directory = path
            self.directorySelected.emit(path)
        return path

    def _changed(self) -> None:
        self._show()
        self.directoryChanged.emit(self.directory)

    def _show(self) -> None:
        self._button.setText(self.text or self.directory)
