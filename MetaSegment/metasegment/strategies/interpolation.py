"""Shape interpolation as a strategy: no image, no network; what every other answer has to beat."""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor

from ..grid import resample
from ..network.engine import Engine
from .base import Query, State, TimeLeft, TrainingSlice


class Interpolation:
    """Learns nothing; the logit is the signed distance to the interpolated surface in cells of the prompt's grid."""

    name = "interpolation"

    def fit(self, slices: Sequence[TrainingSlice], engine: Engine, steps: int, seed: int, time_left: TimeLeft) -> State:
        return {}

    def predict(self, state: State, query: Query, engine: Engine) -> Tensor:
        cell = sum(query.prompt.grid.cell_spacing(query.scene.spacing)) / 3
        return resample(query.prompt.interpolation, query.grid.within(query.prompt.grid)) / cell


STRATEGY = Interpolation()
