"""Time, progress and cancelling of one piece of work."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field

from .errors import Cancelled


@dataclass
class Progress:
    """Told where the work is; raises Cancelled between two steps once the user asked to stop.

    `report` receives a stage in words and the share done, 0…1. `seconds` holds what each stage took, in order.
    """

    report: Callable[[str, float], None] = lambda stage, share: None
    cancelled: Callable[[], bool] = lambda: False
    seconds: dict[str, float] = field(default_factory=dict)
    _stage: tuple[str, float] | None = None
    _end: float = 0.0
    _deadline: float = 0.0

    def start(self, seconds: float) -> None:
        """Starts the clock: optional steps may take so long in all."""
        self._end = time.monotonic() + seconds
        self.allot(1.0)

    def enter(self, stage: str, share: float) -> None:
        """Begins a stage, or continues one entered before; its time adds up."""
        self.leave()
        self.report(stage, share)
        self._stage = (stage, time.monotonic())
        self.check()

    def leave(self) -> None:
        """Ends the stage that is under way."""
        if self._stage:
            stage, since = self._stage
            self.seconds[stage] = self.seconds.get(stage, 0.0) + time.monotonic() - since
            self._stage = None

    def check(self) -> None:
        """Raises Cancelled if the user asked to stop."""
        if self.cancelled():
            raise Cancelled("cancelled, nothing was written")

    def allot(self, share: float) -> None:
        """Lets optional steps take this share, 0…1, of the time that is left, until the next call."""
        now = time.monotonic()
        self._deadline = now + share * max(0.0, self._end - now)

    def time_left(self) -> bool:
        """For loops of optional steps: raises Cancelled, or says whether there is time for one more."""
        self.check()
        return time.monotonic() < self._deadline
