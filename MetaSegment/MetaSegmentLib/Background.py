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


class Task:
    """One piece of work. The worker asks `isAbandoned` and calls `tell`; everyone else stays on the GUI thread."""

    def __init__(self, news: SimpleQueue[tuple[Task, _News]]) -> None:
        self._news = news
        self._abandoned = Event()

    @property
    def isAbandoned(self) -> bool:
        """Whether nobody waits for the result any more."""
        return self._abandoned.is_set()

    def abandon(self) -> None:
        """Let nothing more of this task be heard; the work itself ends when it asks."""
        self._abandoned.set()

    def tell(self, news: _News) -> None:
        """Have `news` called on the GUI thread, unless the task is abandoned by then."""
        if not self.isAbandoned:
            self._news.put((self, news))


class Background:
    """Threads whose results arrive on the GUI thread. Example::

    background = Background()
    task = background.start(lambda task: learner.segment(...), done=showResult, failed=showError)
    task.abandon()                                       # neither is called
    background.stop()
    """

    def __init__(self) -> None:
        self._news: SimpleQueue[tuple[Task, _News]] = SimpleQueue()
        self._tasks: set[Task] = set()
        self._timer = qt.QTimer()
        self._timer.setInterval(_INTERVAL)
        self._timer.connect("timeout()", self._look)

    def start(
        self, work: Callable[[Task], _T], done: Callable[[_T], None], failed: Callable[[Exception], None]
    ) -> Task:
        """Run `work` in a thread; then call `done` with its result or `failed` with what it raised."""
        task = Task(self._news)
        self._tasks.add(task)
        Thread(target=self._run, args=(task, work, done, failed), name="MetaSegment", daemon=True).start()
        self._timer.start()
        return task

    def stop(self) -> None:
        """Abandon everything."""
        for task in self._tasks:
            task.abandon()
        self._tasks.clear()
        self._timer.stop()

    def _run(
        self, task: Task, work: Callable[[Task], _T], done: Callable[[_T], None], failed: Callable[[Exception], None]
    ) -> None:
        try:
            result = work(task)
        except Exception as error:
            failure = error  # Python forgets `error` at the end of this block
            task.tell(lambda: self._end(task, lambda: failed(failure)))
        else:
            task.tell(lambda: self._end(task, lambda: done(result)))

    def _end(self, task: Task, news: _News) -> None:
        self._tasks.discard(task)
        news()

    def _look(self) -> None:
        until = time.monotonic() + _LONGEST_LOOK
        self._tasks = {task for task in self._tasks if not task.isAbandoned}
        if not self._tasks:
            self._timer.stop()
        try:
            task, news = self._news.get(timeout=_BREATH)
            while True:
                if not task.isAbandoned:
                    news()
                if time.monotonic() > until:
                    return
                task, news = self._news.get_nowait()
        except Empty:
            pass
