"""Whatever breaks between a client and its service, the answer is the same; what cannot be mended is said in words."""

from __future__ import annotations

import itertools
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import Any
from urllib.parse import urlsplit

import numpy as np
import pytest

from metasegment.annotation import BACKGROUND, Annotation, annotation_from_labels
from metasegment.client import LearnerClient, errors, events
from metasegment.client.turns import Turns
from metasegment.errors import Cancelled
from metasegment.io.task_file import address_of, to_bytes
from metasegment.progress import Progress
from metasegment.segmentation import Budget, Segmentation
from metasegment.task import Task
from metasegment.volume import Geometry, Volume
from metasegment.wire.messages import VOLUME_HEADER
from metasegment.wire.volumes import address, manifest_of

QUICK = Budget(seconds=0)
IN_CONTEXT = "in_context"
#: Work for as long as nobody stops it, with the service's strategy "patient".
LONG = Budget(seconds=600, steps=10**5, quality=1.0)
TOKEN = "a-token-that-nobody-guesses"

Organ = tuple[Volume, Annotation]


class _Relay:
    """A TCP relay to a service: a network that breaks when told to."""

    def __init__(self, url: str) -> None:
        self.target = url
        self._listening = socket.create_server(("127.0.0.1", 0))
        self.address = f"http://127.0.0.1:{self._listening.getsockname()[1]}"
        self.left: int | None = None  # bytes let through before the next break; None: all
        self.breaks = 0
        self.asked: list[bytes] = []  # all requests, in pieces
        self._open: list[socket.socket] = []
        self.withheld = b""  # answers to requests for this are never let through
        threading.Thread(target=self._accept, daemon=True).start()

    def close(self) -> None:
        """As when the cable is pulled and somebody sees it."""
        with suppress(OSError):
            self._listening.shutdown(socket.SHUT_RDWR)
        self._listening.close()
        self.cut()

    def cut(self) -> None:
        """As when the service is killed: all connections break, new ones come about."""
        while self._open:
            end = self._open.pop()
            with suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)
            end.close()

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                near, _ = self._listening.accept()
                far = socket.create_connection(("127.0.0.1", urlsplit(self.target).port))
                self._open += [near, far]
                pair = threading.Event()  # set once answers are withheld
                threading.Thread(target=self._carry, args=(near, far, pair, True), daemon=True).start()
                threading.Thread(target=self._carry, args=(far, near, pair, False), daemon=True).start()

    def _carry(self, source: socket.socket, target: socket.socket, withhold: threading.Event, asking: bool) -> None:
        with suppress(OSError):
            while data := source.recv(1000):
                if asking:
                    self.asked.append(data)
                if asking and self.withheld and self.withheld in data:
                    withhold.set()
                if not asking and withhold.is_set():
                    continue
                if self.left is not None:
                    data, self.left = data[: self.left], self.left - len(data)
                target.sendall(data)
                if self.left is not None and self.left <= 0:
                    self.left, self.breaks = None, self.breaks + 1
                    break
        for end in (source, target):
            with suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)


@pytest.fixture
def relay(a_service: Callable[..., Any]) -> Iterator[_Relay]:
    """The way to a service."""
    relay = _Relay(a_service().url)
    yield relay
    relay.close()


@pytest.fixture
def client(relay: _Relay) -> Iterator[LearnerClient]:
    """A client at the other end of the relay."""
    with LearnerClient(relay.address, TOKEN) as client:
        yield client


@pytest.fixture
def from_afar(monkeypatch: pytest.MonkeyPatch) -> None:
    """Lets clients take this computer for another one."""
    monkeypatch.setattr("metasegment.client.address._is_loopback", lambda host: False)
    monkeypatch.setenv("NO_PROXY", "*")


@pytest.mark.parametrize("after", [0, 150, 700, 5000, 28_000, 32_000, 36_000, 45_000])  # bytes
def test_a_connection_cut_anywhere_changes_nothing(
    organ: Organ, relay: _Relay, client: LearnerClient, after: int, assert_as_ever: Callable[[Segmentation], None]
) -> None:
    relay.left = after
    assert_as_ever(client.segment(*organ, QUICK, IN_CONTEXT))
    assert relay.breaks == 1


def test_a_service_that_was_killed_and_started_anew_is_sent_everything_again(
    organ: Organ,
    a_service: Callable[..., Any],
    relay: _Relay,
    client: LearnerClient,
    assert_as_ever: Callable[[Segmentation], None],
) -> None:
    stages: list[str] = []

    def note(stage: str, share: float) -> None:
        if stage == "adapting" and "adapting" not in stages:
            relay.target = a_service().url
            relay.cut()
        stages.append(stage)

    assert_as_ever(client.segment(*organ, QUICK, IN_CONTEXT, progress=Progress(report=note)))
    assert stages.count("sending the volume") == 2
    assert "connecting again" in stages


