"""Runs a program that takes minutes: tells what it prints, ends it on request, and says why it failed."""

from __future__ import annotations

import subprocess
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from queue import Empty, SimpleQueue
from threading import Thread

from ..errors import Cancelled, InputError
from .explain import explain

#: Seconds between two questions whether to go on.
_POLL = 0.2
#: Lines that are kept to explain a failure.
_LINES = 200


def run_program(
    command: Sequence[str],
    variables: Mapping[str, str],
    tell: Callable[[str], None],
    check: Callable[[], None],
) -> None:
    """Runs to the end, each printed line given to `tell`; `check` is asked often, and what it raises ends the program.

    Raises InputError with the reason where the program fails.
    """
    try:
        process = subprocess.Popen(
            command,
            env=dict(variables),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            encoding="utf-8",
            errors="replace",
            creationflags=getattr(subprocess, "CREATE_NO_WINDOW", 0),
        )
    except OSError as error:
        raise InputError(f"{command[0]} cannot be run: {error.strerror or error}") from None
    lines: SimpleQueue[str | None] = SimpleQueue()
    Thread(target=_drain, args=(process, lines.put), name="metasegment installation", daemon=True).start()
    said: deque[str] = deque(maxlen=_LINES)
    try:
        while (line := _next(lines)) is not None:
            check()
            if line:
                said.append(line)
                tell(line)
    except BaseException:
        process.kill()
        raise
    finally:
        code = process.wait()
    if code:
        raise InputError(explain(said))


def cancellation(cancelled: Callable[[], bool]) -> Callable[[], None]:
    """A `check` for `run_program` that raises Cancelled once the user wants that."""

    def check() -> None:
        if cancelled():
            raise Cancelled("the installation was stopped; Install or Repair begins anew")

    return check


def _next(lines: SimpleQueue[str | None]) -> str | None:
    """The next line; nothing yet: an empty one; the end: None."""
    try:
        return lines.get(timeout=_POLL)
    except Empty:
        return ""


def _drain(process: subprocess.Popen[str], put: Callable[[str | None], None]) -> None:
    assert process.stdout
    with process.stdout as stream:
        for line in stream:
            put(line.rstrip())
    put(None)
