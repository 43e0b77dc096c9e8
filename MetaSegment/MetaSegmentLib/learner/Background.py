"""Blocking work in threads of its own, and its news on the GUI thread. Knows nothing of learners; touches no MRML.

Never runs a nested event loop: a timer looks for news, and only while there is work.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from queue import Empty, SimpleQueue
from threading import Event, Thread
from typing import TypeVar

import qt

_T = TypeVar("_T")
_News = Callable[[], None]
#: Milliseconds between two looks for news: progress seems continuous.
_INTERVAL = 20
#: Seconds of each look in which the GUI thread waits without the interpreter's lock. Slicer's event loop may hold
#: that lock even when idle (PythonQt without full thread support), so that other Python threads would hardly run.
_BREATH = 0.005
#: Seconds after which the rest of the news waits for the next look, so that the GUI stays responsive.
_LONGEST_LOOK = 0.02


class Job:
    """One piece of work. The worker asks `isAbandoned` and calls `tell`; everyone else stays on the GUI thread."""

    def __init__(self, news: SimpleQueue[tuple[Job, _News]]) -> None:
        self._news = news
        self._abandoned = Event()

    @property
    def isAbandoned(self) -> bool:
        """Whether nobody waits for the result any more."""
        return self._abandoned.is_set()

    def abandon(self) -> None:
        """Let nothing more of this job be heard; the work itself ends when it asks."""
        self._abandoned.set()

    def tell(self, news: _News) -> None:
        """Have `news` called on the GUI thread, unless the job is abandoned by then."""
        if not self.isAbandoned:
            self._news.put((self, news))


class Background:
    """Threads whose results arrive on the GUI thread. Example::

    background = Background()
    job = background.start(lambda job: learner.segment(...), done=showResult, failed=showError)
    job.abandon()                                       # neither is called
    background.stop()
    """

    def __init__(self) -> None:
        self._news: SimpleQueue[tuple[Job, _News]] = SimpleQueue()
        self.jobs: set[Job] = set()
        self._timer = qt.QTimer()
        self._timer.setInterval(_INTERVAL)
        self._timer.connect("timeout()", self._look)

    def start(self, work: Callable[[Job], _T], done: Callable[[_T], None], failed: Callable[[Exception], None]) -> Job:
        """Run `work` in a thread; then call `done` with its result or `failed` with what it raised."""
        job = Job(self._news)
        self.jobs.add(job)
        Thread(target=self._run, args=(job, work, done, failed), name="MetaSegment", daemon=True).start()
        self._timer.start()
        return job

    def stop(self) -> None:
        """Abandon everything."""
        for job in self.jobs:
            job.abandon()
        self.jobs.clear()
        self._timer.stop()

    def _run(
        self, job: Job, work: Callable[[Job], _T], done: Callable[[_T], None], failed: Callable[[Exception], None]
    ) -> None:
        try:
            result = work(job)
        except Exception as error:
            failure = error  # Python forgets `error` at the end of this block
            job.tell(lambda: self._end(job, lambda: failed(failure)))
        else:
            job.tell(lambda: self._end(job, lambda: done(result)))

    def _end(self, job: Job, news: _News) -> None:
        self.jobs.discard(job)
        news()

    def _look(self) -> None:
        until = time.monotonic() + _LONGEST_LOOK
        self.jobs = {job for job in self.jobs if not job.isAbandoned}
        if not self.jobs:
            self._timer.stop()
        try:
            job, news = self._news.get(timeout=_BREATH)
            while True:
                if not job.isAbandoned:
                    news()
                if time.monotonic() > until:
                    return
                job, news = self._news.get_nowait()
        except Empty:
            pass