def test_a_clock_that_jumps_changes_nothing(
    organ: Organ,
    client: LearnerClient,
    assert_as_ever: Callable[[Segmentation], None],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Service and client of this process see the time of day leap by years, back and forth, each time they ask."""
    jumps = itertools.cycle([0.0, 4e9, 1e9])
    monkeypatch.setattr(time, "time", lambda: next(jumps))
    for _ in range(2):
        assert_as_ever(client.segment(*organ, QUICK, IN_CONTEXT))


def test_a_forgotten_volume_is_sent_again(
    organ: Organ, a_service: Callable[..., Any], assert_as_ever: Callable[[Segmentation], None]
) -> None:
    running = a_service()
    stages: list[str] = []
    progress = Progress(report=lambda stage, _: stages.append(stage))
    with LearnerClient(running.url, TOKEN) as client:
        client.segment(*organ, QUICK, IN_CONTEXT, progress=progress)
        client.segment(*organ, QUICK, IN_CONTEXT, progress=progress)
        assert stages.count("sending the volume") == 1
        running.service.store.forget(address(manifest_of(organ[0])))
        assert_as_ever(client.segment(*organ, QUICK, IN_CONTEXT, progress=progress))
    assert stages.count("sending the volume") == 2


def test_a_forgotten_task_is_sent_again(
    a_service: Callable[..., Any], relay: _Relay, taught: Task, next_volume: Volume, applied: Segmentation
) -> None:
    running = a_service()
    relay.target = running.url

    def times_sent_for_another_answer() -> int:
        result = client.apply(taught, next_volume, None, QUICK)
        np.testing.assert_array_equal(result.labels, applied.labels)
        return sum(b"PUT /v1/tasks/" in piece for piece in relay.asked)

    with LearnerClient(relay.address, TOKEN) as client:
        assert [times_sent_for_another_answer() for _ in range(2)] == [1, 1]
        running.service.store.forget(f"task {address_of(to_bytes(taught))}")
        assert times_sent_for_another_answer() == 2


def test_a_busy_service_is_waited_for(
    organ: Organ,
    another_structure: Annotation,
    a_service: Callable[..., Any],
    assert_as_ever: Callable[[Segmentation], None],
) -> None:
    stages: list[str] = []
    busy, go_on = threading.Event(), threading.Event()

    def occupy() -> None:
        def note(stage: str, share: float) -> None:
            if stage == "adapting":
                busy.set()

        progress = Progress(report=note, cancelled=go_on.is_set)
        with suppress(Cancelled):
            client.segment(organ[0], another_structure, LONG, "patient", progress=progress)

    def note(stage: str, share: float) -> None:
        stages.append(stage)
        if stage == "waiting for the busy service":
            go_on.set()

    with LearnerClient(a_service(jobs_per_client=1).url, TOKEN) as client:
        other = threading.Thread(target=occupy)
        other.start()
        assert busy.wait(60)
        assert_as_ever(client.segment(*organ, QUICK, IN_CONTEXT, progress=Progress(report=note)))
        other.join()
    assert "waiting for the busy service" in stages


def test_what_fails_at_the_service_is_said_without_anything_private(organ: Organ, client: LearnerClient) -> None:
    with pytest.raises(errors.OutOfMemory, match="too little memory"):
        client.segment(*organ, QUICK, "hungry")
    with pytest.raises(errors.LearnerFailed, match="the learner failed") as caught:
        client.segment(*organ, QUICK, "defective")
    assert "Jane" not in str(caught.value)


def test_a_proxy_that_holds_events_back_is_asked_instead(
    organ: Organ,
    relay: _Relay,
    client: LearnerClient,
    assert_as_ever: Callable[[Segmentation], None],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(events, "SILENCE_SECONDS", 1.0)
    relay.withheld = b"/events"
    stages: list[str] = []
    progress = Progress(report=lambda stage, _: stages.append(stage))
    assert_as_ever(client.segment(*organ, QUICK, IN_CONTEXT, progress=progress))
    assert "connecting again" not in stages


@pytest.mark.usefixtures("from_afar")
def test_a_volume_travels_compressed_to_another_computer(
    organ: Organ, relay: _Relay, client: LearnerClient, assert_as_ever: Callable[[Segmentation], None]
) -> None:
    smooth = Volume(np.repeat(organ[0].array[:, :, :1], organ[0].array.shape[2], axis=2), organ[0].geometry)
    client.segment(smooth, organ[1], QUICK, IN_CONTEXT)
    assert sum(map(len, relay.asked)) < smooth.array.nbytes
    assert_as_ever(client.segment(*organ, QUICK, IN_CONTEXT))


@pytest.mark.usefixtures("from_afar")
def test_a_volume_annotated_throughout_travels_compressed_too(relay: _Relay, client: LearnerClient) -> None:
    geometry = Geometry((180, 180, 40), (1.0, 1.0, 1.0), (0.0, 0.0, 0.0), (1.0, 0, 0, 0, 1.0, 0, 0, 0, 1.0))
    labels = np.full(geometry.shape, BACKGROUND, np.uint8)
    labels[10:20, 50:90, 50:90] = 1
    stages: list[str] = []
    progress = Progress(report=lambda stage, _: stages.append(stage), cancelled=lambda: "learning the task" in stages)
    with pytest.raises(Cancelled):
        client.teach(
            Volume(labels.astype(np.int16), geometry), annotation_from_labels(labels, geometry), progress=progress
        )
    assert sum(map(len, relay.asked)) < labels.size / 4


def test_a_service_that_is_gone_for_good_is_reported(
    organ: Organ, relay: _Relay, client: LearnerClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(LearnerClient, "pauses", (0.0, 0.1))
    stages: list[str] = []

    def note(stage: str, share: float) -> None:
        stages.append(stage)
        if stage == "adapting":
            relay.close()

    with pytest.raises(errors.NothingListens):
        client.segment(*organ, LONG, "patient", progress=Progress(report=note))
    assert stages.count("connecting again") == 2


def test_all_requests_about_a_volume_name_it_to_those_who_pass_them_on(
    organ: Organ, relay: _Relay, client: LearnerClient
) -> None:
    """By this a cluster sends them to the same replica."""
    client.segment(*organ, QUICK, IN_CONTEXT)
    heads = [piece for piece in relay.asked if b" /v1/volumes" in piece or b" /v1/jobs" in piece]
    named = f"{VOLUME_HEADER}: {address(manifest_of(organ[0]))}".encode()
    assert len(heads) >= 5
    assert all(named in head for head in heads)


def test_who_cancels_frees_the_service(organ: Organ, a_service: Callable[..., Any]) -> None:
    running = a_service()
    stages: list[str] = []
    progress = Progress(report=lambda stage, _: stages.append(stage), cancelled=lambda: "adapting" in stages)
    with LearnerClient(running.url, TOKEN) as client, pytest.raises(Cancelled):
        client.segment(*organ, LONG, "patient", progress=progress)
    (job,) = running.service.jobs._jobs.values()
    assert job.state == "cancelled"


def test_of_two_that_ask_the_same_only_the_later_may_ask_again() -> None:
    turns = Turns()
    with turns.taken(turns.number(), ["liver", "spleen"]) as first, turns.taken(turns.number(), ["kidney"]) as other:
        with first():
            pass
        with turns.taken(turns.number(), ["spleen", "pancreas"]) as second:
            for in_turn in (second, other):
                with in_turn():
                    pass
            with pytest.raises(errors.Superseded), first():
                pass
        with first():  # the later one is done: it does no harm any more
            pass


def test_the_later_is_who_asked_later_even_if_it_is_ready_first() -> None:
    turns = Turns()
    earlier, later = turns.number(), turns.number()
    with turns.taken(later, ["liver"]) as second, turns.taken(earlier, ["liver"]) as first:
        with pytest.raises(errors.Superseded), first():
            pass
        with second():
            pass


def test_what_is_given_up_before_it_is_asked_never_reaches_the_service(
    organ: Organ, a_service: Callable[..., Any]
) -> None:
    running = a_service()
    with LearnerClient(running.url, TOKEN) as client, pytest.raises(Cancelled):
        client.segment(*organ, LONG, progress=Progress(cancelled=lambda: True))
    assert not running.service.jobs._jobs


def test_a_volume_that_was_prepared_is_not_sent_again_with_the_question(
    organ: Organ, a_service: Callable[..., Any], assert_as_ever: Callable[[Segmentation], None]
) -> None:
    with LearnerClient(a_service().url, TOKEN) as client:
        client.prepare(organ[0])
        stages: list[str] = []
        result = client.segment(
            *organ, QUICK, IN_CONTEXT, progress=Progress(report=lambda stage, _: stages.append(stage))
        )
    assert_as_ever(result)
    assert stages
    assert "sending the volume" not in stages


def test_a_service_that_cannot_be_prepared_is_given_up_at_once(organ: Organ) -> None:
    with LearnerClient("http://127.0.0.1:9") as client, pytest.raises(errors.NotReached):
        client.prepare(organ[0])
