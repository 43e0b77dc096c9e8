"""What every learner behind HTTP can do: the methods of the Segmenter, and a way out of whatever breaks meanwhile.

Where the service is, and how to get it back, is for the two kinds to say: `LearnerClient` and `LocalLearner`.
"""

from __future__ import annotations

import secrets
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from threading import Lock
from types import TracebackType
from typing import ClassVar, TypeVar
from weakref import WeakKeyDictionary

import numpy as np

from ..annotation import Annotation
from ..errors import InputError
from ..io.task_file import address_of, from_bytes, to_bytes
from ..progress import Progress
from ..segmentation import AUTO, Budget, NextSlice, Segmentation
from ..task import Task
from ..volume import Volume
from ..wire import FormatError
from ..wire.annotations import encode_job, pack
from ..wire.messages import CAPABILITIES, HEALTH, PROTOCOL, Capabilities, Health, JobRequest, Kind, Manifest
from ..wire.results import decode_preview, decode_result, decode_suggestion
from ..wire.volumes import address, manifest_of
from .background import WorkReporter, in_background
from .connection import Channel
from .errors import (
    Forgotten,
    LearnerError,
    LearnerFailed,
    NotMetaSegment,
    NotReached,
    ServerBusy,
    VersionsDiffer,
    VolumeChanged,
)
from .remote_job import RemoteJob, run_job, send_volume
from .turns import Turns

_T = TypeVar("_T")
_L = TypeVar("_L", bound="ServiceLearner")
#: Seconds in which a service says that it is there, however much it has to do.
GREETING_SECONDS = 10.0
#: Seconds in which it says what it has: it may only just be loading torch.
_SELF_SECONDS = 120.0


@dataclass(frozen=True)
class Connection:
    """What a test of the connection found: a sentence for the user and, where it is `ok`, what the service can do."""

    ok: bool
    sentence: str
    capabilities: Capabilities | None = None


@dataclass(frozen=True, eq=False)
class _Request:
    """What is asked of a service: a job in the user's own terms."""

    kind: Kind
    volume: Volume
    annotation: Annotation | None
    budget: Budget = Budget()  # noqa: RUF009 (frozen)
    strategy: str = AUTO
    seed: int = 0
    task: Task | None = None

    @property
    def structures(self) -> tuple[int, ...]:
        """The labels it is about."""
        if self.task and self.kind == "apply":
            return tuple(self.task.names)
        return self.annotation.structures if self.annotation else ()


