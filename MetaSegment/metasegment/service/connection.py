"""uvicorn's HTTP connection with a limited patience, which uvicorn lacks: for silent, trickling and unheeding clients.

https://github.com/Kludex/uvicorn/issues/157. Answers only what never gets to the application, as it would.
"""

from __future__ import annotations

from asyncio import BaseTransport, BufferedProtocol, TimerHandle
from typing import Any, cast

from starlette.responses import JSONResponse
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from ..wire import to_json
from ..wire.messages import BUSY, INVALID, Problem
from .limits import Limits

#: Seconds between two looks at a connection.
_LOOK = 1.0
#: What is read at a time; four times asyncio's own, each of which costs the interpreter a tenth of a millisecond.
_READ_BYTES = 1 << 20
#: For a connection beyond the last that is allowed.
_TOO_MANY = JSONResponse(
    {"code": BUSY, "message": "too many connections; ask again in a moment"},
    503,
    {"Retry-After": "5", "Connection": "close"},
)


class PatientConnection(HttpToolsProtocol, BufferedProtocol):
    """Closes itself where a request's head or body comes too slowly, or where an answer is not taken in.

    Volumes come in large reads into one buffer, whose content is taken out before the next read of any connection.
    """

    limits: Limits
    buffer: memoryview

    def connection_made(self, transport: BaseTransport) -> None:
        super().connection_made(cast(Any, transport))
        self._heard = self._since = self.loop.time()
        self._head_bytes = self._received = 0
        self._in_head = self._receiving = True
        self._taking_in: TimerHandle | None = None
        self._look: TimerHandle = self.loop.call_later(_LOOK, self._look_at_request)
        if len(self.connections) > self.limits.connections:
            self.app = cast(Any, _TOO_MANY)

    def send_400_response(self, msg: str) -> None:
        self._refuse(400, "this is no request in HTTP/1.1")

    def _refuse(self, status: int, sentence: str) -> None:
        """Answers what never gets to the application, and closes."""
        if self.transport.is_closing():
            return
        body = to_json(Problem(INVALID, sentence)).encode()
        head = (
            f"HTTP/1.1 {status} \r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\nConnection: close"
        )
        self.transport.write(head.encode() + b"\r\n\r\n" + body)
        self.transport.close()

    def connection_lost(self, exc: Exception | None) -> None:
        self._look.cancel()
        self.resume_writing()
        super().connection_lost(exc)

    def get_buffer(self, sizehint: int) -> memoryview:
        return self.buffer

    def buffer_updated(self, nbytes: int) -> None:
        self._heard = self.loop.time()
        self._received += nbytes
        self.data_received(cast(Any, self.buffer[:nbytes]))

    def on_message_begin(self) -> None:
        self._since = self.loop.time()
        self._head_bytes = self._received = 0
        self._in_head = self._receiving = True
        super().on_message_begin()

    def on_url(self, url: bytes) -> None:
        self._count(len(url))
        super().on_url(url)

    def on_header(self, name: bytes, value: bytes) -> None:
        self._count(len(name) + len(value))
        super().on_header(name, value)

    def on_headers_complete(self) -> None:
        self._in_head = False
        super().on_headers_complete()

    def on_body(self, body: bytes) -> None:
        if not self.cycle.body:  # uvicorn would copy it into a bytearray, and again out of that
            self.cycle.body, body = cast(Any, body), b""
        super().on_body(body)

    def on_message_complete(self) -> None:
        self._receiving = False
        super().on_message_complete()

    def pause_writing(self) -> None:
        super().pause_writing()
        self._taking_in = self.loop.call_later(self.limits.writing_seconds, self.transport.abort)

    def resume_writing(self) -> None:
        if self._taking_in:
            self._taking_in.cancel()
            self._taking_in = None
        super().resume_writing()

    def _count(self, size: int) -> None:
        self._head_bytes += size
        if self._head_bytes > self.limits.head_bytes:
            self._refuse(431, f"the request's head is longer than {self.limits.head_bytes:,} bytes")

    def _look_at_request(self) -> None:
        if self._receiving and not self.flow.read_paused and self._is_too_slow():
            self.transport.abort()
        else:
            self._look = self.loop.call_later(_LOOK, self._look_at_request)

    def _is_too_slow(self) -> bool:
        now = self.loop.time()
        taken = now - self._since
        if now - self._heard > self.limits.silence_seconds:
            return True
        if taken < self.limits.silence_seconds:
            return False
        return self._in_head or self._received < self.limits.body_bytes_per_second * taken


def patient_connection(limits: Limits) -> type[PatientConnection]:
    """Returns the class that uvicorn makes a connection from, with these limits."""
    buffer = memoryview(bytearray(_READ_BYTES))
    return type("PatientConnection", (PatientConnection,), {"limits": limits, "buffer": buffer})
