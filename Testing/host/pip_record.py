"""What a module asked to install, and how the installation ends; stands behind slicer.packaging and slicer.util.

Both, Slicer's own files and the host's, install by slicer.util.executePythonModule: only that is replaced.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from subprocess import CalledProcessError
from typing import Any

import slicer

from . import qt

_SOON = 20  # ms


@dataclass(frozen=True)
class Request:
    """One installation: requirement specifiers, or what else pip was told to do."""

    requirements: tuple[str, ...]


@dataclass
class PipRecord:
    """Requests in their order; every one ends with exit code `code` after `lines` of output. pip never runs."""

    requests: list[Request] = field(default_factory=list)
    code: int = 0
    lines: tuple[str, ...] = ()

    def install(self) -> None:
        """From now on pip is not run but noted."""
        self._execute = slicer.util.executePythonModule
        slicer.util.executePythonModule = self._asked

    def withdraw(self) -> None:
        """Gives slicer.util its own function back."""
        slicer.util.executePythonModule = self._execute

    def _asked(
        self,
        module: str,
        args: list[str],
        blocking: bool = True,
        logCallback: Callable[[str], Any] | None = None,
        completedCallback: Callable[[int], Any] | None = None,
    ) -> None:
        if module != "pip":
            self._execute(module, args, blocking, logCallback, completedCallback)
            return
        self.requests.append(Request(tuple(args[1:] if args[0] == "install" else args)))
        code, lines = self.code, self.lines

        def finish() -> None:
            for line in lines:
                (logCallback or print)(line)
            if completedCallback:
                completedCallback(code)

        if not blocking:
            qt.QTimer.singleShot(_SOON, finish)
            return
        finish()
        if code:
            raise CalledProcessError(code, "pip")
