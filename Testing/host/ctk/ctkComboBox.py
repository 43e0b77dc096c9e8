"""Stand-in for CTK's combo box."""

from __future__ import annotations

from PySide6 import QtCore

from .. import qt
from ..standin import follows, held


@follows("CTK/Libs/Widgets/ctkComboBox.h")
class ctkComboBox(qt.QComboBox):
    """A QComboBox with a default text and access to the current user data as text."""

    defaultTextChanged = QtCore.Signal(str)
    currentUserDataAsStringChanged = QtCore.Signal(str)
    _signals = {
        "defaultTextChanged(QString)": "defaultTextChanged",
        "currentUserDataAsStringChanged(QString)": "currentUserDataAsStringChanged",
    }
    defaultText, _setDefaultText = held("defaultText", "", "_show_default")

    def _show_default(self) -> None:
        self.setPlaceholderText(self.defaultText)
        self.defaultTextChanged.emit(self.defaultText)

    def setCurrentUserDataAsString(self, text: str) -> None:
        self.setCurrentIndex(self.findData(text))

    currentUserDataAsString = QtCore.Property(
        "QString",
        lambda self: str(self.currentData or ""),
        lambda self, text: self.setCurrentUserDataAsString(text),
    )
