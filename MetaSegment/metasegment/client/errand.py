"""One job from the question to the bytes of its answer, on a service that can be reached; repeats no job."""

from __future__ import annotations

import gzip
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, suppress
from dataclasses import dataclass
from threading import Lock

import numpy as np

from ..volume import Volume
from ..wire import to_json
from ..wire.messages import CHUNK, JOB, JOBS, PREVIEW, RESULT, VOLUMES, JobStatus, Manifest, Upload
from ..wire.volumes import chunks_of
from .background import Courier
from .connection import Channel
from .errors import Forgotten, LearnerError, VolumeForgotten
from .events import follow
from .explain import from_problem

#: Chunks on their way at a time: one is packed or checked while another travels.
_IN_FLIGHT = 4
#: The fastest level: it halves a CT, and packs faster than a hospital's network carries.
_GZIP_LEVEL = 1
#: Seconds that somebody who cancels may have to wait for the service to hear of it.
_FAREWELL_SECONDS = 2.0

Buffers = Sequence[bytes | memoryview]


@dataclass(frozen=True, eq=False)
class Errand:
    """A question about a volume, ready to be sent.

    `address` is the volume's; `first_answer` makes labels (k, j, i) of a preview's bytes. Who holds `sending` sends
    volumes for the client: two errands about the same one send it once. The question is asked within `in_turn`, see
    Turns.
    """

    volume: Volume
    manifest: Manifest
    address: str
    question: Buffers
    first_answer: Callable[[bytes], np.ndarray]
    sending: Lock
    in_turn: Callable[[], AbstractContextManager[None]]


def carry_out(channel: Channel, errand: Errand, courier: Courier) -> bytes:
    """The answer to an errand; sends the volume only where the service lacks it.

    Raises what `explain.from_problem` makes of the job's end, NotReached and Forgotten where asking again may help.
    """
    channel = channel.about(errand.address)
    job = _submit(channel, errand, courier)
    courier.on_stop(lambda: _withdraw(channel, job.id))
    for status in follow(channel, job.id, courier.pause):
        courier.check()
        _tell(status, courier)
        if status.preview and courier.awaits_preview:
            with suppress(Forgotten):
                courier.show(errand.first_answer(channel.send("GET", PREVIEW.format(job=job.id))))
        if status.state == "cancelled":  # not by us: the service heard nothing of this client for long
            raise Forgotten(address=channel.address)
        if status.error:
            raise from_problem(status.error, channel.address)
    return channel.send("GET", RESULT.format(job=job.id))


def _submit(channel: Channel, errand: Errand, courier: Courier) -> JobStatus:
    def ask() -> JobStatus:
        with errand.in_turn():
            courier.check()
            return channel.understood(JobStatus, channel.send("POST", JOBS, errand.question))

    try:
        return ask()
    except VolumeForgotten:
        with errand.sending:
            _send_volume(channel, errand, courier)
        return ask()


def _send_volume(channel: Channel, errand: Errand, courier: Courier) -> None:
    """Sends the chunks that the service lacks, several at a time."""
    upload = channel.understood(Upload, _announced(channel, errand))
    chunks = chunks_of(errand.volume, errand.manifest)

    def send(number: int) -> None:
        courier.check()
        path = CHUNK.format(volume=upload.id, number=number)
        if channel.address.loopback:
            channel.send("PUT", path, [chunks[number]])
        else:
            packed = gzip.compress(chunks[number], _GZIP_LEVEL, mtime=0)
            channel.send("PUT", path, [packed], {"Content-Encoding": "gzip"})

    with ThreadPoolExecutor(_IN_FLIGHT, "metasegment upload") as pool:
        try:
            for count, _ in enumerate(pool.map(send, upload.missing)):
                courier.tell("sending the volume", (count + 1) / len(upload.missing))
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            raise


def _announced(channel: Channel, errand: Errand) -> bytes:
    manifest = to_json(errand.manifest).encode()
    return channel.send("POST", VOLUMES, [manifest], {"Content-Type": "application/json"}, repeat=True)


def _tell(status: JobStatus, courier: Courier) -> None:
    if status.state == "queued":
        courier.tell(f"waiting, {status.position} before this one" if status.position else "waiting", 0.0)
    elif status.state == "running" and status.stage and status.fraction < 1.0:  # the answer is still to be fetched
        courier.tell(status.stage, status.fraction)


def _withdraw(channel: Channel, job: str) -> None:
    """Cancels a job; a service that cannot be told drops it by itself, as nobody asks about it."""
    with suppress(LearnerError):
        channel.send_quickly("DELETE", JOB.format(job=job), _FAREWELL_SECONDS)
