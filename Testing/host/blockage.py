"""How long the GUI thread was not free: a timer that should fire every 5 ms, and its longest gap."""

from __future__ import annotations

import time

from . import qt

INTERVAL = 5  # milliseconds


class Blockage:
    """Use as a context around event pumping: `with host.blockage() as meter: …; meter.longest_ms`."""

    def __init__(self) -> None:
        self.longest_ms = 0.0
        self.firings = 0
        self._timer = qt.QTimer()
        self._timer.setTimerType(qt.Qt.PreciseTimer)
        self._timer.setInterval(INTERVAL)
        self._timer.timeout.connect(self._fired)
        self._last = 0.0

    def __enter__(self) -> Blockage:
        self._last = time.monotonic()
        self._timer.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._timer.stop()

    def _fired(self) -> None:
        now = time.monotonic()
        self.longest_ms = max(self.longest_ms, 1000 * (now - self._last))
        self.firings += 1
        self._last = now
