"""Random walker as a strategy: an earlier answer and the annotated slices, carried to the image's edges; no network."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from ..network.engine import Engine
from ..prompts.random_walker import walk
from .base import Query, State, TimeLeft, TrainingSlice


class RandomWalker:
    """Learns nothing; without an earlier answer the plain random walker."""

    name = "random_walker"

    def fit(self, slices: Sequence[TrainingSlice], engine: Engine, steps: int, seed: int, time_left: TimeLeft) -> State:
        return {}

    def predict(self, state: State, query: Query, engine: Engine) -> Tensor:
        found = walk(query.scene, query.structure, query.prompt.appearance, query.grid, query.previous)
        return torch.logit(found, eps=1e-4)


STRATEGY = RandomWalker()
