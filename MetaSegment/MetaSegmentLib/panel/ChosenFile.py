"""Asks the user for a file."""

from __future__ import annotations

import qt


def fileToWrite(title: str, kinds: str, suffix: str) -> str:
    """The file that the user names, with a suffix; empty where the dialog was cancelled."""
    path = qt.QFileDialog.getSaveFileName(None, title, "", kinds)
    return path if not path or "." in path.rsplit("/", 1)[-1] else path + suffix


def fileToRead(title: str, kinds: str) -> str:
    """The file that the user chooses; empty where the dialog was cancelled."""
    return str(qt.QFileDialog.getOpenFileName(None, title, "", kinds))
