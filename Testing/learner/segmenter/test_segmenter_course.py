"""The course of a segmentation: what is taught in its time, the preview, the progress, and cancelling."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest
from torch import Tensor

from metasegment.annotation import Annotation
from metasegment.errors import Cancelled
from metasegment.network.engine import Engine
from metasegment.progress import Progress
from metasegment.segmentation import Budget
from metasegment.segmenter import Segmenter
from metasegment.segmenter.gate import ADAPTING
from metasegment.strategies import Query, State, TrainingSlice, all_strategies
from metasegment.strategies.base import TimeLeft
from metasegment.volume import Volume

#: Everything but adapting.
NO_TIME = Budget(seconds=0)


class Pupil:
    """A strategy that only remembers how often it was taught, and answers like in-context."""

    name = "pupil"

    def __init__(self) -> None:
        self.slices: list[int] = []

    def fit(self, slices: Sequence[TrainingSlice], engine: Engine, steps: int, seed: int, time_left: TimeLeft) -> State:
        self.slices.append(len(slices))
        return {}

    def predict(self, state: State, query: Query, engine: Engine) -> Tensor:
        return engine.logits(query.channels)


@pytest.fixture
def pupil() -> Pupil:
    return Pupil()


@pytest.fixture
def teacher(released_engine: Engine, pupil: Pupil) -> Segmenter:
    """A segmenter whose one strategy that learns is the pupil."""
    return Segmenter(released_engine, {**all_strategies(), **dict.fromkeys(ADAPTING, pupil)})


def test_a_strategy_that_learns_is_judged_on_a_slice_it_was_not_taught(
    teacher: Segmenter, pupil: Pupil, organs: tuple[Volume, Annotation]
) -> None:
    teacher.segment(*organs, Budget(seconds=60, quality=0.97))
    assert pupil.slices == [2, 2]  # once for each organ; it does not lead, so it is not taught all three


@pytest.mark.parametrize("budget", [NO_TIME, Budget(seconds=60)])
def test_without_time_or_need_nothing_is_taught(
    teacher: Segmenter, pupil: Pupil, organs: tuple[Volume, Annotation], budget: Budget
) -> None:
    teacher.segment(*organs, budget)
    assert pupil.slices == []


def test_fine_tuning_without_time_is_the_in_context_answer(
    segmenter: Segmenter, organs: tuple[Volume, Annotation]
) -> None:
    untaught = segmenter.segment(*organs, NO_TIME, strategy="fine_tune")
    in_context = segmenter.segment(*organs, NO_TIME, strategy="in_context")
    np.testing.assert_array_equal(untaught.labels, in_context.labels)


def test_the_preview_comes_before_the_adapted_result(segmenter: Segmenter, organs: tuple[Volume, Annotation]) -> None:
    events: list[str] = []
    previews: list[np.ndarray] = []

    def preview(labels: np.ndarray) -> None:
        events.append("preview")
        previews.append(labels)

    progress = Progress(report=lambda stage, share: events.append(stage))
    final = segmenter.segment(*organs, NO_TIME, progress=progress, preview=preview)
    assert list(dict.fromkeys(events)) == ["first answer", "preview", "adapting", "composing", "done"]
    assert previews[0].shape == final.labels.shape
    assert set(np.unique(previews[0])) == {0, 1, 2}
    known = organs[1].labels != 0
    np.testing.assert_array_equal(previews[0][known], final.labels[known])


def test_progress_goes_from_nothing_to_all_and_never_back(
    segmenter: Segmenter, organs: tuple[Volume, Annotation]
) -> None:
    shares: list[float] = []
    segmenter.segment(*organs, NO_TIME, progress=Progress(report=lambda stage, share: shares.append(share)))
    assert shares[0] == 0
    assert shares[-1] == 1
    assert shares == sorted(shares)


def test_cancelling_takes_effect_after_the_preview(segmenter: Segmenter, organs: tuple[Volume, Annotation]) -> None:
    previews: list[np.ndarray] = []
    stages: list[str] = []
    progress = Progress(report=lambda stage, share: stages.append(stage), cancelled=lambda: bool(previews))
    with pytest.raises(Cancelled):
        segmenter.segment(*organs, progress=progress, preview=previews.append)
    assert previews
    assert "composing" not in stages


def test_cancelling_takes_effect_within_a_step_of_learning(
    segmenter: Segmenter, organs: tuple[Volume, Annotation]
) -> None:
    asked = 0

    def cancelled() -> bool:
        nonlocal asked
        asked += 1
        return asked > 6  # within the first steps of the first organ

    with pytest.raises(Cancelled):
        segmenter.segment(
            *organs, Budget(seconds=600, steps=1000), strategy="fine_tune", progress=Progress(cancelled=cancelled)
        )
    assert asked == 7
