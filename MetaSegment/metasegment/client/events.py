"""Where a job is, as it goes: from server-sent events, or by asking again and again where these do not get through."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from ..wire.messages import EVENT_STREAM, EVENTS, JOB, JobStatus
from .connection import Channel
from .errors import NotMetaSegment, NotReached

#: Seconds of silence after which a stream counts as dead or held back by a proxy: heartbeats come every 5. And seconds
#: in which a question must be answered.
SILENCE_SECONDS = 12.0
#: Seconds between two questions where the stream does not get through.
POLL_SECONDS = 0.3


def follow(channel: Channel, job: str, pause: Callable[[float], None]) -> Iterator[JobStatus]:
    """Yields every state of a job that arrives, up to the one it ends in.

    `pause` waits so many seconds, or raises where nobody waits any more. Raises NotReached where the service is gone,
    Forgotten where it lost the job.
    """
    try:
        with channel.lines(EVENTS.format(job=job), EVENT_STREAM, SILENCE_SECONDS) as lines:
            for data in _events(lines):
                yield (status := channel.understood(JobStatus, data))
                if status.ended:
                    return
    except (NotReached, NotMetaSegment):  # broken, silent, or turned into something else on the way
        pass
    while True:
        yield (status := channel.get(JobStatus, JOB.format(job=job), SILENCE_SECONDS))
        if status.ended:
            return
        pause(POLL_SECONDS)


def _events(lines: Iterator[bytes]) -> Iterator[bytes]:
    """The data of each event (HTML standard, 9.2.6); other fields and comments, such as heartbeats, are skipped."""
    data: list[bytes] = []
    for line in lines:
        if not line and data:
            yield b"\n".join(data)
            data = []
        elif line.startswith(b"data:"):
            data.append(line[len(b"data:") :].removeprefix(b" "))
