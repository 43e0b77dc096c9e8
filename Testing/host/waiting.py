"""Runs Qt's event loop until something holds, without a nap of its own: timers fire on time meanwhile."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from . import qt

_LOOK = 5  # milliseconds between two looks at the condition


def run_until(condition: Callable[[], Any], seconds: float) -> bool:
    """Whether the condition came to hold within the time; what the condition raises is raised here."""
    loop, timer = qt.QEventLoop(), qt.QTimer()
    end = time.monotonic() + seconds
    outcome: list[bool | BaseException] = []

    def look() -> None:
        try:
            holds = bool(condition())
        except BaseException as error:
            outcome.append(error)
        else:
            if holds or time.monotonic() > end:
                outcome.append(holds)
        if outcome:
            loop.quit()

    timer.timeout.connect(look)
    timer.start(_LOOK)
    look()
    if not outcome:
        loop.exec()
    timer.stop()
    if isinstance(outcome[0], BaseException):
        raise outcome[0]
    return outcome[0]