class ServiceLearner(ABC):
    """A learner in another process: `segment`, `suggest`, `teach` and `apply` as the Segmenter has them, from any
    number of threads.

    A volume is hashed and sent once, and known by its object from then on: for changed voxels make a new Volume.
    """

    #: Pauses in seconds before what broke off is tried again, from its beginning.
    pauses: ClassVar[Sequence[float]]

    def __init__(self) -> None:
        self._client = secrets.token_hex(16)
        self.manifests: WeakKeyDictionary[Volume, Manifest] = WeakKeyDictionary()
        self._hashing, self._sending = Lock(), Lock()
        self.turns = Turns()

    def segment(
        self,
        volume: Volume,
        annotation: Annotation,
        budget: Budget = Budget(),  # noqa: B008 (frozen)
        strategy: str = AUTO,
        seed: int = 0,
        progress: Progress | None = None,
        preview: Callable[[np.ndarray], None] | None = None,
    ) -> Segmentation:
        """Segments every annotated structure, as `Segmenter.segment` does; `progress` and `preview` are called on this
        thread.

        Also raises LearnerError with a sentence for the user where the service cannot be used, and Superseded where
        this learner was asked anew for one of the structures.
        """

        request = _Request("segment", volume, annotation, budget, strategy, seed)
        return self._ask(request, _reader_of_results(volume), progress, preview)

    def suggest(self, volume: Volume, annotation: Annotation, progress: Progress | None = None) -> NextSlice | None:
        """Returns the next slice worth annotating, as `Segmenter.suggest` finds it; raises as `segment` does."""
        return self._ask(_Request("suggest", volume, annotation), decode_suggestion, progress)

    def teach(
        self,
        volume: Volume,
        annotation: Annotation,
        earlier: Task | None = None,
        progress: Progress | None = None,
        seed: int = 0,
    ) -> Task:
        """Learns a task for other volumes, as `Segmenter.teach` does; raises as `segment` does."""
        return self._ask(_Request("teach", volume, annotation, seed=seed, task=earlier), from_bytes, progress)

    def apply(
        self,
        task: Task,
        volume: Volume,
        annotation: Annotation | None = None,
        budget: Budget = Budget(),  # noqa: B008 (frozen)
        seed: int = 0,
        progress: Progress | None = None,
        preview: Callable[[np.ndarray], None] | None = None,
    ) -> Segmentation:
        """Finds what a task was taught in another volume, as `Segmenter.apply` does; raises as `segment` does."""
        request = _Request("apply", volume, annotation, budget, seed=seed, task=task)
        return self._ask(request, _reader_of_results(volume), progress, preview)

    def prepare(self, volume: Volume, progress: Progress | None = None) -> None:
        """Has a service ready that holds the volume, so that what is asked about it next waits for neither; tries once.

        Raises as `segment` does.
        """
        in_background(lambda reporter: self._prepare(volume, reporter), progress or Progress(), None)

    def capabilities(self) -> Capabilities:
        """Returns what the service is and has; raises LearnerError where it cannot be asked."""
        return self._reach(WorkReporter()).get(Capabilities, CAPABILITIES, _SELF_SECONDS)

    def test_connection(self) -> Connection:
        """Tells whether the service can be used, in a sentence: what is wrong and what to do, or what answered."""
        try:
            channel = self._reach(WorkReporter())
            found = channel.get(Capabilities, CAPABILITIES, _SELF_SECONDS)
        except (LearnerError, InputError) as error:
            return Connection(False, str(error))
        devices = ", ".join(device.name for device in found.devices)
        sentence = f"MetaSegment {found.version} answers at {channel.address} ({devices})"
        if not (channel.address.encrypted or channel.address.loopback):
            sentence += "; the connection is not encrypted"
        return Connection(True, sentence, found)

    @abstractmethod
    def close(self) -> None:
        """Gives up connections and processes; what is under way is cancelled."""

    def __enter__(self: _L) -> _L:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()

    @abstractmethod
    def _reach(self, reporter: WorkReporter) -> Channel:
        """A way to a service that answers; raises LearnerError where there is none."""

    @abstractmethod
    def _waiting_for(self, error: LearnerError) -> str:
        """What the user reads while a job that ended in this error is about to be carried out again."""

    def _ask(
        self,
        request: _Request,
        read: Callable[[bytes], _T],
        progress: Progress | None,
        preview: Callable[[np.ndarray], None] | None = None,
    ) -> _T:
        progress, turn = progress or Progress(), self.turns.number()
        progress.check()  # what was given up before it was asked has no turn that is later than its successor's
        return in_background(lambda reporter: self._answer(request, read, turn, reporter), progress, preview)

    def _prepare(self, volume: Volume, reporter: WorkReporter) -> None:
        with self._described(volume) as manifest:
            channel = self._reach(reporter).about(address(manifest))
            with self._sending:
                send_volume(channel, volume, manifest, reporter)

    def _answer(self, asked: _Request, read: Callable[[bytes], _T], turn: int, reporter: WorkReporter) -> _T:
        task = to_bytes(asked.task) if asked.task else b""
        known_as = address_of(task) if task else None

        def first_answer(answer: bytes) -> np.ndarray:
            return decode_preview(answer, asked.volume.geometry.shape)

        with self._described(asked.volume) as manifest:
            request = JobRequest(asked.kind, address(manifest), asked.strategy, asked.budget, asked.seed, known_as)
            things = [(asked.kind, request.volume, request.task, label) for label in asked.structures]
            try:
                body = encode_job(request, pack(asked.annotation) if asked.annotation else None)
            except FormatError as error:
                raise InputError(str(error)) from None
            with self.turns.taken(turn, things) as in_turn:
                job = RemoteJob(
                    asked.volume, manifest, request.volume, body, first_answer, self._sending, in_turn, task
                )
                try:
                    return read(self._persist(job, reporter))
                except FormatError:
                    raise LearnerFailed(message="its answer cannot be read") from None

    def _persist(self, job: RemoteJob, reporter: WorkReporter) -> bytes:
        """Carries a job out, from its beginning again whenever the service was lost or lost something."""
        channel: Channel | None = self._reach(reporter)  # where nothing is wrong yet, nothing is tried again
        for pause in self.pauses:
            try:
                return run_job(channel or self._reach(reporter), job, reporter)
            except (NotReached, Forgotten, ServerBusy) as error:
                reporter.tell(self._waiting_for(error), 0.0)
                reporter.pause(max(pause, error.seconds if isinstance(error, ServerBusy) else 0.0))
                channel = None
        return run_job(self._reach(reporter), job, reporter)

    @contextmanager
    def _described(self, volume: Volume) -> Iterator[Manifest]:
        """The volume's manifest, made once, and forgotten if it turns out that the voxels have changed since."""
        try:
            with self._hashing:
                manifest = self.manifests.get(volume) or manifest_of(volume)
                self.manifests[volume] = manifest
        except FormatError as error:
            raise InputError(str(error)) from None
        try:
            yield manifest
        except VolumeChanged:
            self.manifests.pop(volume, None)
            raise


def _reader_of_results(volume: Volume) -> Callable[[bytes], Segmentation]:
    return lambda answer: decode_result(answer, volume.geometry.shape)


def greeted(channel: Channel) -> Channel:
    """Returns the channel, if a MetaSegment service of this protocol answers there; raises LearnerError otherwise."""
    health = channel.get(Health, HEALTH, GREETING_SECONDS)
    if health.status != "ok":
        raise NotMetaSegment(address=channel.address)
    if health.protocol != PROTOCOL:
        raise VersionsDiffer(address=channel.address, theirs=health.protocol, ours=PROTOCOL)
    return channel
