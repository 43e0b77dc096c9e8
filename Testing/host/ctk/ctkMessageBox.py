"""Stand-in for CTK's message box."""

from __future__ import annotations

from typing import Any

from .. import qt
from ..standin import follows, held


@follows("CTK/Libs/Widgets/ctkMessageBox.h")
class ctkMessageBox(qt.QMessageBox):
    """A QMessageBox that can be skipped next time, by a key in the settings."""

    dontShowAgain, setDontShowAgain = held("dontShowAgain", False)
    dontShowAgainVisible, _setDontShowAgainVisible = held("dontShowAgainVisible", False)
    dontShowAgainSettingsKey, _setDontShowAgainSettingsKey = held("dontShowAgainSettingsKey", "", "_read_settings")

    def _read_settings(self) -> None:
        saved: Any = qt.QSettings().value(self.dontShowAgainSettingsKey)
        self.setDontShowAgain(saved is not None and int(saved) != int(qt.QMessageBox.InvalidRole.value))
        self.dontShowAgainVisible = True
