"""HTTP requests to one service: sessions, time limits, proxies, certificates, the token, and careful repeating.

Knows nothing of volumes or jobs. Every failure leaves as a named error of `errors.py`.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from copy import copy
from http import HTTPStatus
from queue import Empty, LifoQueue
from typing import TYPE_CHECKING, Any, TypeVar

from ..wire import FormatError, from_json
from ..wire.messages import CLIENT_HEADER, OCTETS, VOLUME_HEADER
from . import explain
from .address import Address
from .errors import ConnectionLost, NotMetaSegment, ServiceDown

if TYPE_CHECKING:
    from requests import PreparedRequest, Response, Session
    from requests.adapters import HTTPAdapter

#: Seconds for a connection to come about, and for each piece of what is sent: a VPN needs one or two.
CONNECT_SECONDS = 5.0
#: Seconds without a byte of an answer. A loaded service needs a few to begin one.
READ_SECONDS = 30.0
#: Pauses in seconds before what is safe to repeat is repeated.
_PAUSES = (0.2, 1.0)
#: How http.client calls the version in which every answer says where it ends.
_HTTP_1_1 = 11
#: Methods that have the same effect once or twice.
_REPEATABLE = ("GET", "PUT", "DELETE")
#: Bytes handed to the socket at a time: the limit for sending is by piece, so that a slow line is not a lost one.
_PIECE = 1024 * 1024
_T = TypeVar("_T")
_Buffer = bytes | bytearray | memoryview


class Channel:
    """The way to one service, for any number of threads: each request has a session to itself, kept for the next."""

    def __init__(self, address: Address, token: str | None, client: str) -> None:
        self.address = address
        self.token = token
        self._headers = {CLIENT_HEADER: client} | ({"Accept-Encoding": "identity"} if address.loopback else {})
        self._idle: LifoQueue[Session] = LifoQueue()

    def about(self, volume: str) -> Channel:
        """The same way, for requests about the volume at this address."""
        other = copy(self)
        other._headers = {**self._headers, VOLUME_HEADER: volume}
        return other

    def get(self, kind: type[_T], path: str, read_seconds: float = READ_SECONDS) -> _T:
        """The answer as a record of the protocol."""
        return self.understood(kind, self.send("GET", path, read_seconds=read_seconds))

    def understood(self, kind: type[_T], content: bytes) -> _T:
        """Reads a record of the protocol; NotMetaSegment where it is none."""
        try:
            return from_json(kind, content)
        except FormatError:
            raise NotMetaSegment(address=self.address) from None

    def send(
        self,
        method: str,
        path: str,
        body: Sequence[_Buffer] = (),
        headers: dict[str, str] | None = None,
        repeat: bool = False,
        read_seconds: float = READ_SECONDS,
    ) -> bytes:
        """The body of the answer. Where the connection broke, what is safe to repeat is tried again shortly after."""
        for pause in _PAUSES if repeat or method in _REPEATABLE else ():
            try:
                return self._once(method, path, body, headers or {}, read_seconds)
            except (ConnectionLost, ServiceDown):
                time.sleep(pause)
        return self._once(method, path, body, headers or {}, read_seconds)

    def send_quickly(self, method: str, path: str, seconds: float) -> bytes:
        """One try, for what somebody waits for who has already left; everything must happen within about `seconds`."""
        return self._once(method, path, (), {}, seconds, seconds)

    @contextmanager
    def lines(self, path: str, media: str, silence_seconds: float) -> Iterator[Iterator[bytes]]:
        """Yields the lines of an answer as they come; ConnectionLost after `silence_seconds` without any."""
        headers = {"Accept": media}
        with self._answer("GET", path, (), headers, (CONNECT_SECONDS, silence_seconds)) as response:
            if not response.headers.get("Content-Type", "").startswith(media):
                raise NotMetaSegment(address=self.address)
            # In chunks each arrives at once; of what is not chunked, more than a byte would wait for more than a line.
            yield response.iter_lines(chunk_size=None if response.raw.chunked else 1)

    def close(self) -> None:
        """Closes idle connections; those in use are closed by those who use them."""
        while True:
            try:
                self._idle.get_nowait().close()
            except Empty:
                return

    def _once(
        self,
        method: str,
        path: str,
        body: Sequence[_Buffer],
        headers: dict[str, str],
        read_seconds: float,
        connect_seconds: float = CONNECT_SECONDS,
    ) -> bytes:
        with self._answer(method, path, body, headers, (connect_seconds, read_seconds)) as response:
            return b"".join(response.iter_content(None))

    @contextmanager
    def _answer(
        self, method: str, path: str, body: Sequence[_Buffer], headers: dict[str, str], seconds: tuple[float, float]
    ) -> Iterator[Response]:
        """A successful answer whose body is still to be read; whatever goes wrong meanwhile is explained."""
        from requests import RequestException

        try:
            session = self._idle.get_nowait()
        except Empty:
            session = _new_session(self.address, self.token)
        try:
            with session.request(
                method,
                self.address.base + path,
                data=_Body(body) if body else None,
                headers=self._headers | ({"Content-Type": OCTETS} if body else {}) | headers,
                timeout=seconds,
                allow_redirects=False,
                stream=True,
            ) as response:
                if _head_is_cut_off(response):
                    raise ConnectionLost(address=self.address)
                if not 200 <= response.status_code < 300:
                    raise explain.refused(response, self.address, self.token)
                yield response
        except RequestException as error:
            raise explain.unreached(error, self.address, seconds[0]) from error
        finally:
            self._idle.put(session)


def _head_is_cut_off(response: Response) -> bool:
    """Whether the connection broke between two headers: http.client takes that for the end of all headers."""
    headers = response.headers
    framed = {"Content-Length", "Transfer-Encoding", "Connection"} & {name.title() for name in headers}
    return not framed and response.status_code != HTTPStatus.NO_CONTENT and response.raw.version == _HTTP_1_1


class _Body:
    """Bytes as requests wants them: with a length, and in pieces, none of which is copied."""

    def __init__(self, buffers: Sequence[_Buffer]) -> None:
        self._views = [memoryview(buffer).cast("B") for buffer in buffers]

    def __len__(self) -> int:
        return sum(view.nbytes for view in self._views)

    def __iter__(self) -> Iterator[Any]:  # sockets take memoryviews as well as bytes, type stubs do not
        return (view[start : start + _PIECE] for view in self._views for start in range(0, view.nbytes, _PIECE))


def _new_session(address: Address, token: str | None) -> Session:
    from requests import Session

    session = Session()
    # On loopback a proxy can only be in the way; elsewhere the system's proxies and certificate bundles count.
    session.trust_env = not address.loopback
    if address.loopback:  # the end of a tunnel to a service whose certificate the bundle holds
        session.verify = os.environ.get("REQUESTS_CA_BUNDLE") or os.environ.get("CURL_CA_BUNDLE") or True
    session.auth = _bearer(token)
    if address.encrypted:
        session.mount("https://", _trusting_system())
    return session


def _bearer(token: str | None) -> Callable[[PreparedRequest], PreparedRequest]:
    """A function, even without a token: a header alone would give way to a password in ~/.netrc."""

    def sign(request: PreparedRequest) -> PreparedRequest:
        if token:
            request.headers["Authorization"] = f"Bearer {token}"
        return request

    return sign


def _trusting_system() -> HTTPAdapter:
    """An adapter that trusts the certificates of the system, where hospitals put theirs, beside those of requests."""
    import ssl

    from requests import adapters
    from requests.utils import DEFAULT_CA_BUNDLE_PATH

    context = ssl.create_default_context()
    context.load_verify_locations(DEFAULT_CA_BUNDLE_PATH)

    class SystemTrust(adapters.HTTPAdapter):
        def init_poolmanager(self, *arguments: Any, **options: Any) -> None:
            super().init_poolmanager(*arguments, ssl_context=context, **options)

        def proxy_manager_for(self, *arguments: Any, **options: Any) -> Any:
            return super().proxy_manager_for(*arguments, ssl_context=context, **options)

    return SystemTrust()
