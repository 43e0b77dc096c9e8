"""How many workers there are, and what becomes of the work of one that dies."""

from __future__ import annotations

import os
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import pytest

from metasegment.cohort.workers import Workers, shared_out, workers_for
from metasegment.errors import InputError
from metasegment.service.ray_cluster import ray_cluster

TWO = Workers(2, "cpu", 1)


@pytest.mark.parametrize(
    ("cores", "gpus", "device", "wanted", "workers"),
    [
        (2, 0, "auto", None, Workers(1, "cpu", 2)),
        (2, 0, "auto", 2, Workers(2, "cpu", 1)),
        (16, 0, "cpu", None, Workers(4, "cpu", 4)),
        (16, 2, "auto", None, Workers(2, "cuda", 8)),
        (16, 2, "cuda", 1, Workers(1, "cuda", 16)),
        (16, 2, "cpu", 3, Workers(3, "cpu", 5)),
    ],
)
def test_each_gpu_has_a_worker_else_the_cores_are_shared(
    cores: int, gpus: int, device: str, wanted: int | None, workers: Workers
) -> None:
    assert workers_for({"CPU": float(cores), "GPU": float(gpus)}, device, wanted) == workers


@pytest.mark.parametrize(
    ("device", "wanted", "complaint"),
    [("cuda", None, "no GPU"), ("cuda:0", None, "CUDA_VISIBLE_DEVICES"), ("cpu", 3, "1 to 2"), ("cpu", 0, "1 to 2")],
)
def test_what_the_machine_has_not_is_refused(device: str, wanted: int | None, complaint: str) -> None:
    with pytest.raises(InputError, match=complaint):
        workers_for({"CPU": 2.0}, device, wanted)


@dataclass(frozen=True)
class Mortal:
    """A worker that notes what it is given, and dies of work that is called so, always or at the first time."""

    journal: Path

    def apply(self, item: str) -> None:
        known = item in self.journal.read_text().split()
        with self.journal.open("a") as file:
            file.write(f"{item}\n")
        if item == "deadly" or (item == "risky" and not known):
            os._exit(1)


def test_the_work_of_a_worker_that_dies_is_tried_once_more_and_the_rest_goes_on_in_order(tmp_path: Path) -> None:
    pytest.importorskip("ray", reason="ray is not installed: pip install 'metasegment[cluster]'")
    journal = tmp_path / "journal"
    journal.touch()
    work = [("one",), ("risky", "two", "deadly", "three"), ("four",), ("five",)]
    with ray_cluster("a test", show_output=False):
        ended = dict(shared_out(Mortal, journal, TWO, work, lambda: False))
    items = [item for run in work for item in run]
    assert ended == {item: item != "deadly" for item in items}
    begun = journal.read_text().splitlines()
    assert Counter(begun) == {item: 2 if item in ("risky", "deadly") else 1 for item in items}
    assert [item for item in begun if item in work[1]] == ["risky", "risky", "two", "deadly", "deadly", "three"]
