"""Fixtures of the benchmark's tests: a small data folder with two labelled cases, its protocol, and odd methods."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from helpers.benchmark_cases import labelled

from metasegment.benchmark.freeze import evenly_annotated, structures
from metasegment.benchmark.method import Method
from metasegment.benchmark.perturb import THICKER
from metasegment.benchmark.protocol import Protocol
from metasegment.io.volume_file import write_volume
from metasegment.volume import Volume

#: Methods as a peer's file would have them; in a file of their own, because the run's children import them.
METHODS = '''
import os
import time
import numpy as np
from dataclasses import dataclass
from metasegment.benchmark.method import Prediction

@dataclass(frozen=True)
class Odd:
    name: str
    label = "an odd method"
    settings = "none"
    def missing(self):
        return None

class Threshold(Odd):
    """Everything bright; quick and right."""
    def predict(self, study):
        mask = study.volume.array > 150
        return Prediction(mask, 0.9, np.where(mask, 0.9, 0.1).astype(np.float16), 0.001)

class Raising(Odd):
    def predict(self, study):
        raise ValueError("no such\\nluck")

class Dying(Odd):
    def predict(self, study):
        os._exit(3)

class Slow(Threshold):
    """Half a second a study, but not for the one that warms up."""
    def predict(self, study):
        time.sleep(0.5 if study.volume.array.shape[0] == 24 else 0)
        return super().predict(study)

class WrongShape(Odd):
    def predict(self, study):
        return Prediction(np.zeros((2, 2, 2), bool))

class Greedy(Odd):
    """Says how many seconds it was given, as its estimate."""
    def predict(self, study):
        return Prediction(study.volume.array > 150, study.seconds)
'''


@pytest.fixture
def small_data(tmp_path: Path) -> Path:
    """A data folder: `validation/toys` with cases `one` and `two`."""
    folder = tmp_path / "data" / "validation" / "toys"
    for number, case in enumerate(("one", "two")):
        volume, labels = labelled(number)
        (folder / case).mkdir(parents=True)
        write_volume(volume, folder / case / "image.nii.gz")
        write_volume(Volume(labels, volume.geometry), folder / case / "labels.nii.gz")
    (folder / "dataset.json").write_text(json.dumps({"modality": "CT", "labels": {"1": "ball", "2": "bar"}}))
    return tmp_path / "data"


@pytest.fixture
def small_protocol(small_data: Path) -> Protocol:
    """The ball of both cases with 1, 3 and 5 slices, in part `main`."""
    found = structures(small_data / "validation", "toys", [1], "unseen")
    return Protocol("toys-1", "validation", tuple(t for s in found for t in evenly_annotated(s, "main", (1, 3, 5))))


@pytest.fixture
def odd(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], Method]:
    """Builds a method of METHODS by its class."""
    folder = tmp_path / "methods"
    folder.mkdir()
    (folder / "odd_methods.py").write_text(METHODS)
    monkeypatch.syspath_prepend(folder)

    def build(name: str) -> Method:
        import odd_methods

        return getattr(odd_methods, name)(name.lower())

    return build


@pytest.fixture(scope="session")
def thick() -> str:
    return THICKER
