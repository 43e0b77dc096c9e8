"""Random walker as a strategy: an earlier answer and the annotated slices, carried to the image's edges; no network."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from ..engine import Engine
from ..prompts.random_walker import walk
from .base import Heartbeat, Lesson, Query, State


class RandomWalker:
    """Learns nothing; without an earlier answer the plain random walker."""

    name = "random_walker"

    def fit(self, lessons: Sequence[Lesson], engine: Engine, steps: int, seed: int, heartbeat: Heartbeat) -> State:
        return {}

    def predict(self, state: State, query: Query, engine: Engine) -> Tensor:
        found = walk(query.scene, query.structure, query.prompt.appearance, query.grid, query.previous)
        return torch.logit(found, eps=1e-4)


STRATEGY = RandomWalker()
