"""The learner on another computer, or in another process that somebody else started, by its address and token."""

from __future__ import annotations

from .address import parse_address
from .background import WorkReporter
from .connection import Channel
from .errors import LearnerError, ServerBusy, TokenRefused
from .service_learner import ServiceLearner, greeted


class LearnerClient(ServiceLearner):
    """The service at a URL such as http://gpu-host:8470; raises WrongAddress for what is no URL of a service, and
    TokenRefused for what can be no token.

    >>> with LearnerClient("https://gpu-host:8470", token) as learner:
    ...     result = learner.segment(volume, annotation)
    """

    #: A minute in all: a service that is started anew loads torch first.
    pauses = (0.5, 1.0, 2.0, 4.0, 8.0, 15.0, 15.0, 15.0)

    def __init__(self, url: str, token: str | None = None) -> None:
        super().__init__()
        address, token = parse_address(url), (token or "").strip()
        if not (token.isascii() and token.isprintable()):  # no header can hold it
            raise TokenRefused(address=address)
        self._channel = Channel(address, token or None, self._client)

    def close(self) -> None:
        self._channel.close()

    def _reach(self, reporter: WorkReporter) -> Channel:
        return greeted(self._channel)

    def _waiting_for(self, error: LearnerError) -> str:
        return "waiting for the busy service" if isinstance(error, ServerBusy) else "connecting again"
