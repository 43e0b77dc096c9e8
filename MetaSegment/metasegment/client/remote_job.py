"""One job from the request to the bytes of its answer, on a service that can be reached; repeats no job."""

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
from .background import WorkReporter
from .connection import Channel
from .errors import Forgotten, LearnerError, TaskForgotten, VolumeForgotten
from .events import follow
from .explain import from_problem

#: Chunks on their way at a time: one is packed or checked while another travels.
_IN_FLIGHT = 4
#: The fastest level: it halves a CT, and packs faster than a hospital's network carries.
_GZIP_LEVEL = 1
#: Bytes from which a request is packed too: a few slices are not worth it, a volume annotated throughout shrinks
#: a hundredfold.
_LONG_REQUEST = 1 << 20
#: Seconds that somebody who cancels may have to wait for the service to hear of it.
_CANCEL_SECONDS = 2.0

Buffers = Sequence[bytes | memoryview]


@dataclass(frozen=True, eq=False)
class RemoteJob:
    """A request about a volume, ready to be sent.

    `address` is the volume's; `first_answer` makes labels (k, j, i) of a preview's bytes. Who holds `sending` sends
    volumes for the client: two jobs about the same one send it once. It is asked within `in_turn`, see
    Turns. `task` is the file of the task that it names, empty where it names none.
    """

    volume: Volume
    manifest: Manifest
    address: str
    request: Buffers
    first_answer: Callable[[bytes], np.ndarray]
    sending: Lock
    in_turn: Callable[[], AbstractContextManager[None]]
    task: bytes = b""


def run_job(channel: Channel, asked: RemoteJob, reporter: WorkReporter) -> bytes:
    """Returns the answer to a job; sends volume and task only where the service lacks them.

    Raises what `explain.from_problem` makes of the job's end, NotReached and Forgotten where asking again may help.
    """
    channel = channel.about(asked.address)
    job = _submit(channel, asked, reporter)
    reporter.on_stop(lambda: _withdraw(channel, job.id))
    for status in follow(channel, job.id, reporter.pause):
        reporter.check()
        _tell(status, reporter)
        if status.preview and reporter.awaits_preview:
            with suppress(Forgotten):
                reporter.show(asked.first_answer(channel.send("GET", PREVIEW.format(job=job.id))))
        if status.state == "cancelled":  # not by us: the service heard nothing of this client for long
            raise Forgotten(address=channel.address)
        if status.error:
            raise from_problem(status.error, channel.address)
    return channel.send("GET", RESULT.format(job=job.id))


def _submit(channel: Channel, job: RemoteJob, reporter: WorkReporter) -> JobStatus:
    def ask() -> JobStatus:
        with job.in_turn():
            reporter.check()
            return channel.understood(JobStatus, channel.send("POST", JOBS, request, headers))

    long = sum(map(len, job.request)) > _LONG_REQUEST
    request, headers = _packed(channel, job.request) if long else (job.request, {})
    for _ in range(2):  # it may lack both
        try:
            return ask()
        except VolumeForgotten:
            with job.sending:
                send_volume(channel, job.volume, job.manifest, reporter)
        except TaskForgotten:
            channel.send("PUT", TASK.format(task=address_of(job.task)), [job.task])
    return ask()


def send_volume(channel: Channel, volume: Volume, manifest: Manifest, reporter: WorkReporter) -> None:
    """Sends the chunks that the service lacks, several at a time."""
    upload = channel.understood(Upload, _announced(channel, manifest))
    chunks = chunks_of(volume, manifest)

    def send(number: int) -> None:
        reporter.check()
        channel.send("PUT", CHUNK.format(volume=upload.id, number=number), *_packed(channel, [chunks[number]]))

    with ThreadPoolExecutor(_IN_FLIGHT, "metasegment upload") as pool:
        try:
            for count, _ in enumerate(pool.map(send, upload.missing)):
                reporter.tell("sending the volume", (count + 1) / len(upload.missing))
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


def _tell(status: JobStatus, reporter: WorkReporter) -> None:
    if status.state == "queued":
        reporter.tell(f"waiting, {status.position} before this one" if status.position else "waiting", 0.0)
    elif status.state == "running" and status.stage and status.fraction < 1.0:  # the answer is still to be fetched
        reporter.tell(status.stage, status.fraction)


def _withdraw(channel: Channel, job: str) -> None:
    """Cancels a job; a service that cannot be told drops it by itself, as nobody asks about it."""
    with suppress(LearnerError):
        channel.send_quickly("DELETE", JOB.format(job=job), _CANCEL_SECONDS)
