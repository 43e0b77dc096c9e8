"""What every learner behind HTTP can do: the methods of the Segmenter, and a way out of whatever breaks meanwhile.

Where the service is, and how to get it back, is for the two kinds to say: `LearnerClient` and `LocalLearner`.
"""

from __future__ import annotations

import secrets
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from threading import Lock
from types import TracebackType
from typing import ClassVar, TypeVar
from weakref import WeakKeyDictionary

import numpy as np

from ..annotation import Annotation
from ..errors import InputError
from ..segmentation import AUTO, Budget, NextSlice, Segmentation
from ..volume import Volume
from ..watch import Watch
from ..wire import WireError
from ..wire.annotations import encode_job, pack
from ..wire.messages import CAPABILITIES, HEALTH, PROTOCOL, Capabilities, Health, JobRequest, Kind, Manifest
from ..wire.results import decode_preview, decode_result, decode_suggestion
from ..wire.volumes import address, manifest_of
from .background import Courier, in_background
from .connection import Channel
from .errand import Errand, carry_out
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
from .turns import Turns

_T = TypeVar("_T")
_L = TypeVar("_L", bound="Learner")
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


class Learner(ABC):
    """A learner in another process: `segment` and `suggest` as the Segmenter has them, from any number of threads.

    A volume is hashed and sent once, and known by its object from then on: for changed voxels make a new Volume.
    """

    #: Pauses in seconds before what broke off is tried again, from its beginning.
    pauses: ClassVar[Sequence[float]]

    def __init__(self) -> None:
        self._client = secrets.token_hex(16)
        self._manifests: WeakKeyDictionary[Volume, Manifest] = WeakKeyDictionary()
        self._hashing, self._sending = Lock(), Lock()
        self._turns = Turns()

    def segment(
        self,
        volume: Volume,
        annotation: Annotation,
        budget: Budget = Budget(),  # noqa: B008 (frozen)
        strategy: str = AUTO,
        seed: int = 0,
        watch: Watch | None = None,
        preview: Callable[[np.ndarray], None] | None = None,
    ) -> Segmentation:
        """Segments every annotated structure, as `Segmenter.segment` does; `watch` and `preview` are called on this
        thread.

        Also raises LearnerError with a sentence for the user where the service cannot be used, and Superseded where
        this learner was asked anew for one of the structures.
        """

        def read(answer: bytes) -> Segmentation:
            return decode_result(answer, volume.geometry.shape)

        def work(courier: Courier) -> Segmentation:
            return self._answer("segment", volume, annotation, budget, strategy, seed, courier, read)

        return in_background(work, watch or Watch(), preview)

    def suggest(self, volume: Volume, annotation: Annotation, watch: Watch | None = None) -> NextSlice | None:
        """The next slice worth annotating, as `Segmenter.suggest` finds it; raises as `segment` does."""

        def work(courier: Courier) -> NextSlice | None:
            return self._answer("suggest", volume, annotation, Budget(), AUTO, 0, courier, decode_suggestion)

        return in_background(work, watch or Watch(), None)

    def capabilities(self) -> Capabilities:
        """What the service is and has; raises LearnerError where it cannot be asked."""
        return self._reach(Courier()).get(Capabilities, CAPABILITIES, _SELF_SECONDS)

    def test_connection(self) -> Connection:
        """Whether the service can be used, in a sentence: what is wrong and what to do, or what answered."""
        try:
            channel = self._reach(Courier())
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
    def _reach(self, courier: Courier) -> Channel:
        """A way to a service that answers; raises LearnerError where there is none."""

    @abstractmethod
    def _waiting_for(self, error: LearnerError) -> str:
        """What the user reads while an errand that ended in this error is about to be carried out again."""

    def _answer(
        self,
        kind: Kind,
        volume: Volume,
        annotation: Annotation,
        budget: Budget,
        strategy: str,
        seed: int,
        courier: Courier,
        read: Callable[[bytes], _T],
    ) -> _T:
        try:
            manifest = self._manifest(volume)
            request = JobRequest(kind, address(manifest), strategy, budget, seed)
            question = encode_job(request, pack(annotation))
        except WireError as error:
            raise InputError(str(error)) from None

        def first_answer(answer: bytes) -> np.ndarray:
            return decode_preview(answer, volume.geometry.shape)

        with self._turns.taken((kind, request.volume, label) for label in annotation.structures) as in_turn:
            errand = Errand(volume, manifest, request.volume, question, first_answer, self._sending, in_turn)
            try:
                return read(self._persist(errand, courier))
            except VolumeChanged:
                self._manifests.pop(volume, None)
                raise
            except WireError:
                raise LearnerFailed(message="its answer cannot be read") from None

    def _persist(self, errand: Errand, courier: Courier) -> bytes:
        """Carries an errand out, from its beginning again whenever the service was lost or lost something."""
        channel: Channel | None = self._reach(courier)  # where nothing is wrong yet, nothing is tried again
        for pause in self.pauses:
            try:
                return carry_out(channel or self._reach(courier), errand, courier)
            except (NotReached, Forgotten, ServerBusy) as error:
                courier.tell(self._waiting_for(error), 0.0)
                courier.pause(max(pause, error.seconds if isinstance(error, ServerBusy) else 0.0))
                channel = None
        return carry_out(self._reach(courier), errand, courier)

    def _manifest(self, volume: Volume) -> Manifest:
        with self._hashing:
            if volume not in self._manifests:
                self._manifests[volume] = manifest_of(volume)
            return self._manifests[volume]


def greeted(channel: Channel) -> Channel:
    """The channel, if a MetaSegment service of this protocol answers there; raises LearnerError otherwise."""
    health = channel.get(Health, HEALTH, GREETING_SECONDS)
    if health.status != "ok":
        raise NotMetaSegment(address=channel.address)
    if health.protocol != PROTOCOL:
        raise VersionsDiffer(address=channel.address, theirs=health.protocol, ours=PROTOCOL)
    return channel
