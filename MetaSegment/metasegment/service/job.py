"""One job: what was asked, by whom, and where it is. Changed by `Jobs` alone, under its lock."""

from __future__ import annotations

import secrets
import time
from dataclasses import dataclass, field

from ..annotation import Annotation
from ..task import Task
from ..volume import Volume
from ..wire.messages import JobRequest, Problem, State


@dataclass(frozen=True, eq=False)
class Work:
    """What a job computes with, and the bytes it takes while it waits and, beside those, while it runs."""

    volume: Volume
    annotation: Annotation | None
    task: Task | None
    waiting_bytes: int
    running_bytes: int


@dataclass(eq=False)
class Job:
    """`work` is let go of when the worker has left the job; `ended` may be earlier, times are of time.monotonic."""

    client: str
    address: str
    request: JobRequest
    work: Work | None
    structures: frozenset[int]
    id: str = field(default_factory=lambda: secrets.token_hex(16))
    state: State = "queued"
    stage: str = ""
    fraction: float = 0.0
    preview: bool = False
    error: Problem | None = None
    created: float = field(default_factory=time.monotonic)
    asked: float = field(default_factory=time.monotonic)
    started: float | None = None
    ended: float = 0.0

    @property
    def live(self) -> bool:
        """Whether it still waits or runs, as its client sees it."""
        return self.state in ("queued", "running")

    @property
    def result_key(self) -> str:
        """Where the store keeps its result."""
        return f"result {self.id}"

    @property
    def preview_key(self) -> str:
        """Where the store keeps its first answer."""
        return f"preview {self.id}"

    def is_superseded_by(self, newer: Job) -> bool:
        """Tells whether the newer one asks the same again: same client, kind, volume and task, and a structure in
        common.

        Labels of different tasks have nothing to do with each other.
        """
        return (
            self.client == newer.client
            and self.request.kind == newer.request.kind
            and self.request.volume == newer.request.volume
            and self.request.task == newer.request.task
            and not self.structures.isdisjoint(newer.structures)
        )
