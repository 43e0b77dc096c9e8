"""Who may ask, and how often: the token, the host a browser was told, and a bucket of requests for each client.

Knows nothing of what is asked.
"""

from __future__ import annotations

import hashlib
import hmac
import ipaddress
import time
from collections.abc import Callable

from ..wire import messages
from .limits import Limits
from .refusal import Refusal, busy

#: Names by which a service on loopback is called; any other was made to point here (DNS rebinding).
_LOOPBACK_NAMES = ("localhost", "127.0.0.1", "[::1]")
#: Wrong tokens from one address that are answered at once, and the wait before others.
_SLIPS, _WAIT_SECONDS = 12, 1.0
#: After so long without a wrong token the slips are forgiven; so many addresses are remembered.
_FORGIVEN_SECONDS, _ADDRESSES = 600.0, 4096


def is_loopback(host: str) -> bool:
    """Tells whether an address to listen on can be reached from this computer alone."""
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def names_loopback(host_header: str) -> bool:
    """Tells whether a Host header calls this computer by one of its own names, in any case and with any port."""
    host_header = host_header.lower()
    name, _, port = host_header.rpartition(":")
    return host_header in _LOOPBACK_NAMES or (name in _LOOPBACK_NAMES and port.isdecimal())


def token_fits(token: str, given: str) -> bool:
    """Tells whether what was given is the token, found out in a time that tells nothing about it."""
    expected, actual = (hashlib.sha256(text.encode("utf-8", "replace")).digest() for text in (token, given))
    return hmac.compare_digest(expected, actual)


class Guesses:
    """How long to wait before a wrong token is answered, for each address seen lately; for one thread."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._seen: dict[str, tuple[int, float]] = {}  # wrong tokens, when; least recently seen first

    def count(self, address: str) -> float:
        """Counts a wrong token; seconds to wait: none for a few slips."""
        now = self._clock()
        number, since = self._seen.pop(address, (0, now))
        number = 1 if now - since > _FORGIVEN_SECONDS else number + 1
        self._seen[address] = (number, now)
        if len(self._seen) > _ADDRESSES:
            del self._seen[next(iter(self._seen))]
        return 0.0 if number <= _SLIPS else _WAIT_SECONDS


class Clients:
    """A token bucket for each client seen lately; for one thread."""

    def __init__(self, limits: Limits, clock: Callable[[], float] = time.monotonic) -> None:
        self._limits = limits
        self._clock = clock
        self._buckets: dict[str, tuple[float, float]] = {}  # requests left, when; least recently seen first

    def admit(self, client: str) -> None:
        """Counts a request; refuses it where the client asks too often or there are too many clients."""
        now, most = self._clock(), float(self._limits.requests_at_once)
        left, since = self._buckets.pop(client, (most, now))
        if len(self._buckets) >= self._limits.clients:
            self._forget_idle(now)
            if len(self._buckets) >= self._limits.clients:
                raise busy("the service has as many clients as it can take; ask again later", 30)
        left = min(most, left + (now - since) * self._limits.requests_per_second)
        self._buckets[client] = (max(0.0, left - 1), now)
        if left < 1:
            seconds = (1 - left) / self._limits.requests_per_second
            raise Refusal(messages.RATE_LIMITED, "too many requests at once; ask again more slowly", seconds)

    def _forget_idle(self, now: float) -> None:
        idle = [c for c, (_, seen) in self._buckets.items() if now - seen > self._limits.client_idle_seconds]
        for client in idle:
            del self._buckets[client]
