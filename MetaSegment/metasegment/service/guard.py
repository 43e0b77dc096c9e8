"""Around the whole application: refuses foreign host names on loopback, and keeps defects out of uvicorn's log.

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
        if scope["type"] == "http" and self._loopback and not names_loopback(Headers(scope=scope).get("host", "")):
            message = "this service is for its own computer: call it as localhost or 127.0.0.1"
            await JSONResponse({"code": messages.INVALID, "message": message}, 400)(scope, receive, send)
            return
        try:
            await self._app(scope, receive, send)
        except Exception:
            if scope["type"] != "http":
                raise
            # Starlette has answered and `answers` has logged it.
