"""A `metasegment serve --child` of our own: started with a token, listened to, and ended; restarts nothing.

The child ends when its standard input does: also when this process is killed.
"""

from __future__ import annotations

import os
import secrets
import subprocess
import time
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from queue import Empty, SimpleQueue
from threading import Thread
from typing import IO

from ..wire import FormatError, from_json
from ..wire.messages import PROTOCOL
from .diagnosis import end_in_words, why_not_started
from .errors import LearnerNotStarted, VersionsDiffer

#: Seconds until the child must listen: torch alone can take a minute to load from a cold network drive.
_START = 180.0
#: Seconds between two questions whether to go on waiting.
_POLL = 0.1
#: Seconds that a child gets to end by itself before it is made to.
_FAREWELL = 2.0
#: Seconds between the end of a child's connections and its own.
_LAST_BREATH = 1.0
#: Lines that are kept of what the child says on standard error, and bytes read of each line of either stream.
_LINES, _LINE = 40, 4096


@dataclass(frozen=True)
class Greeting:
    """The child's first line on standard output."""

    port: int
    protocol: int
    version: str


class Child:
    """A child process. `token` and, once it listens, `address` lead to it."""

    def __init__(self, python: str, arguments: tuple[str, ...], environment: Mapping[str, str] | None) -> None:
        self.token = secrets.token_urlsafe(32)
        self.address = ""
        self._python = python
        self._environment = with_this_package(os.environ if environment is None else environment)
        self._since = time.monotonic()
        self._process = self._spawn(arguments)
        self._lines: SimpleQueue[bytes] = SimpleQueue()
        self._words: deque[bytes] = deque(maxlen=_LINES)
        assert self._process.stdin and self._process.stdout and self._process.stderr
        _drain(self._process.stdout, self._lines.put)
        self._listener = _drain(self._process.stderr, self._words.append)
        try:
            self._process.stdin.write(self.token.encode() + b"\n")
            self._process.stdin.flush()
        except OSError:  # it ended already; whoever waits for it will learn why
            pass

    @property
    def pid(self) -> int:
        return self._process.pid

    @property
    def runs(self) -> bool:
        return self._process.poll() is None

    def wait_until_it_listens(self, check: Callable[[], None]) -> None:
        """Returns once requests can be sent; may be called again when `check`, which is asked often, raised something.

        Raises LearnerNotStarted with the reason, VersionsDiffer where the child's Python has another MetaSegment.
        """
        while not self.address:
            check()
            if time.monotonic() - self._since > _START:
                self.stop()
                raise LearnerNotStarted(python=self._python, why=f"it was not ready within {_START:g} seconds")
            try:
                self._read(self._lines.get(timeout=_POLL))
            except Empty:
                continue

    def how_it_ended(self) -> str | None:
        """In a few words; None where it still runs."""
        try:
            code = self._process.wait(_LAST_BREATH)
        except subprocess.TimeoutExpired:
            return None
        self._listener.join(_FAREWELL)
        return end_in_words(code, self._words)

    def stop(self) -> None:
        """Asks the child to end, and makes it."""
        assert self._process.stdin
        try:
            self._process.stdin.close()
            self._process.wait(_FAREWELL)
        except (OSError, subprocess.TimeoutExpired):
            self._process.kill()
            self._process.wait()

    def _read(self, line: bytes) -> None:
        """Takes the greeting; skips what a package of the user's Python may print before; raises at the end."""
        if not line:
            self._process.wait()
            self._listener.join(_FAREWELL)
            why = why_not_started(self._python, self._environment, self._process.returncode, self._words)
            raise LearnerNotStarted(python=self._python, why=why)
        try:
            greeting = from_json(Greeting, line)
        except FormatError:
            return
        if greeting.protocol != PROTOCOL:
            self.stop()
            raise VersionsDiffer(address=self._python, theirs=greeting.protocol, ours=PROTOCOL)
        self.address = f"http://127.0.0.1:{greeting.port}"

    def _spawn(self, arguments: tuple[str, ...]) -> subprocess.Popen[bytes]:
        try:
            return subprocess.Popen(
                [self._python, "-m", "metasegment", "serve", "--child", *arguments],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                env=self._environment,
                # On Windows no console appears; elsewhere Ctrl-C in a terminal is for this process alone.
                creationflags=getattr(subprocess, "CREATE_NO_WINDOW", 0),
                start_new_session=True,
            )
        except OSError as error:
            why = f"it cannot be run ({error.strerror or error}); choose another Python"
            raise LearnerNotStarted(python=self._python, why=why) from None


def with_this_package(environment: Mapping[str, str]) -> dict[str, str]:
    """Returns an environment in which the child imports the same MetaSegment as this process."""
    parent = str(Path(__file__).parents[2])
    path = os.pathsep.join([parent, *filter(None, [environment.get("PYTHONPATH")])])
    return {**environment, "PYTHONPATH": path}


def _drain(stream: IO[bytes], take: Callable[[bytes], None]) -> Thread:
    """Reads a stream to its end, so that the child never waits for us; the end arrives as an empty line."""

    def read() -> None:
        with stream:
            for line in iter(lambda: stream.readline(_LINE), b""):
                take(line)
        take(b"")

    thread = Thread(target=read, name="metasegment child", daemon=True)
    thread.start()
    return thread
