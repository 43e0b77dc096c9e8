"""Every modal dialog of the process, recorded and answered by the test instead of a user; none is ever shown.

A box with one button is closed at once. A question needs an answer given before it is asked: without one it raises.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from typing import Any

from . import qt


@dataclass(frozen=True)
class Shown:
    """One dialog: its class, window title and text."""

    kind: str
    title: str
    text: str


class UnansweredQuestion(AssertionError):
    """A dialog waits for an answer that the test has not given."""


class Dialogs:
    """What was shown, and the answers that are waiting."""

    def __init__(self) -> None:
        self.shown: list[Shown] = []
        self._answers: deque[Any] = deque()

    def answer(self, *answers: Any) -> None:
        """Queues answers: a button (qt.QMessageBox.Ok), a path, a text, the text of a menu's
        action, or True and False for accept and reject.
        """
        self._answers.extend(answers)

    def texts(self) -> list[str]:
        """The texts shown so far."""
        return [each.text for each in self.shown]

    def clear(self) -> None:
        """Forgets what was shown and the answers not used."""
        self.shown.clear()
        self._answers.clear()

    def install(self) -> None:
        """Replaces exec, exec_ and the static questions of Qt's dialogs."""
        for name in ("exec", "exec_"):
            setattr(qt.QDialog, name, lambda dialog: self._run(dialog))
            setattr(qt.QMessageBox, name, lambda box: self._run_box(box))
        for name in ("information", "warning", "critical", "question"):
            setattr(qt.QMessageBox, name, self._static_box(name))
        for name, empty in (("getOpenFileName", ""), ("getSaveFileName", ""), ("getExistingDirectory", "")):
            setattr(qt.QFileDialog, name, self._static_path(name, empty))
        qt.QInputDialog.getText = staticmethod(self._static_text)
        for name in ("exec", "exec_"):
            setattr(qt.QMenu, name, lambda menu, *position: self._run_menu(menu))

    def _take(self, shown: Shown) -> Any:
        self.shown.append(shown)
        if not self._answers:
            raise UnansweredQuestion(f"{shown.kind} '{shown.title}' asks: {shown.text}")
        return self._answers.popleft()

    def _run(self, dialog: Any) -> int:
        words = " ".join(each.text for each in dialog.findChildren(qt.QLabel))
        shown = Shown(type(dialog).__name__, dialog.windowTitle, words)
        if not dialog.findChildren(qt.QAbstractButton):  # slicer.util.delayDisplay
            self.shown.append(shown)
            return 0
        dialog.done(int(bool(self._take(shown))))
        return int(dialog.result())

    def _run_box(self, box: Any) -> Any:
        shown = Shown(type(box).__name__, box.windowTitle.strip(), box.text)
        if getattr(box, "dontShowAgain", False):
            return qt.QMessageBox.Ok
        buttons = [each for each in box.buttons() if box.buttonRole(each) != qt.QMessageBox.ActionRole]
        if len(buttons) < 2:
            self.shown.append(shown)
            return box.standardButton(buttons[0]) if buttons else qt.QMessageBox.Ok
        return self._take(shown)

    def _static_box(self, kind: str) -> Any:
        def show(parent: Any, title: str, text: str, *buttons: Any) -> Any:
            shown = Shown(f"QMessageBox.{kind}", title, text)
            if kind == "question":
                return self._take(shown)
            self.shown.append(shown)
            return qt.QMessageBox.Ok

        return staticmethod(show)

    def _static_path(self, name: str, empty: str) -> Any:
        def ask(parent: Any = None, caption: str = "", directory: str = "", filters: str = "", *more: Any) -> str:
            return str(self._take(Shown(f"QFileDialog.{name}", caption, filters)) or empty)

        return staticmethod(ask)

    def _static_text(self, parent: Any, title: str, label: str, *more: Any) -> str:
        """PythonQt returns the text alone: empty where the dialog was cancelled."""
        return str(self._take(Shown("QInputDialog.getText", title, label)) or "")

    def _run_menu(self, menu: Any) -> Any:
        texts = {action.text: action for action in menu.actions() if action.enabled}
        chosen = texts.get(self._take(Shown("QMenu", menu.title, ", ".join(texts))))
        if chosen is not None:
            chosen.trigger()
        return chosen
