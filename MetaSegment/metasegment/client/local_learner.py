"""The learner of this computer: a child process that is started when needed, watched, started again, and stopped."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from threading import Event, Lock

from ..errors import Cancelled
from .address import parse_address
from .background import WorkReporter
from .child import Child
from .connection import Channel
from .errors import LearnerDied, LearnerError, NotReached, ServerBusy
from .remote_job import RemoteJob
from .service_learner import ServiceLearner, greeted

_AGAIN = "starting the learner again"


class LocalLearner(ServiceLearner):
    """A learner in a child process; `python` has MetaSegment's packages, this process needs none of them.

    `device` is auto, cpu, cuda or cuda:N; `environment` the child's variables, this process's own where None.

    >>> with LocalLearner() as learner:
    ...     result = learner.segment(volume, annotation)
    """

    #: A child that ends four times in a row will do so again.
    pauses = (0.0, 0.5, 2.0)

    def __init__(
        self, python: str = sys.executable, device: str = "auto", environment: Mapping[str, str] | None = None
    ) -> None:
        super().__init__()
        self._python = python
        self._arguments = ("--device", device)
        self._environment = environment
        self._lock = Lock()
        self._closed = Event()
        self._starting = "starting the learner"
        self.child: Child | None = None
        self._channel: Channel | None = None

    def close(self) -> None:
        """Ends the child; what is under way raises Cancelled."""
        self._closed.set()
        with self._lock:
            self._end_child()

    def _reach(self, reporter: WorkReporter) -> Channel:
        def check() -> None:
            reporter.check()
            if self._closed.is_set():
                raise Cancelled("the learner was stopped, nothing was written")

        with self._lock:
            check()
            if not self._is_well():
                self._end_child()
            if not self.child:
                reporter.tell(self._starting, 0.0)
                self._starting = _AGAIN
                self.child = Child(self._python, self._arguments, self._environment)
            if not self._channel:
                self._channel = self._channel_to(self.child, check)
            return self._channel

    def _waiting_for(self, error: LearnerError) -> str:
        return "waiting for the busy learner" if isinstance(error, ServerBusy) else _AGAIN

    def _persist(self, job: RemoteJob, reporter: WorkReporter) -> bytes:
        try:
            return super()._persist(job, reporter)
        except NotReached:
            child = self.child
            if child and (why := child.how_it_ended()):
                raise LearnerDied(why=why) from None
            raise

    def _is_well(self) -> bool:
        """Whether the child, if there is one, is starting or answers; one that hangs is as good as none."""
        if not self.child or not self._channel:
            return not self.child or self.child.runs
        try:
            return self.child.runs and bool(greeted(self._channel))
        except NotReached:
            return False

    def _channel_to(self, child: Child, check: Callable[[], None]) -> Channel:
        """Waits for the child, as long as `check` raises nothing; a child that does not get ready is given up."""
        try:
            child.wait_until_it_listens(check)
        except LearnerError:
            self._end_child()
            raise
        return greeted(Channel(parse_address(child.address), child.token, self._client))

    def _end_child(self) -> None:
        if self._channel:
            self._channel.close()
        if self.child:
            self.child.stop()
        self.child = self._channel = None
