"""From what requests raises and what a service refuses to the named errors of this package; decides nothing else."""

from __future__ import annotations

import socket
import ssl
from collections.abc import Iterator
from typing import TYPE_CHECKING

from ..errors import InputError
from ..wire import FormatError, from_json, messages
from ..wire.messages import Problem
from . import errors
from .address import Address

if TYPE_CHECKING:
    from requests import RequestException, Response

#: Statuses of gateways whose service is away.
_GATEWAY = (502, 503, 504)
#: Statuses of proxies that do not let a request through; a service has words for each of its own.
_PROXY = {403: errors.ProxyForbids, 407: errors.ProxyWantsName, 413: errors.ProxyTooSmall}
_TOO_MANY = 429
#: Seconds to wait where a busy service does not say how long.
_RETRY_AFTER = 2.0


def unreached(error: RequestException, address: Address, connect_seconds: float) -> errors.LearnerError:
    """Returns what it means that no answer came."""
    from requests import exceptions as rq
    from urllib3.exceptions import NewConnectionError

    causes = list(_causes(error))

    def among(kind: type[BaseException]) -> bool:
        return any(isinstance(cause, kind) for cause in causes)

    if isinstance(error, rq.ProxyError):
        return errors.ProxyRefused(address=address)
    if isinstance(error, (rq.InvalidURL, rq.InvalidSchema, rq.MissingSchema)):
        return errors.WrongAddress(given=str(address))
    if isinstance(error, rq.SSLError) and not among(ssl.SSLEOFError):
        refused = among(ssl.SSLCertVerificationError)
        return errors.CertificateRefused(address=address) if refused else errors.TlsProblem(address=address)
    if among(socket.gaierror):
        return errors.UnknownHost(host=address.host)
    if isinstance(error, rq.ConnectTimeout):
        return errors.NoAnswer(address=address, seconds=connect_seconds)
    if isinstance(error, rq.ReadTimeout):
        return errors.FellSilent(address=address)
    if among(NewConnectionError):
        return errors.NothingListens(address=address)
    return errors.ConnectionLost(address=address)


def refused(response: Response, address: Address, token: str | None) -> Exception:
    """Returns what it means that an answer is not the one asked for; reads its body."""
    try:
        problem = from_json(Problem, response.content)
    except FormatError:
        return _stranger(response, address)
    return from_problem(problem, address, token, _retry_after(response))


def from_problem(
    problem: Problem, address: Address, token: str | None = None, seconds: float = _RETRY_AFTER
) -> Exception:
    """Returns the exception for a problem, of a request or of a job; `seconds` is how long to wait where it
    may pass.
    """
    message = problem.message.rstrip(".")
    if problem.code in (messages.INVALID, messages.TOO_LARGE):
        return InputError(problem.message)
    if problem.code == messages.UNAUTHORIZED:
        return errors.TokenRefused(address=address) if token else errors.TokenMissing(address=address)
    if problem.code in (messages.UNKNOWN_VOLUME, messages.INCOMPLETE_VOLUME):
        return errors.VolumeForgotten(address=address)
    if problem.code == messages.UNKNOWN_TASK:
        return errors.TaskForgotten(address=address)
    if problem.code == messages.UNKNOWN_JOB:
        return errors.Forgotten(address=address)
    if problem.code == messages.WRONG_HASH:
        return errors.VolumeChanged()
    if problem.code in (messages.BUSY, messages.RATE_LIMITED):
        return errors.ServerBusy(str(address), message, seconds)
    if problem.code == messages.OUT_OF_MEMORY:
        return errors.OutOfMemory(message=message)
    if problem.code == messages.SUPERSEDED:
        return errors.Superseded("a newer request took the place of this one, nothing was written")
    if problem.code == messages.WRONG_PROTOCOL:
        return errors.VersionsDiffer(address=address, theirs="another", ours=messages.PROTOCOL)
    return errors.LearnerFailed(message=message)


def _stranger(response: Response, address: Address) -> errors.LearnerError:
    """Not in the words of the protocol: a gateway, a sign-in page, or another service altogether."""
    if response.is_redirect:
        target = response.headers["location"].partition("?")[0]
        return errors.SentElsewhere(address=address, target=target)
    if response.status_code in _PROXY:
        return _PROXY[response.status_code](address=address)
    if response.status_code == _TOO_MANY:
        return errors.ServerBusy(
            str(address), "a proxy in front of it lets no more requests through", _retry_after(response)
        )
    if response.status_code in _GATEWAY:
        return errors.ServiceDown(address=address, status=response.status_code)
    return errors.NotMetaSegment(address=address)


def _retry_after(response: Response) -> float:
    text = response.headers.get("Retry-After", "")
    return float(text) if text.isdecimal() else _RETRY_AFTER


def _causes(error: BaseException | None) -> Iterator[BaseException]:
    while error is not None:
        yield error
        error = error.__cause__ or error.__context__
