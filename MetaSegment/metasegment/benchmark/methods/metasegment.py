"""MetaSegment itself: gated, as the command runs it, each of its strategies alone, and its tasks on new volumes."""

from __future__ import annotations

import hashlib
import time
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np

from ... import __version__
from ...annotation import complete
from ...network.devices import choose_device
from ...network.engine import Engine
from ...network.meta_parameters import learnt_files, load_learnt
from ...network.unet import load_network
from ...segmentation import AUTO, Budget, Map
from ...segmenter import Segmenter
from ...strategies import all_meta_strategies, all_strategies
from ...task import Task
from ..method import STRUCTURE, WELCOME, Prediction, Source, Study, fingerprint

NAME = "metasegment"


@dataclass(frozen=True)
class Learner:
    """MetaSegment with a weights file on a device; `strategy` is "auto" for the gate or the name of one."""

    strategy: str
    weights: Path
    device: str

    @property
    def name(self) -> str:
        return NAME if self.strategy == AUTO else self.strategy

    @property
    def label(self) -> str:
        return "MetaSegment" if self.strategy == AUTO else f"MetaSegment, {self.strategy} alone"

    @property
    def sources(self) -> tuple[bool, ...]:
        """Tasks are taught and applied by the gated way alone."""
        return WELCOME if self.strategy == AUTO else (False,)

    @property
    def settings(self) -> str:
        budget = Budget()
        return (
            f"metasegment {__version__}, strategy {self.strategy}, weights {self.weights.name} ({self.checksum[:8]}), "
            f"at most {budget.seconds:g} s and {budget.steps} steps of adapting, seed 0"
            + ("; a task is taught by its own answer on the source" if self.strategy == AUTO else "")
        )

    @cached_property
    def checksum(self) -> str:
        """Of the weights and the meta-parameters it uses: answers of other ones are not this method's."""
        digest = hashlib.sha256()
        if self.weights.is_file():
            digest.update(self.weights.read_bytes())
            if self.strategy in all_meta_strategies() and self.strategy in (learnt := learnt_files(self.weights)):
                digest.update(learnt[self.strategy].read_bytes())
        return digest.hexdigest()

    def missing(self) -> str | None:
        if not self.weights.is_file():
            return f"no weights at {self.weights}"
        if self.strategy in all_meta_strategies() and self.strategy not in learnt_files(self.weights):
            return "it was not meta-trained with these weights"
        return None

    def predict(self, study: Study) -> Prediction:
        return self._applied(study, study.source) if study.source else self._segmented(study)

    def _segmented(self, study: Study) -> Prediction:
        started = time.monotonic()
        shown: list[float] = []
        result = self._segmenter.segment(
            study.volume,
            study.annotation,
            strategy=self.strategy,
            preview=lambda labels: shown.append(time.monotonic() - started),
        )
        (structure,) = result.structures
        mask = result.labels == STRUCTURE
        return Prediction(mask, structure.estimated_dice, _probability(mask, result.map), shown[0])

    def _applied(self, study: Study, source: Source) -> Prediction:
        """By the task that the source teaches, which is kept for the source's other studies."""
        started, preparing = time.monotonic(), None
        key = fingerprint(source.volume.array, source.annotation.labels)
        if key not in self._tasks:
            self._tasks[key] = self._taught(source)
            preparing = time.monotonic() - started
        applying = time.monotonic()
        shown: list[float] = []
        result = self._segmenter.apply(
            self._tasks[key],
            study.volume,
            study.annotation if study.annotation.slices else None,
            preview=lambda labels: shown.append(time.monotonic() - applying),
        )
        (structure,) = result.structures
        mask = result.labels == STRUCTURE
        first = shown[0] if shown else None
        return Prediction(mask, structure.estimated_dice, _probability(mask, result.map), first, preparing)

    def _taught(self, source: Source) -> Task:
        """As a user does: segments the source from its slices, accepts that as it is, and teaches it."""
        found = self._segmenter.segment(source.volume, source.annotation)
        return self._segmenter.teach(source.volume, complete(source.annotation, found.labels))

    @cached_property
    def _tasks(self) -> dict[str, Task]:
        """Taught in this process, by the source's fingerprint."""
        return {}

    @cached_property
    def _segmenter(self) -> Segmenter:
        """Read once in a process, however many studies follow."""
        network, learnt = load_network(self.weights), load_learnt(self.weights)
        return Segmenter(Engine(network, choose_device(self.device), learnt))


def learners(weights: Path, device: str) -> tuple[Learner, ...]:
    """The gate first, then each strategy."""
    return tuple(Learner(strategy, weights, device) for strategy in (AUTO, *sorted(all_strategies())))


def _probability(mask: np.ndarray, found: Map) -> np.ndarray:
    """That a voxel is the structure (float16, k, j, i): the map's uncertainty is twice that it is wrong."""
    probability = np.zeros(mask.shape, np.float16)
    doubt = found.uncertainty / 2
    probability[found.region] = np.where(mask[found.region], 1 - doubt, doubt)
    return probability
