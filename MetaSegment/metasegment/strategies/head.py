"""Heads: what is learnt from training slices corrects the in-context answer cell by cell, with the network as it is.

Only how a head adapts and answers differs from one to the next; each is an instance in its own file.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from ..network.engine import Engine
from ..network.losses import segmentation_loss
from .base import MetaTask, Query, State, TimeLeft, TrainingSlice
from .training_cells import Cells, described, feature_count, meta_gradient_of, read_training_slices

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

    def fit(self, slices: Sequence[TrainingSlice], engine: Engine, steps: int, seed: int, time_left: TimeLeft) -> State:
        """Takes one pass for each training slice; nothing, the in-context answer, where they do not show both sides."""
        meta = engine.learnt(self.name)
        cells = read_training_slices(slices, engine, seed, time_left)
        return self.adapt(meta, cells) if cells else {}

    def predict(self, state: State, query: Query, engine: Engine) -> Tensor:
        if not state:
            return engine.logits(query.channels)
        features, logits = engine.features(query.channels)
        here = {name: p.to(logits.device) for name, p in state.items()}
        return self.answer(here, described(features, logits, query.channels), logits)

    def meta_gradient(self, meta: Meta, task: MetaTask, engine: Engine) -> tuple[float, dict[str, Tensor]]:
        """Returns the query's loss, differentiated through the head and what it learnt from the training slices."""
        cells = read_training_slices(task.slices, engine, seed=0, time_left=lambda: True)
        with torch.no_grad():
            features, logits = engine.forward_features(task.channels)
        if cells:
            logits = self.answer(self.adapt(meta, cells), described(features, logits, task.channels), logits)
        target, weight = task.target.to(logits.device), task.weight.to(logits.device)
        return meta_gradient_of(segmentation_loss(logits, target, weight), meta)
