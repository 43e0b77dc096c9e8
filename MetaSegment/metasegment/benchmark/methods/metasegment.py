"""MetaSegment itself: gated, as the command runs it, and each of its strategies alone."""

from __future__ import annotations

import hashlib
import time
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np

from ... import __version__
from ...engine import Engine, choose_device
from ...learnt import learnt_path, load_learnt
from ...network import load_network
from ...segmentation import AUTO, Budget, Map
from ...segmenter import Segmenter
from ...segmenter.gate import ADAPTING
from ...strategies import all_meta_strategies, all_strategies
from ..study import STRUCTURE, Prediction, Study

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
    def settings(self) -> str:
        budget = Budget()
        return (
            f"metasegment {__version__}, strategy {self.strategy}, weights {self.weights.name} ({self.checksum[:8]}), "
            f"at most {budget.seconds:g} s and {budget.steps} steps of adapting, seed 0"
        )

    @cached_property
    def checksum(self) -> str:
        """Of the weights and the meta-parameters it uses: answers of other ones are not this method's."""
        strategies = ADAPTING if self.strategy == AUTO else (self.strategy,)
        digest = hashlib.sha256()
        for path in (self.weights, *(learnt_path(self.weights, name) for name in strategies)):
            digest.update(path.read_bytes() if path.is_file() else b"")
        return digest.hexdigest()

    def missing(self) -> str | None:
        if not self.weights.is_file():
            return f"no weights at {self.weights}"
        if self.strategy in all_meta_strategies() and self.strategy not in load_learnt(self.weights):
            return "it was not meta-trained with these weights"
        return None

    def predict(self, study: Study) -> Prediction:
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
