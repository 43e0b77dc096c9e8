"""Heads: what is learnt from lessons corrects the in-context answer cell by cell, with the network as it is.

Only how a head adapts and answers differs from one to the next; each is an instance in its own file.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from ..engine import Engine
from ..losses import segmentation_loss
from .base import Heartbeat, Lesson, MetaTask, Query, State
from .lesson_cells import Cells, described, feature_count, meta_gradient_of, read_lessons

Meta = Mapping[str, Tensor]


@dataclass(frozen=True)
class Head:
    """A head by its parts.

    `start` gives the first meta-parameters for a number of features, `adapt` a state from meta-parameters and cells,
    differentiably, and `answer` logits (k, j, i) from the state, the features (f, k, j, i) and the in-context logits.
    """

    name: str
    start: Callable[[int], dict[str, Tensor]]
    adapt: Callable[[Meta, Cells], dict[str, Tensor]]
    answer: Callable[[State, Tensor, Tensor], Tensor]

    def initial(self, network: nn.Module) -> dict[str, Tensor]:
        return self.start(feature_count(network))

    def fit(self, lessons: Sequence[Lesson], engine: Engine, steps: int, seed: int, heartbeat: Heartbeat) -> State:
        """One pass for each lesson; nothing, which is the in-context answer, where they do not show both sides."""
        meta = engine.learnt(self.name)
        cells = read_lessons(lessons, engine, seed, heartbeat)
        return self.adapt(meta, cells) if cells else {}

    def predict(self, state: State, query: Query, engine: Engine) -> Tensor:
        if not state:
            return engine.logits(query.channels)
        features, logits = engine.features(query.channels)
        here = {name: p.to(logits.device) for name, p in state.items()}
        return self.answer(here, described(features, logits, query.channels), logits)

    def meta_gradient(self, meta: Meta, task: MetaTask, engine: Engine) -> tuple[float, dict[str, Tensor]]:
        """The query's loss, differentiated through the head and what it learnt from the lessons."""
        cells = read_lessons(task.lessons, engine, seed=0, heartbeat=lambda: True)
        with torch.no_grad():
            features, logits = engine.forward_features(task.channels)
        if cells:
            logits = self.answer(self.adapt(meta, cells), described(features, logits, task.channels), logits)
        target, weight = task.target.to(logits.device), task.weight.to(logits.device)
        return meta_gradient_of(segmentation_loss(logits, target, weight), meta)
