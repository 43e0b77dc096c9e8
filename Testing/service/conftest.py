"""Fixtures that the service's tests share: a small volume with an organ, and the released learner in this process."""

from __future__ import annotations

import os
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial

import numpy as np
import pytest
import requests
import torch
from helpers.lessons import short_lessons
from torch import Tensor

from metasegment.annotation import BACKGROUND, Annotation, annotation_from_labels, complete
from metasegment.client import LocalLearner
from metasegment.io.task_file import address_of, to_bytes
from metasegment.network.engine import Engine
from metasegment.network.meta_parameters import load_learnt
from metasegment.network.unet import RELEASED, load_network
from metasegment.segmentation import Budget, Segmentation
from metasegment.segmenter import Segmenter
from metasegment.service.installed import Installation
from metasegment.service.limits import Limits
from metasegment.service.server import Server, bound_socket
from metasegment.service.service import Service, Settings
from metasegment.strategies import Query, State, TrainingSlice, all_strategies
from metasegment.task import Task
from metasegment.volume import Geometry, Volume
from metasegment.wire import from_json, messages, to_json
from metasegment.wire.annotations import encode_job, pack
from metasegment.wire.messages import JobRequest, JobStatus, Kind
from metasegment.wire.volumes import address, chunks_of, manifest_of

#: Small, of three lengths and spacings, and not at the origin: what is mixed up on the way shows.
GRID = Geometry((24, 28, 20), (2.0, 2.5, 3.0), (-11.0, 22.0, 33.0), (0.0, 1.0, 0.0, 1.0, 0.0, 0.0, 0.0, 0.0, -1.0))


@pytest.fixture(scope="session")
def organ() -> tuple[Volume, Annotation]:
    """An ellipsoid in noise, int16, with three of its axial slices and one sagittal drawn."""
    k, j, i = np.ogrid[tuple(slice(n) for n in GRID.shape)]
    inside = ((k - 10) / 6) ** 2 + ((j - 13) / 8) ** 2 + ((i - 11) / 7) ** 2 <= 1
    noise = np.random.default_rng(0).normal(0, 20, GRID.shape)
    labels = np.zeros(GRID.shape, np.uint8)
    for plane in (np.s_[6], np.s_[10], np.s_[13], np.s_[:, :, 11]):
        labels[plane] = np.where(inside[plane], 7, BACKGROUND)
    volume = Volume((noise + 100 * inside).astype(np.int16), GRID)
    return volume, annotation_from_labels(labels, GRID, {7: "organ of Jane Doe"}, {7: (0.5, 0.25, 1.0)})


@pytest.fixture(scope="session")
def segmenter() -> Segmenter:
    """The released learner on the CPU, in this process."""
    return Segmenter(Engine(load_network(), "cpu", load_learnt(RELEASED)))


@pytest.fixture(scope="session")
def expected(segmenter: Segmenter, organ: tuple[Volume, Annotation]) -> Segmentation:
    """The organ as the first strategy alone finds it."""
    return segmenter.segment(*organ, Budget(seconds=0), "in_context")


@pytest.fixture(scope="session")
def assert_as_ever(expected: Segmentation) -> Callable[[Segmentation], None]:
    """Compares a result with what is `expected`, to the last bit."""

    def check(result: Segmentation) -> None:
        np.testing.assert_array_equal(result.labels, expected.labels)
        np.testing.assert_array_equal(result.map.uncertainty, expected.map.uncertainty)
        assert result.structures == expected.structures

    return check


@pytest.fixture(scope="session")
def accepted(organ: tuple[Volume, Annotation], expected: Segmentation) -> Annotation:
    """The organ throughout its volume, with no unknown voxel: what is taught."""
    return complete(organ[1], expected.labels)


@pytest.fixture(scope="session")
def taught(segmenter: Segmenter, organ: tuple[Volume, Annotation], accepted: Annotation) -> Task:
    """The task that the organ makes in a short lesson."""
    with short_lessons():
        return segmenter.teach(organ[0], accepted)


@pytest.fixture(scope="session")
def next_volume(organ: tuple[Volume, Annotation]) -> Volume:
    """Another patient, whose organ lies a little further on."""
    return Volume(np.roll(organ[0].array, (1, -2, 1), (0, 1, 2)), organ[0].geometry)


@pytest.fixture(scope="session")
def applied(segmenter: Segmenter, taught: Task, next_volume: Volume) -> Segmentation:
    """What the task finds in the next volume, without a slice of it."""
    return segmenter.apply(taught, next_volume, None, Budget(seconds=0))


@pytest.fixture(scope="session")
def local_learner(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalLearner]:
    """The released learner on the CPU, in a child process that tests may kill: it comes back. It can write no file."""
    python = sys.executable
    if os.name == "posix":
        script = tmp_path_factory.mktemp("python") / "python"
        script.write_text(f'#!/bin/sh\nulimit -f 0\nexec "{python}" "$@"\n')
        script.chmod(0o755)
        python = str(script)
    with LocalLearner(python, "cpu") as learner:
        yield learner


TOKEN = "a-token-that-nobody-guesses"
#: Seconds for whatever a test waits for; reached by failures alone.
PATIENCE = 60.0


class Patient:
    """A strategy that takes all the time it is given, and learns nothing."""

    name = "patient"

    def fit(
        self, slices: Sequence[TrainingSlice], engine: Engine, steps: int, seed: int, time_left: Callable[[], bool]
    ) -> State:
        while time_left():
            time.sleep(0.005)
        return {}

    def predict(self, state: State, query: Query, engine: Engine) -> Tensor:
        return engine.logits(query.channels)


