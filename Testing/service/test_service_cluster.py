"""Two replicas under Ray Serve on this computer: a volume and its jobs stay together, and a lost replica is no loss."""

from __future__ import annotations

import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from threading import Thread

import numpy as np
import pytest
import torch

from metasegment.annotation import Annotation
from metasegment.client import LearnerClient
from metasegment.progress import Progress
from metasegment.segmentation import Budget, Segmentation
from metasegment.task import Task
from metasegment.volume import Volume
from metasegment.wire.volumes import address, manifest_of

pytest.importorskip("ray", reason="ray is not installed: pip install 'metasegment[cluster]'")

TOKEN = "a-token-that-nobody-guesses"
#: Seconds for whatever a test waits for; reached by failures alone.
PATIENCE = 240.0
#: So many more volumes, at most, until both replicas have had one: all go to the same once in 4000 times.
MORE = 10
_AUDIT_LINE = re.compile(r"pid=(\d+)\).* INFO: ({.*})")


@dataclass
class Cluster:
    """A service of two replicas, and what it wrote."""

    url: str
    lines: list[str] = field(default_factory=list)

    def replicas_of(self, volume: str) -> set[int]:
        """Process ids of those that had a job on a volume."""
        written = [found.groups() for line in list(self.lines) if (found := _AUDIT_LINE.search(line))]
        return {int(pid) for pid, text in written if json.loads(text)["volume"] == volume}

    def wait_for(self, condition: Callable[[], object]) -> None:
        end = time.monotonic() + PATIENCE
        while not condition():
            assert time.monotonic() < end, "\n".join(self.lines)
            time.sleep(0.1)


@pytest.fixture(scope="module")
def cluster() -> Iterator[Cluster]:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    command = ["-m", "metasegment", "serve", "--cluster", "2", "--port", str(port), "--device", "cpu"]
    # Ray gives each replica one thread otherwise, on which answers can differ from this process's in the last bits.
    told = {"METASEGMENT_TOKEN": TOKEN, "RAY_DEDUP_LOGS": "0", "RAY_COLOR_PREFIX": "0"}
    told["OMP_NUM_THREADS"] = str(torch.get_num_threads())
    process = subprocess.Popen(
        [sys.executable, *command, "--memory-gb", "4"],
        env={**os.environ, **told},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    running = Cluster(f"http://127.0.0.1:{port}")

    def read() -> None:
        assert process.stdout
        running.lines.extend(iter(process.stdout.readline, ""))

    reader = Thread(target=read)
    reader.start()
    try:
        running.wait_for(lambda: process.poll() is not None or any("listening" in line for line in running.lines))
        yield running
    finally:
        process.terminate()
        ended = process.wait(PATIENCE)
        reader.join()
        assert process.stdout
        process.stdout.close()
    assert ended == 0
    assert TOKEN not in "".join(running.lines)
    assert "Jane" not in "".join(running.lines)


def test_a_volume_stays_with_one_of_two_replicas_and_outlives_it(
    cluster: Cluster, organ: tuple[Volume, Annotation], taught: Task, assert_as_ever: Callable[[Segmentation], None]
) -> None:
    volumes = [Volume(organ[0].array.astype(kind), organ[0].geometry) for kind in ("i2", "i4", "f4")]
    stages: list[str] = []

    def ask(client: LearnerClient, volume: Volume) -> Segmentation:
        progress = Progress(report=lambda stage, _: stages.append(stage))
        return client.segment(
            volume, organ[1], Budget(seconds=0), "in_context", progress=progress, preview=lambda _: None
        )

    with LearnerClient(cluster.url, TOKEN) as client:
        assert client.test_connection().ok
        for _ in range(2):
            for volume in volumes:
                assert_as_ever(ask(client, volume))
        assert stages.count("sending the volume") == len(volumes)
        homes = [_home(cluster, volume) for volume in volumes]
        for number in range(MORE):  # until both have something to do
            if len(set(homes)) == 2:
                break
            other = Volume(organ[0].array + np.int16(number + 1), organ[0].geometry)
            ask(client, other)
            homes.append(_home(cluster, other))
        assert len(set(homes)) == 2
        found = [client.apply(taught, volume, None, Budget(seconds=0)).labels for volume in volumes]
        assert all(np.array_equal(labels, found[0]) for labels in found)  # both replicas were sent the task
        os.kill(homes[0], getattr(signal, "SIGKILL", signal.SIGTERM))
        assert_as_ever(ask(client, volumes[0]))
        cluster.wait_for(lambda: len(cluster.replicas_of(address(manifest_of(volumes[0])))) == 2)


def _home(cluster: Cluster, volume: Volume) -> int:
    key = address(manifest_of(volume))
    cluster.wait_for(lambda: cluster.replicas_of(key))
    (pid,) = cluster.replicas_of(key)
    return pid
