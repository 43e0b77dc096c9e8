"""Keys for the panel's buttons, heard in the whole main window while the module is shown."""

from __future__ import annotations

from collections.abc import Mapping

import qt
import slicer


class Shortcuts:
    """Keys that click buttons. Example::

    shortcuts = Shortcuts({"Ctrl+Return": ui.segmentButton})
    shortcuts.install(); shortcuts.uninstall()           # when the module is entered and left
    """

    def __init__(self, buttons: Mapping[str, qt.QPushButton]) -> None:
        self._buttons = buttons
        self._shortcuts: list[qt.QShortcut] = []

    def install(self) -> None:
        """Listen; does nothing where there is no main window."""
        window = slicer.util.mainWindow()
        if self._shortcuts or window is None:
            return
        for keys, button in self._buttons.items():
            shortcut = qt.QShortcut(qt.QKeySequence(keys), window)
            shortcut.connect("activated()", button.click)
            self._shortcuts.append(shortcut)

    def uninstall(self) -> None:
        """Stop listening."""
        for shortcut in self._shortcuts:
            shortcut.setParent(None)
            shortcut.deleteLater()
        self._shortcuts = []
