"""Slice propagation as a strategy: annotated slices carried along the image from slice to slice; no network."""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor

from ..grid import resample
from ..network.engine import Engine
from .base import Query, State, TimeLeft, TrainingSlice


class Propagation:
    """Learns nothing; its logit is the carried signed distance in cells."""

    name = "propagation"

    def fit(self, slices: Sequence[TrainingSlice], engine: Engine, steps: int, seed: int, time_left: TimeLeft) -> State:
        return {}

    def predict(self, state: State, query: Query, engine: Engine) -> Tensor:
        prompt, spacing = query.prompt, query.scene.spacing
        return resample(prompt.carried, query.grid.within(prompt.grid)) / min(prompt.grid.cell_spacing(spacing))


STRATEGY = Propagation()
