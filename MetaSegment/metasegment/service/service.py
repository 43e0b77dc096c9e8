"""The service as a whole, without HTTP: what it remembers, its queue, its workers, and what it says of itself."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

from ..io.records import require
from ..io.task_file import address_of, from_bytes
from ..wire import messages
from ..wire.annotations import decode_job, unpack
from ..wire.messages import Capabilities, Manifest
from ..wire.volumes import address, check_manifest
from . import audit
from .estimate import running_bytes, waiting_bytes
from .job import Job, Work
from .jobs import Jobs
from .limits import Limits
from .refusal import Refusal, too_large
from .security import Clients, Guesses
from .store import Store
from .uploads import Buffers, HeldVolume
from .worker import Factory, Worker

#: Threads that hash chunks and unpack requests: SHA-256 runs at about 1 GB/s each.
_THREADS = 4


@dataclass(frozen=True)
class Settings:
    """What a service is made of. `factories` make the segmenter of each device, by its name; `describe` may be slow.

    `token` None lets everyone in who reaches the address; `loopback` refuses to be called by a foreign host name.
    """

    factories: Mapping[str, Factory]
    describe: Callable[[], Capabilities]
    token: str | None = None
    loopback: bool = True
    limits: Limits = field(default_factory=Limits)


class Service:
    """Holds the state. The event loop's thread calls its methods; `job` may be called from any."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.limits = settings.limits
        self.store = Store(self.limits.memory_bytes)
        self.clients, self.guesses = Clients(self.limits), Guesses()
        self.jobs = Jobs(self.limits, self.store, len(settings.factories), audit.record)
        self.threads = ThreadPoolExecutor(_THREADS, "service")
        self.buffers = Buffers()
        self._workers = [Worker(self.jobs, factory, name) for name, factory in settings.factories.items()]

    def start(self) -> None:
        for worker in self._workers:
            worker.start()

    def stop(self, seconds: float) -> None:
        """Lets workers finish the step they are in, for so long at most."""
        self.jobs.close()
        self.threads.shutdown(wait=False, cancel_futures=True)
        end = time.monotonic() + seconds
        for worker in self._workers:
            worker.join(max(0.0, end - time.monotonic()))

    def tidy(self) -> None:
        """Forgets what nobody asks for any more; to be called now and then."""
        self.jobs.expire()
        self.store.expire()

    def announce(self, manifest: Manifest) -> tuple[str, HeldVolume]:
        """Returns the address of a volume, and where its chunks go or already are; refuses what will never fit."""
        size = check_manifest(manifest, sys.maxsize)
        if size > self.limits.memory_bytes:
            raise too_large(f"the volume has {size:,} bytes and the service takes {self.limits.memory_bytes:,}")
        if max(manifest.geometry.size) > self.limits.side_voxels:
            raise too_large(f"the volume has more than {self.limits.side_voxels:,} voxels along an axis")
        key = address(manifest)
        held = self.store.get(key)
        if held is None:
            held = HeldVolume(manifest, size)
            self.store.put(key, held, size, self.limits.upload_idle_seconds)
        return key, held

    def held(self, key: str) -> HeldVolume:
        """Returns the volume at an address, complete or not."""
        if (held := self.store.get(key)) is None:
            raise Refusal(messages.UNKNOWN_VOLUME, "the service does not have this volume; send it first")
        return held

    def keep(self, key: str, held: HeldVolume) -> None:
        """Keeps a volume for longer once it is complete."""
        if not held.missing:
            self.store.put(key, held, held.size, self.limits.volume_idle_seconds)

    def keep_task(self, key: str, file: bytes) -> None:
        """Keeps a task's file; refuses one of another address, and raises InputError for what is no task."""
        if address_of(file) != key:
            raise Refusal(messages.WRONG_HASH, "the task has another SHA-256 than its address says")
        from_bytes(file)
        self.store.put(_task_key(key), file, len(file), self.limits.volume_idle_seconds)

    def task_file(self, key: str) -> bytes:
        """Returns the file of the task at an address."""
        file: bytes | None = self.store.get(_task_key(key))
        if file is None:
            raise Refusal(messages.UNKNOWN_TASK, "the service does not have this task; send it first")
        return file

    def job(self, body: bytearray, client: str, host: str) -> Job:
        """Returns the job that a body describes; raises FormatError where it is unusable."""
        request, packed = decode_job(body)
        volume = self.held(request.volume).volume()
        file = self.task_file(request.task) if request.task else b""
        task = from_bytes(file) if file else None
        with self.store.holding(volume.array.size if packed else 0):
            annotation = unpack(packed, volume.geometry) if packed else None
        structures = frozenset(annotation.structures if annotation else ())
        if task and request.kind == "apply":
            structures = frozenset(task.names)
        require(structures, "the annotation shows no structure")
        running = running_bytes(request.kind, volume, len(structures))
        work = Work(volume, annotation, task, waiting_bytes(annotation) + len(file), running)
        return Job(client, host, request, work, structures)


def _task_key(address: str) -> str:
    """Where the store keeps a task: apart from volumes."""
    return f"task {address}"
