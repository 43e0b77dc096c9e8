"""Around the whole application: refuses two host names, foreign ones on loopback, and keeps defects out of the log.

uvicorn would log a traceback with the text of the exception, which may hold what is private.
"""

from __future__ import annotations

from starlette.datastructures import Headers
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Receive, Scope, Send

from ..wire import messages
from .security import names_loopback


class Guard:
    """An ASGI application that lets requests through to another."""

    def __init__(self, app: ASGIApp, loopback: bool) -> None:
        self._app = app
        self._loopback = loopback

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if message := self._wrong_host(scope):
            await JSONResponse({"code": messages.INVALID, "message": message}, 400)(scope, receive, send)
            return
        try:
            await self._app(scope, receive, send)
        except Exception:
            if scope["type"] != "http":
                raise
            # Starlette has answered and `answers` has logged it.

    def _wrong_host(self, scope: Scope) -> str | None:
        """Why the request is not for this service, in a sentence; two names may mean two things (RFC 9112)."""
        if scope["type"] != "http":
            return None
        hosts = Headers(scope=scope).getlist("host")
        if len(hosts) > 1:
            return "a request has one Host header"
        if self._loopback and not names_loopback(hosts[0] if hosts else ""):
            return "this service is for its own computer: call it as localhost or 127.0.0.1"
        return None
