"""All jobs of the service: admitted if they fit, run in fair order, superseded, cancelled, kept for a while.

Threads meet here and in the store alone. Knows neither HTTP nor how a job is done.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from heapq import nlargest

from ..wire import messages
from ..wire.messages import JobStatus, Problem, State
from .fairness import fair_order
from .job import Job
from .limits import Limits
from .refusal import Refusal, busy
from .store import Store

#: What is stored of an answer: pieces of one body.
Body = list[bytes | memoryview]


class Jobs:
    """`workers` is how many jobs run at a time; `on_end` is told of each job that ended, under the lock."""

    def __init__(self, limits: Limits, store: Store, workers: int, on_end: Callable[[Job], None]) -> None:
        self._limits = limits
        self._store = store
        self._workers = workers
        self._on_end = on_end
        self._changed = threading.Condition(threading.RLock())
        self._jobs: dict[str, Job] = {}
        self._held: list[Job] = []  # those whose work is in memory, by arrival
        self._order: list[Job] = []  # those that wait
        self._served: dict[str, int] = {}
        self._listeners: set[Callable[[], None]] = set()
        self.closed = False

    def submit(self, job: Job) -> JobStatus:
        """Admits a job, which supersedes older ones; refuses it where there are too many or memory is short."""
        with self._changed:
            superseded = [older for older in self._held if older.live and older.is_superseded_by(job)]
            self._refuse_too_many(job, superseded)
            if self._store.pin(job.request.volume) is None:
                raise Refusal(messages.UNKNOWN_VOLUME, "the service does not have this volume; send it first")
            staying = [older for older in self._held if not (older in superseded and older.state == "queued")]
            try:
                self._store.reserve(self._demand([*staying, job]))
            except Refusal:
                self._store.unpin(job.request.volume)
                raise
            self._jobs[job.id] = job
            waiting = [older for older in superseded if older.state == "queued"]
            # It inherits the place of what it replaces: drawing on must not send anyone to the end of the queue.
            place = self._held.index(waiting[0]) if waiting else len(self._held)
            self._held.insert(place, job)
            for older in superseded:
                error = Problem(messages.SUPERSEDED, "a newer request for the same structure took its place")
                self._end(older, "superseded", error)
            self._reorder()
            return self.status(job)

    def take(self) -> Job | None:
        """Waits for the next job and marks it as running; None when the service stops."""
        with self._changed:
            while not self._order and not self.closed:
                self._changed.wait()
            if self.closed:
                return None
            job = self._order[0]
            job.state, job.started = "running", time.monotonic()
            self._count_turn(job.client)
            self._reorder()
            return job

    def progress(self, job: Job, stage: str, fraction: float) -> None:
        """Tells where a running job is: a stage in words, and the share 0…1 of all the work done."""
        with self._changed:
            job.stage, job.fraction = stage, min(1.0, max(0.0, fraction))
            self._tell()

    def preview(self, job: Job, body: Body) -> None:
        """Keeps the first answer of a running job, where there is room."""
        with self._changed, suppress(Refusal):
            self._store.put(job.preview_key, body, _size(body), self._limits.result_idle_seconds)
            job.preview = True
            self._tell()

    def is_over(self, job: Job) -> bool:
        """Tells whether a running job should stop: it was cancelled or superseded, or the service stops."""
        return self.closed or job.state != "running"

    def finish(self, job: Job, outcome: Body | Problem) -> None:
        """Ends a job that its worker leaves, with its result or with what went wrong."""
        with self._changed:
            self._release(job)
            if job.state != "running":
                return
            error = outcome if isinstance(outcome, Problem) else self._kept(job, outcome)
            self._end(job, "failed" if error else "done", error)

    def cancel(self, job: Job) -> None:
        """Stops a job; nothing happens to one that has ended."""
        with self._changed:
            if job.live:
                self._end(job, "cancelled", Problem(messages.CANCELLED, "the job was cancelled"))

    def find(self, id_: str, client: str | None) -> Job:
        """Returns the job of that id; refuses where there is none, or it is another client's than the one named."""
        with self._changed:
            job = self._jobs.get(id_)
            if job is None or client not in (None, job.client):
                raise Refusal(messages.UNKNOWN_JOB, "the service has no such job; ask for it again")
            return job

    def status(self, job: Job) -> JobStatus:
        """Tells where a job is; its client counts as still there."""
        with self._changed:
            job.asked = time.monotonic()
            position = 0
            if job.state == "queued":
                position = self._order.index(job) + sum(other.state == "running" for other in self._held)
            return JobStatus(job.id, job.state, position, job.stage, job.fraction, job.preview, job.error)

    @contextmanager
    def listening(self, changed: Callable[[], None]) -> Iterator[None]:
        """Calls `changed` whenever the status of any job may have changed, from any thread."""
        with self._changed:
            self._listeners.add(changed)
        try:
            yield
        finally:
            with self._changed:
                self._listeners.discard(changed)

    def expire(self) -> None:
        """Cancels jobs that nobody asks about."""
        with self._changed:
            late = time.monotonic() - self._limits.job_idle_seconds
            for job in [job for job in self._held if job.asked < late]:
                self.cancel(job)

    def close(self) -> None:
        """Stops everything. No job ends by it: to a client the service is gone, not its request refused."""
        with self._changed:
            self.closed = True
            self._tell()
            self._changed.notify_all()

    def _count_turn(self, client: str) -> None:
        turn = max(self._served.values(), default=0) + 1
        self._served.pop(client, None)
        self._served[client] = turn
        if len(self._served) > self._limits.clients:  # whoever was served longest ago is as good as new
            del self._served[next(iter(self._served))]

    def _refuse_too_many(self, job: Job, superseded: list[Job]) -> None:
        live = [other for other in self._held if other.live and other not in superseded]
        if sum(other.client == job.client for other in live) >= self._limits.jobs_per_client:
            raise busy(f"a client may have {self._limits.jobs_per_client} jobs at a time; wait for one to end")
        if len(live) >= self._limits.jobs:
            raise busy("the queue is full; ask again in a moment", 5)

    def _demand(self, held: list[Job]) -> int:
        """Bytes for all that wait, and for the hungriest that may run at a time."""
        works = [job.work for job in held if job.work]
        running = nlargest(self._workers, (work.running_bytes for work in works))
        return sum(work.waiting_bytes for work in works) + sum(running)

    def _kept(self, job: Job, body: Body) -> Problem | None:
        try:
            self._store.put(job.result_key, body, _size(body), self._limits.result_idle_seconds)
        except Refusal:
            return Problem(messages.OUT_OF_MEMORY, "the result did not fit into the service's memory; ask again")
        job.fraction = 1.0
        return None

    def _end(self, job: Job, state: State, error: Problem | None) -> None:
        waited = job.state == "queued"
        job.state, job.error, job.ended = state, error, time.monotonic()
        if waited:
            self._release(job)
        self._on_end(job)
        self._forget_old()
        self._reorder()

    def _release(self, job: Job) -> None:
        job.work = None
        self._held.remove(job)
        self._store.unpin(job.request.volume)
        self._store.reserve(self._demand(self._held))

    def _forget_old(self) -> None:
        ended = sorted((job for job in self._jobs.values() if not job.live), key=lambda job: job.ended)
        for job in ended[: -self._limits.ended_jobs]:
            del self._jobs[job.id]
            self._store.forget(job.result_key)
            self._store.forget(job.preview_key)

    def _reorder(self) -> None:
        self._order = fair_order([job for job in self._held if job.state == "queued"], self._served)
        self._changed.notify()
        self._tell()

    def _tell(self) -> None:
        for listener in list(self._listeners):
            listener()


def _size(body: Body) -> int:
    return sum(len(part) for part in body)
