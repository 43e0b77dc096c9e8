"""How a request is refused: one exception that carries a problem, and the status of each problem's code."""

from __future__ import annotations

from ..wire import messages
from ..wire.messages import Problem

#: Status of each code where a request itself is refused.
STATUS = {
    messages.UNAUTHORIZED: 401,
    messages.UNKNOWN_VOLUME: 404,
    messages.UNKNOWN_JOB: 404,
    messages.UNKNOWN_TASK: 404,
    messages.WRONG_PROTOCOL: 404,
    messages.INCOMPLETE_VOLUME: 409,
    messages.NOT_READY: 409,
    messages.TOO_LARGE: 413,
    messages.WRONG_HASH: 422,
    messages.INVALID: 422,
    messages.RATE_LIMITED: 429,
    messages.BUSY: 503,
}
#: Of the problem that a job ended with, where its result is asked for.
ENDED_OTHERWISE = 409


class Refusal(Exception):
    """A request that is answered by a problem. `retry_seconds` says when to ask again, where that can help."""

    def __init__(self, code: str, message: str, retry_seconds: float | None = None) -> None:
        super().__init__(message)
        self.problem = Problem(code, message)
        self.status = STATUS.get(code, ENDED_OTHERWISE)
        self.retry_seconds = retry_seconds


def busy(message: str, retry_seconds: float = 2.0) -> Refusal:
    """Later it may work."""
    return Refusal(messages.BUSY, message, retry_seconds)


def invalid(message: str) -> Refusal:
    """What was sent cannot be used."""
    return Refusal(messages.INVALID, message)


def too_large(message: str) -> Refusal:
    """It will never fit."""
    return Refusal(messages.TOO_LARGE, message)
