"""One method in a process of its own: its memory can be measured, and its death does not end the run.

The truth never enters that process.
"""

from __future__ import annotations

import contextlib
import multiprocessing
import signal
import time
from collections.abc import Callable
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path

import numpy as np

from ..annotation import BACKGROUND, annotation_from_labels
from ..errors import Cancelled
from ..memory import peak_memory_mb
from ..volume import Geometry, Volume
from .method import STRUCTURE, Method, Prediction, Study

#: A task that takes longer counts as failed: the slowest honest method needs a few minutes.
LIMIT_SECONDS = 900.0
#: How often the user's wish to stop is looked at.
HEARTBEAT_SECONDS = 0.2


@dataclass(frozen=True, eq=False)
class Solved:
    """A method's answer and what it cost, or why there is none."""

    prediction: Prediction | None
    seconds: float
    peak_memory_mb: float | None = None
    error: str | None = None


class Worker:
    """Solves studies with one method, one after the other, in a child that is started when it is needed.

    >>> with Worker(method, cancelled) as worker:
    ...     solved = worker.solve(study)
    """

    def __init__(self, method: Method, cancelled: Callable[[], bool]) -> None:
        self._method = method
        self._cancelled = cancelled
        self._child: multiprocessing.process.BaseProcess | None = None
        self._connection: Connection | None = None

    def __enter__(self) -> Worker:
        return self

    def __exit__(self, *_: object) -> None:
        self._stop()

    def solve(self, study: Study) -> Solved:
        """Returns the method's answer; raises Cancelled when the user asks to stop."""
        connection = self._started()
        end = time.monotonic() + LIMIT_SECONDS
        try:
            connection.send(study)
            while not connection.poll(HEARTBEAT_SECONDS):
                if self._cancelled():
                    raise Cancelled("cancelled; what was measured is kept, the same command goes on from there")
                if time.monotonic() > end:
                    self._stop()
                    return Solved(None, LIMIT_SECONDS, error=f"no answer within {LIMIT_SECONDS:g} s")
            solved: Solved = connection.recv()
            return solved
        except (EOFError, ConnectionError):
            return Solved(None, 0.0, error=f"its process died (exit code {self._stop()})")

    def _started(self) -> Connection:
        if self._connection is None:
            context = multiprocessing.get_context("spawn")
            self._connection, theirs = context.Pipe()
            self._child = context.Process(target=_serve, args=(theirs, self._method))
            self._child.start()
            theirs.close()
        return self._connection

    def _stop(self) -> int | None:
        """Ends the child; returns the code it had ended with by itself."""
        if self._child is None or self._connection is None:
            return None
        self._connection.close()
        self._child.join(timeout=1)  # a child that died says how
        code = self._child.exitcode
        self._child.kill()
        self._child.join()
        self._child, self._connection = None, None
        return code


def _serve(connection: Connection, method: Method) -> None:
    """The child: answers studies until the connection closes."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches the whole group; the parent decides
    with contextlib.suppress(Exception):  # what fails here fails again, and is recorded, on a task
        method.predict(_warm_up())
    with contextlib.suppress(EOFError, ConnectionError):
        while True:
            connection.send(_solved(method, connection.recv()))


def _solved(method: Method, study: Study) -> Solved:
    _forget_peak()
    started = time.monotonic()
    try:
        prediction = method.predict(study)
        took, memory = time.monotonic() - started - (prediction.preparing_seconds or 0.0), _peak_memory_mb()
        _check(prediction, study)
    except Exception as failure:
        words = " ".join(str(failure).split())
        return Solved(None, time.monotonic() - started, _peak_memory_mb(), f"{type(failure).__name__}: {words}")
    return Solved(prediction, took, memory)


def _check(prediction: Prediction, study: Study) -> None:
    shape = study.volume.array.shape
    for name, array in (("mask", prediction.mask), ("probability", prediction.probability)):
        if array is not None and array.shape != shape:
            raise ValueError(f"the {name} has shape {array.shape}, the study {shape}")
    if prediction.mask.dtype != bool:
        raise ValueError(f"the mask is {prediction.mask.dtype}, not bool")


def _warm_up() -> Study:
    """A ball with one annotated slice: loads what a method loads on its first study, whose time would not be fair."""
    axes = np.ogrid[:32, :32, :32]
    ball = np.asarray(sum((axis - 16) ** 2 for axis in axes) <= 64)
    labels = np.zeros(ball.shape, np.uint8)
    labels[16] = np.where(ball[16], STRUCTURE, BACKGROUND)
    geometry = Geometry((32, 32, 32), (1.0, 1.0, 1.0), (0.0, 0.0, 0.0), tuple(np.eye(3).ravel().tolist()))
    grain = np.random.default_rng(0).normal(0, 10, ball.shape)
    volume = Volume((100 * ball + grain).astype(np.int16), geometry)
    return Study(volume, annotation_from_labels(labels, geometry), seconds=1.0)


def _peak_memory_mb() -> float | None:
    """Of this process since `_forget_peak`, or of the largest one it has started so far where that is more."""
    own = peak_memory_mb()
    if own is None:
        return None
    import resource  # Unix has it, as it has what peak_memory_mb reads

    return max(own, resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024)


def _forget_peak() -> None:
    """Starts the process's peak memory anew, where the system can (Linux: proc(5), clear_refs)."""
    with contextlib.suppress(OSError):
        Path("/proc/self/clear_refs").write_text("5")
