"""Runs the service: a socket, uvicorn on it, an end within a second or two. Reads no options."""

from __future__ import annotations

import socket
from collections.abc import Callable

import uvicorn

from ..errors import InputError
from .app import create_app
from .connection import patient_connection
from .service import Service, Settings

#: Seconds that answers under way get when the service stops; streams of events end by themselves.
_FAREWELL_SECONDS = 1
#: Idle connections are kept longer than a client pauses between two questions.
_KEEP_ALIVE_SECONDS = 30


class Server(uvicorn.Server):
    """uvicorn on a service: says when it listens, and stops the jobs first, so that nothing waits for them."""

    def __init__(self, settings: Settings, certificate: tuple[str, str] | None = None) -> None:
        self.service = Service(settings)
        cert, key = certificate or (None, None)
        super().__init__(
            uvicorn.Config(
                create_app(self.service),
                loop="asyncio",
                http=patient_connection(settings.limits),
                ws="none",
                lifespan="on",
                log_config=None,
                access_log=False,  # paths hold hashes, but who asks for what is for the audit line alone
                proxy_headers=False,
                server_header=False,
                timeout_keep_alive=_KEEP_ALIVE_SECONDS,
                timeout_graceful_shutdown=_FAREWELL_SECONDS,
                ssl_certfile=cert,
                ssl_keyfile=key,
            )
        )

    def run_on(self, listening: socket.socket, started: Callable[[], None] = lambda: None) -> None:
        """Serves on a bound socket until a signal or `should_exit`; calls `started` once it answers."""
        self._told = started
        self.run(sockets=[listening])

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self._told()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        self.service.jobs.close()
        await super().shutdown(sockets)


def bound_socket(host: str, port: int) -> socket.socket:
    """Returns a socket on an address, port 0 for any free one; InputError where that is impossible."""
    if not 0 <= port < 2**16:  # glibc would take another, modulo that
        raise InputError(f"cannot listen on port {port}: choose one below 65536")
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        listening = socket.socket(family, kind, protocol)
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listening.bind(address)
    except (OSError, UnicodeError) as error:
        why = getattr(error, "strerror", None) or "there is no such address"
        raise InputError(f"cannot listen on {host} port {port}: {why}; choose another") from None
    return listening
