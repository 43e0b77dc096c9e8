"""What the service remembers: things in memory by key, the least recently used forgotten first, bounded in bytes.

A cache and no more: whatever is forgotten is sent again by the client. Knows nothing of volumes, jobs or HTTP.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from .refusal import busy, too_large


@dataclass
class _Entry:
    value: Any
    size: int
    idle_seconds: float
    used: float
    pins: int = 0


class Store:
    """Values of known size. What is pinned stays; `reserve` keeps room for work beside them. Safe between threads."""

    def __init__(self, capacity: int, clock: Callable[[], float] = time.monotonic) -> None:
        self.capacity = capacity
        self._clock = clock
        self._lock = threading.RLock()
        self._entries: dict[str, _Entry] = {}  # least recently used first
        self._used = 0
        self._reserved = 0

    def put(self, key: str, value: Any, size: int, idle_seconds: float) -> None:
        """Remembers `size` bytes until nobody has asked for `idle_seconds`; replaces the value, keeping its pins.

        Refuses (too_large, busy) what does not fit beside the pinned and reserved.
        """
        with self._lock:
            former = self._entries.get(key)
            self._make_room(size - (former.size if former else 0), sparing=key)
            self._drop(key)
            self._entries[key] = _Entry(value, size, idle_seconds, self._clock(), former.pins if former else 0)
            self._used += size

    def get(self, key: str) -> Any | None:
        """The value, which counts as used now; None where it is unknown or forgotten."""
        with self._lock:
            if (entry := self._entries.get(key)) is None:
                return None
            entry.used = self._clock()
            self._entries[key] = self._entries.pop(key)
            return entry.value

    def pin(self, key: str) -> Any | None:
        """Like `get`; a value that is there stays until `unpin`, as often as it was pinned."""
        with self._lock:
            if (value := self.get(key)) is not None:
                self._entries[key].pins += 1
            return value

    def unpin(self, key: str) -> None:
        with self._lock:
            self._entries[key].pins -= 1

    @contextmanager
    def pinned(self, key: str) -> Iterator[None]:
        """Pins a value that is there for a while."""
        self.pin(key)
        try:
            yield
        finally:
            self.unpin(key)

    @contextmanager
    def holding(self, size: int) -> Iterator[None]:
        """Counts `size` bytes for a while that something else holds; refuses like `put`."""
        with self._lock:
            self._make_room(size)
            self._used += size
        try:
            yield
        finally:
            with self._lock:
                self._used -= size

    def forget(self, key: str) -> None:
        """Drops a value that is not pinned; nothing happens where there is none."""
        with self._lock:
            if key in self._entries and not self._entries[key].pins:
                self._drop(key)

    def reserve(self, size: int) -> None:
        """Keeps `size` bytes in all free for work; refuses (too_large, busy) a growth that finds no room."""
        with self._lock:
            if size > self._reserved:
                self._make_room(size - self._reserved)
            self._reserved = size

    def expire(self) -> None:
        """Forgets what nobody has asked for."""
        with self._lock:
            now = self._clock()
            for key in [k for k, e in self._entries.items() if not e.pins and now - e.used > e.idle_seconds]:
                self._drop(key)

    def _make_room(self, size: int, sparing: str = "") -> None:
        if size > self.capacity:
            raise too_large(
                f"this needs {_in_gb(size)} of memory and the service has {_in_gb(self.capacity)}: crop or downsample "
                "the image, or give the service more memory"
            )
        excess = self._used + self._reserved + size - self.capacity
        free = [k for k, e in self._entries.items() if not e.pins and k != sparing]
        if excess > sum(self._entries[k].size for k in free):
            raise busy("the service's memory is taken by other jobs; ask again in a moment")
        for key in free:
            if excess <= 0:
                break
            excess -= self._entries[key].size
            self._drop(key)

    def _drop(self, key: str) -> None:
        if entry := self._entries.pop(key, None):
            self._used -= entry.size


def _in_gb(size: int) -> str:
    return f"{size / 1e9:.1f} GB"
