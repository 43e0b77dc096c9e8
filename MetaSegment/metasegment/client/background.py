"""Work on a thread of its own, with its progress and previews told to the thread that asked for it.

Knows nothing of HTTP: the caller's thread never waits for a network, so it can always be asked whether to stop.
"""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future
from queue import Empty, SimpleQueue
from threading import Event, Thread
from typing import TypeVar

import numpy as np

from ..errors import Cancelled
from ..progress import Progress

_T = TypeVar("_T")
#: Seconds between two questions whether to stop: ten a second feel immediate.
_POLL = 0.1

Preview = Callable[[np.ndarray], None]


class WorkReporter:
    """What the work tells those who wait for it, and how it hears that they no longer do."""

    def __init__(self, awaits_preview: bool = False) -> None:
        self.awaits_preview = awaits_preview
        self.messages: SimpleQueue[Callable[[Progress, Preview | None], None] | None] = SimpleQueue()
        self._stopped = Event()
        self._undo: Callable[[], None] | None = None

    def tell(self, stage: str, share: float) -> None:
        """A stage in words and the share done, 0…1."""
        self.messages.put(lambda progress, preview: progress.enter(stage, share))

    def show(self, labels: np.ndarray) -> None:
        """The first answer, labels uint8 (k, j, i); a second one is not awaited."""
        self.awaits_preview = False
        self.messages.put(lambda progress, preview: preview(labels) if preview else None)

    def check(self) -> None:
        """Raises Cancelled once nobody waits any more."""
        if self._stopped.is_set():
            raise Cancelled("cancelled, nothing was written")

    def pause(self, seconds: float) -> None:
        """Waits so long; raises Cancelled as soon as nobody waits any more."""
        self._stopped.wait(seconds)
        self.check()

    def on_stop(self, undo: Callable[[], None]) -> None:
        """Lets `undo` be called, on whichever thread, when nobody waits any more; at once if that is so already."""
        self._undo = undo
        if self._stopped.is_set():
            undo()

    def stop(self) -> None:
        self._stopped.set()
        if self._undo:
            self._undo()


def in_background(work: Callable[[WorkReporter], _T], progress: Progress, preview: Preview | None) -> _T:
    """Returns the result of the work, or what it raised; raises Cancelled when asked to, without waiting for the work.

    Progress, preview and the question whether to stop run on the caller's thread.
    """
    reporter, future = WorkReporter(preview is not None), Future[_T]()
    Thread(target=_run, args=(work, reporter, future), name="metasegment request", daemon=True).start()
    try:
        while True:
            progress.check()
            try:
                message = reporter.messages.get(timeout=_POLL)
            except Empty:
                continue
            if message is None:
                break
            message(progress, preview)
    except BaseException:  # the user's stop, Ctrl-C, or a callback that failed
        reporter.stop()
        raise
    result = future.result()
    progress.leave()
    progress.report("done", 1.0)
    return result


def _run(work: Callable[[WorkReporter], _T], reporter: WorkReporter, future: Future[_T]) -> None:
    try:
        future.set_result(work(reporter))
    except BaseException as error:
        future.set_exception(error)
    reporter.messages.put(None)
