"""The in-context answer: one forward pass with the annotated slices as input channels; no adaptation."""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor

from ..network.engine import Engine
from .base import Query, State, TimeLeft, TrainingSlice


class InContext:
    """Learns nothing from the slices; they are its input."""

    name = "in_context"

    def fit(self, slices: Sequence[TrainingSlice], engine: Engine, steps: int, seed: int, time_left: TimeLeft) -> State:
        return {}

    def predict(self, state: State, query: Query, engine: Engine) -> Tensor:
        return engine.logits(query.channels)


STRATEGY = InContext()
