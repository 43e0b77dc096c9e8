"""One job from the question to the bytes of its answer, on a service that can be reached; repeats no job."""

from __future__ import annotations

import gzip
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, suppress
from dataclasses import dataclass
from threading import Lock

import numpy as np

from ..io.task_file import address_of
from ..volume import Volume
from ..wire import to_json
from ..wire.messages import CHUNK, JOB, JOBS, PREVIEW, RESULT, TASK, VOLUMES, JobStatus, Manifest, Upload
from ..wire.volumes import chunks_of
from .background import Courier
from .connection import Channel
from .errors import Forgotten, LearnerError, TaskForgotten, VolumeForgotten
from .events import follow
from .explain import from_problem

#: Chunks on their way at a time: one is packed or checked while another travels.
_IN_FLIGHT = 4
#: The fastest level: it halves a CT, and packs faster than a hospital's network carries.
_GZIP_LEVEL = 1
#: Bytes from which a question is packed too: a few slices are not worth it, a volume annotated throughout shrinks
#: a hundredfold.
_LONG_QUESTION = 1 << 20
#: Seconds that somebody who cancels may have to wait for the service to hear of it.
_FAREWELL_SECONDS = 2.0

Buffers = Sequence[bytes | memoryview]


@dataclass(frozen=True, eq=False)
class Errand:
    """A question about a volume, ready to be sent.

    `address` is the volume's; `first_answer` makes labels (k, j, i) of a preview's bytes. Who holds `sending` sends
    volumes for the client: two errands about the same one send it once. The question is asked within `in_turn`, see
    Turns. `task` is the file of the task that it names, empty where it names none.
    """

    volume: Volume
    manifest: Manifest
    address: str
    question: Buffers
    first_answer: Callable[[bytes], np.ndarray]
    sending: Lock
    in_turn: Callable[[], AbstractContextManager[None]]
    task: bytes = b""


def carry_out(channel: Channel, errand: Errand, courier: Courier) -> bytes:
    """The answer to an errand; sends volume and task only where the service lacks them.

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
            return channel.understood(JobStatus, channel.send("POST", JOBS, question, headers))

    long = sum(map(len, errand.question)) > _LONG_QUESTION
    question, headers = _packed(channel, errand.question) if long else (errand.question, {})
    for _ in range(2):  # it may lack both
        try:
            return ask()
        except VolumeForgotten:
            with errand.sending:
                send_volume(channel, errand.volume, errand.manifest, courier)
        except TaskForgotten:
            channel.send("PUT", TASK.format(task=address_of(errand.task)), [errand.task])
    return ask()


def send_volume(channel: Channel, volume: Volume, manifest: Manifest, courier: Courier) -> None:
    """Sends the chunks that the service lacks, several at a time."""
    upload = channel.understood(Upload, _announced(channel, manifest))
    chunks = chunks_of(volume, manifest)

    def send(number: int) -> None:
        courier.check()
        channel.send("PUT", CHUNK.format(volume=upload.id, number=number), *_packed(channel, [chunks[number]]))

    with ThreadPoolExecutor(_IN_FLIGHT, "metasegment upload") as pool:
        try:
            for count, _ in enumerate(pool.map(send, upload.missing)):
                courier.tell("sending the volume", (count + 1) / len(upload.missing))
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            raise


def _packed(channel: Channel, body: Buffers) -> tuple[Buffers, dict[str, str]]:
    """A body and the headers that go with it: compressed for another computer."""
    if channel.address.loopback:
        return body, {}
    return [gzip.compress(b"".join(body), _GZIP_LEVEL, mtime=0)], {"Content-Encoding": "gzip"}


def _announced(channel: Channel, manifest: Manifest) -> bytes:
    octets = to_json(manifest).encode()
    return channel.send("POST", VOLUMES, [octets], {"Content-Type": "application/json"}, repeat=True)


def _tell(status: JobStatus, courier: Courier) -> None:
    if status.state == "queued":
        courier.tell(f"waiting, {status.position} before this one" if status.position else "waiting", 0.0)
    elif status.state == "running" and status.stage and status.fraction < 1.0:  # the answer is still to be fetched
        courier.tell(status.stage, status.fraction)


def _withdraw(channel: Channel, job: str) -> None:
    """Cancels a job; a service that cannot be told drops it by itself, as nobody asks about it."""
    with suppress(LearnerError):
        channel.send_quickly("DELETE", JOB.format(job=job), _FAREWELL_SECONDS)
