"""Whose turn it is where the same was asked several times: the latest's. Knows nothing of what is asked."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Hashable, Iterable, Iterator
from contextlib import AbstractContextManager, contextmanager
from threading import Lock

from .errors import Superseded


class Turns:
    """To the service the last that arrives is the latest, so that one late on its way could oust its successor."""

    def __init__(self) -> None:
        self._lock, self.asking = Lock(), Lock()
        self._numbers = itertools.count()
        self.latest: dict[Hashable, int] = {}

    def number(self) -> int:
        """Draws the number of a turn, higher than all before: who asks later is the later one, however long each then
        takes to know of what things.
        """
        with self._lock:
            return next(self._numbers)

    @contextmanager
    def taken(self, mine: int, things: Iterable[Hashable]) -> Iterator[Callable[[], AbstractContextManager[None]]]:
        """Takes the turn of this number to ask for all these things; within what it gives, nobody else asks. That
        raises Superseded once one of them was asked for with a higher number.
        """
        wanted = set(things)
        with self._lock:
            self.latest.update({thing: max(mine, self.latest.get(thing, mine)) for thing in wanted})

        @contextmanager
        def in_turn() -> Iterator[None]:
            with self.asking:
                with self._lock:
                    if any(self.latest.get(thing, mine) > mine for thing in wanted):
                        raise Superseded("a newer request took the place of this one, nothing was written")
                yield

        try:
            yield in_turn
        finally:
            with self._lock:
                for thing in wanted:
                    if self.latest.get(thing) == mine:
                        del self.latest[thing]
