"""What goes wrong where nobody would see it: exceptions in callbacks, and Qt's own warnings, as of a wrong thread."""

from __future__ import annotations

import sys
import traceback
from types import TracebackType

from PySide6 import QtCore

_HARMLESS = ("does not support propagateSizeHints",)  # said by the offscreen platform of every window


class Complaints:
    """Collects them while installed."""

    def __init__(self) -> None:
        self.errors: list[str] = []  # tracebacks
        self.warnings: list[str] = []  # Qt's messages
        self._hook = sys.excepthook

    def install(self) -> None:
        sys.excepthook = self._note_error
        QtCore.qInstallMessageHandler(self._note_warning)

    def uninstall(self) -> None:
        sys.excepthook = self._hook
        QtCore.qInstallMessageHandler(None)

    def _note_error(self, kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
        self.errors.append("".join(traceback.format_exception(kind, error, trace)))
        self._hook(kind, error, trace)

    def _note_warning(self, kind: QtCore.QtMsgType, context: QtCore.QMessageLogContext, text: str) -> None:
        serious = kind in (QtCore.QtMsgType.QtWarningMsg, QtCore.QtMsgType.QtCriticalMsg)
        if serious and not any(each in text for each in _HARMLESS):
            self.warnings.append(text)
            print(text, file=sys.stderr)
