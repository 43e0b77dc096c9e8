"""Stand-in for CTK's path line edit."""

from __future__ import annotations

from enum import IntFlag
from pathlib import Path
from typing import Any

from PySide6 import QtCore

from .. import qt
from ..standin import follows, held


class _Filter(IntFlag):
    Dirs = 0x001
    Files = 0x002
    Drives = 0x004
    NoSymLinks = 0x008
    AllEntries = 0x007
    Readable = 0x010
    Writable = 0x020
    Executable = 0x040
    Hidden = 0x100


@follows("CTK/Libs/Widgets/ctkPathLineEdit.h")
class ctkPathLineEdit(qt.QWidget):
    """A line to type a path, and a button to browse for one."""

    validInputChanged = QtCore.Signal(bool)
    currentPathChanged = QtCore.Signal(str)
    _signals = {
        "validInputChanged(bool)": "validInputChanged",
        "currentPathChanged(QString)": "currentPathChanged",
    }
    locals().update(_Filter.__members__)
    label, _setLabel = held("label", "")
    settingKey, _setSettingKey = held("settingKey", "", "retrieveHistory")
    nameFilters, _setNameFilters = held("nameFilters", [])
    showHistoryButton, _setShowHistoryButton = held("showHistoryButton", True)
    minimumContentsLength, _setMinimumContentsLength = held("minimumContentsLength", 0)
    filters, _setFilters = held("filters", int(_Filter.AllEntries))

    def __init__(self, parent: Any = None) -> None:
        super().__init__(parent)
        self._combo = qt.QComboBox()
        self._combo.setEditable(True)
        self._combo.setInsertPolicy(qt.QComboBox.NoInsert)
        self._browse = qt.QToolButton()
        self._browse.setText("...")
        row = qt.QHBoxLayout(self)
        row.setContentsMargins(0, 0, 0, 0)
        row.addWidget(self._combo, 1)
        row.addWidget(self._browse)
        self._combo.editTextChanged.connect(self.currentPathChanged.emit)
        self._browse.clicked.connect(self.browse)

    def setCurrentPath(self, path: str) -> None:
        self._combo.setEditText(path)

    currentPath = QtCore.Property(
        "QString", lambda self: self._combo.currentText, lambda self, path: self.setCurrentPath(path)
    )
    showBrowseButton = QtCore.Property(
        bool, lambda self: not self._browse.isHidden(), lambda self, shown: self._browse.setVisible(shown)
    )

    def browse(self) -> None:
        folder = str(Path(self.currentPath).parent) if self.currentPath else ""
        if not self.filters & _Filter.Files:
            path = qt.QFileDialog.getExistingDirectory(self, self.label, self.currentPath)
        else:
            ask = "getSaveFileName" if self.filters & _Filter.Writable else "getOpenFileName"
            path = getattr(qt.QFileDialog, ask)(self, self.label, folder, ";;".join(self.nameFilters))
        if path:
            self.setCurrentPath(path)

    def retrieveHistory(self) -> None:
        path = self.currentPath
        self._combo.clear()
        self._combo.addItems(list(qt.QSettings().value(self._key()) or []))
        self._combo.setEditText(path)

    def addCurrentPathToHistory(self) -> None:
        history = [self.currentPath, *(qt.QSettings().value(self._key()) or [])]
        qt.QSettings().setValue(self._key(), list(dict.fromkeys(history)))

    def _key(self) -> str:
        return f"ctkPathLineEdit/{self.settingKey or self.objectName}"
