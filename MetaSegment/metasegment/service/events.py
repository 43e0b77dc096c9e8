"""A job's status as server-sent events: one for each change, comments while nothing changes, the end with the job."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import suppress

from ..wire import to_json
from .job import Job
from .jobs import Jobs

_HEARTBEAT = b": still here\n\n"


async def events(jobs: Jobs, job: Job, heartbeat_seconds: float) -> AsyncIterator[bytes]:
    """Only ever holds the newest status, so a slow reader misses some and costs nothing.

    Ends without a last status when the service stops: to a client that is a lost connection, to be made again.
    """
    loop, changed = asyncio.get_running_loop(), asyncio.Event()
    sent = None

    def wake() -> None:
        with suppress(RuntimeError):  # the loop has ended
            loop.call_soon_threadsafe(changed.set)

    with jobs.listening(wake):
        while not jobs.closed:
            changed.clear()
            status = jobs.status(job)
            if status != sent:
                yield f"data: {to_json(status)}\n\n".encode()
                sent = status
            if status.ended:
                return
            try:
                await asyncio.wait_for(changed.wait(), heartbeat_seconds)
            except asyncio.TimeoutError:  # another class before Python 3.11
                yield _HEARTBEAT