class Hungry(Patient):
    """A strategy that needs more memory than any computer has."""

    name = "hungry"

    def predict(self, state: State, query: Query, engine: Engine) -> Tensor:
        return torch.zeros(2**50)


class Defective(Patient):
    """A strategy with a defect, and a patient's name in its exception."""

    name = "defective"

    def predict(self, state: State, query: Query, engine: Engine) -> Tensor:
        raise ValueError("Jane Doe")


@dataclass
class Caller:
    """A client that speaks plain HTTP to a service at `url`."""

    url: str
    client: str = "client-of-a-test"
    token: str = TOKEN
    session: requests.Session = field(default_factory=requests.Session)

    def call(self, method: str, path: str, body: bytes | str = b"", **headers: str) -> requests.Response:
        own = {"Authorization": f"Bearer {self.token}", messages.CLIENT_HEADER: self.client}
        given = {name.replace("_", "-"): value for name, value in headers.items()}
        return self.session.request(method, self.url + path, data=body, headers={**own, **given}, timeout=PATIENCE)

    def announce(self, volume: Volume, chunk_bytes: int = 8192) -> requests.Response:
        return self.call("POST", messages.VOLUMES, to_json(manifest_of(volume, chunk_bytes)))

    def send(self, volume: Volume, chunk_bytes: int = 8192) -> str:
        """Announces a volume, sends what is missing and returns its address."""
        manifest = manifest_of(volume, chunk_bytes)
        announced = self.announce(volume, chunk_bytes).json()
        for number in announced["missing"]:
            path = messages.CHUNK.format(volume=announced["id"], number=number)
            assert self.call("PUT", path, bytes(chunks_of(volume, manifest)[number])).status_code == 204
        return address(manifest)

    def put(self, task: Task) -> str:
        """Sends a task and returns its address."""
        file = to_bytes(task)
        assert self.call("PUT", messages.TASK.format(task=address_of(file)), file).status_code == 204
        return address_of(file)

    def ask(
        self,
        key: str,
        annotation: Annotation | None,
        strategy: str = "in_context",
        seconds: float = 0.0,
        kind: Kind = "segment",
        task: str | None = None,
    ) -> requests.Response:
        """Asks for a job on a volume that was sent."""
        request = JobRequest(kind, key, strategy, Budget(seconds=seconds, steps=10**5, quality=1.0), task=task)
        packed = pack(annotation) if annotation else None
        return self.call("POST", messages.JOBS, b"".join(encode_job(request, packed)))

    def job(self, *arguments: object, **options: object) -> str:
        """Asks for a job that must be admitted, and returns its id."""
        answer = self.ask(*arguments, **options)
        assert answer.status_code == 202, answer.text
        return answer.json()["id"]

    def status(self, job: str) -> JobStatus:
        return from_json(JobStatus, self.call("GET", messages.JOB.format(job=job)).content)

    def wait(self, job: str, *states: str) -> JobStatus:
        """Waits until a job is in one of the states."""
        end = time.monotonic() + PATIENCE
        while (status := self.status(job)).state not in states:
            assert time.monotonic() < end and not status.ended, status
            time.sleep(0.01)
        return status

    def cancel(self, job: str) -> requests.Response:
        return self.call("DELETE", messages.JOB.format(job=job))


@dataclass
class Running:
    """A service that listens, and what it is made of."""

    url: str
    service: Service
    stop: Callable[[], None]

    def caller(self, client: str = "client-of-a-test", token: str = TOKEN) -> Caller:
        return Caller(self.url, client, token)


@pytest.fixture
def make_caller() -> type[Caller]:
    """For services that are not `a_service`: a caller of an address."""
    return Caller


@pytest.fixture
def a_service(segmenter: Segmenter) -> Iterator[Callable[..., Running]]:
    """Starts services on free ports, with these limits; its learner knows three more strategies."""
    stops = []

    def learner() -> Segmenter:
        return Segmenter(
            segmenter.engine, {**all_strategies(), **{s.name: s for s in (Patient(), Hungry(), Defective())}}
        )

    def start(token: str | None = TOKEN, **limits: float) -> Running:
        bounds = Limits(**limits)
        facts = partial(Installation(("cpu",)).capabilities, bounds)
        server = Server(Settings({"cpu": learner}, facts, token, True, bounds))
        listening, ready = bound_socket("127.0.0.1", 0), threading.Event()
        thread = threading.Thread(target=server.run_on, args=(listening, ready.set))
        thread.start()

        def stop() -> None:
            server.should_exit = True
            thread.join(PATIENCE)

        stops.append(stop)
        assert ready.wait(PATIENCE)
        return Running(f"http://127.0.0.1:{listening.getsockname()[1]}", server.service, stop)

    yield start
    for stop in stops:
        stop()


@pytest.fixture
def two_structures(organ: tuple[Volume, Annotation]) -> Annotation:
    """The organ beside another, label 3, drawn on the same slices."""
    labels = organ[1].labels.copy()
    labels[10, 2:5, 2:5] = 3
    return annotation_from_labels(labels, GRID)


@pytest.fixture
def another_structure(organ: tuple[Volume, Annotation]) -> Annotation:
    """A structure that is not the organ, label 9, on one slice of the same volume."""
    labels = np.zeros(GRID.shape, np.uint8)
    labels[10] = BACKGROUND
    labels[10, 5:15, 5:15] = 9
    return annotation_from_labels(labels, GRID)
