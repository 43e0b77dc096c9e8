"""Segmenter, LearnerClient and LocalLearner are one to those who use them: the same tests for all three."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from helpers.lessons import short_lessons

from metasegment.annotation import Annotation, complete
from metasegment.client import LearnerClient, LocalLearner, ServiceLearner
from metasegment.client.errors import Superseded
from metasegment.errors import Cancelled, InputError
from metasegment.io.task_file import to_bytes
from metasegment.progress import Progress
from metasegment.segmentation import Budget, Segmentation
from metasegment.segmenter import Segmenter
from metasegment.task import Task
from metasegment.volume import Volume

TOKEN = "a-token-that-nobody-guesses"
#: For a question that is answered in a second.
QUICK = Budget(seconds=0)
IN_CONTEXT = "in_context"
#: Work for as long as nobody stops it, with the service's strategy "patient".
LONG = Budget(seconds=600, steps=10**5, quality=1.0)


@pytest.fixture
def a_client(a_service: Callable[..., Any]) -> Iterator[LearnerClient]:
    """A client of a service that somebody else started."""
    with LearnerClient(a_service().url, TOKEN) as client:
        yield client


@pytest.fixture(params=["in this process", "by address", "child"])
def learner(
    request: pytest.FixtureRequest, segmenter: Segmenter, a_client: LearnerClient, local_learner: LocalLearner
) -> Segmenter | ServiceLearner:
    """Each way to the same learner."""
    return {"in this process": segmenter, "by address": a_client, "child": local_learner}[request.param]


@pytest.fixture(scope="module")
def gated(segmenter: Segmenter, organ: tuple[Volume, Annotation]) -> Segmentation:
    """What the gate makes of the organ without time to adapt."""
    return segmenter.segment(*organ, QUICK)


def test_the_answer_is_the_same_to_the_last_bit(
    learner: Segmenter | ServiceLearner, organ: tuple[Volume, Annotation], gated: Segmentation
) -> None:
    result = learner.segment(*organ, QUICK)
    np.testing.assert_array_equal(result.labels, gated.labels)
    np.testing.assert_array_equal(result.map.uncertainty, gated.map.uncertainty)
    assert (result.labels.dtype, result.map.uncertainty.dtype) == (np.uint8, np.float16)
    assert result.map.region == gated.map.region
    assert result.structures == gated.structures
    assert result.structures[0].name == "organ of Jane Doe"
    assert result.next_slice == gated.next_slice
    assert (result.device, result.notes) == (gated.device, gated.notes)
    assert list(result.seconds) == list(gated.seconds)


def test_the_next_slice_is_the_same(
    learner: Segmenter | ServiceLearner, organ: tuple[Volume, Annotation], gated: Segmentation
) -> None:
    assert learner.suggest(*organ) == gated.next_slice


def test_the_first_answer_comes_once_and_before_the_last(
    learner: Segmenter | ServiceLearner, organ: tuple[Volume, Annotation]
) -> None:
    told: list[tuple[str, float]] = []
    shown: list[np.ndarray] = []

    def show(labels: np.ndarray) -> None:
        assert ("done", 1.0) not in told
        shown.append(labels)

    progress = Progress(report=lambda stage, share: told.append((stage, share)))
    learner.segment(*organ, QUICK, IN_CONTEXT, progress=progress, preview=show)
    (first,) = shown
    assert (first.dtype, first.shape) == (np.uint8, organ[0].array.shape)
    assert set(np.unique(first)) == {0, 7}
    assert told[-1] == ("done", 1.0)
    assert told.count(("done", 1.0)) == 1
    assert all(0 <= share <= 1 for _, share in told)


def test_who_asks_is_told_on_the_own_thread(
    learner: Segmenter | ServiceLearner, organ: tuple[Volume, Annotation]
) -> None:
    threads = set()

    def note(*_: object) -> bool:
        threads.add(threading.current_thread())
        return False

    learner.segment(*organ, QUICK, IN_CONTEXT, progress=Progress(report=note, cancelled=note), preview=note)
    assert threads == {threading.current_thread()}


def test_who_cancels_gets_cancelled_and_can_ask_again(
    learner: Segmenter | ServiceLearner, organ: tuple[Volume, Annotation], gated: Segmentation
) -> None:
    stages: list[str] = []
    progress = Progress(report=lambda stage, _: stages.append(stage), cancelled=lambda: "first answer" in stages)
    with pytest.raises(Cancelled):
        learner.segment(*organ, Budget(seconds=600), progress=progress)
    assert learner.suggest(*organ) == gated.next_slice


def test_an_error_in_a_callback_comes_back_as_it_is(
    learner: Segmenter | ServiceLearner, organ: tuple[Volume, Annotation]
) -> None:
    def fail(labels: np.ndarray) -> None:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        learner.segment(*organ, QUICK, IN_CONTEXT, preview=fail)


def test_an_unknown_strategy_is_refused_in_the_same_words(
    learner: Segmenter | ServiceLearner, organ: tuple[Volume, Annotation]
) -> None:
    with pytest.raises(InputError, match=r"^no strategy 'magic': use auto or one of .*in_context"):
        learner.segment(*organ, strategy="magic")


@pytest.mark.parametrize("learner", ["in this process", "by address"], indirect=True)  # a child's lessons are long
def test_a_task_is_taught_the_same(
    learner: Segmenter | ServiceLearner, organ: tuple[Volume, Annotation], accepted: Annotation, taught: Task
) -> None:
    stages: list[str] = []
    with short_lessons():
        task = learner.teach(organ[0], accepted, progress=Progress(report=lambda stage, _: stages.append(stage)))
    assert to_bytes(task) == to_bytes(taught)
    assert "learning the task" in stages


def test_a_task_finds_the_same_in_the_next_volume(
    learner: Segmenter | ServiceLearner, taught: Task, next_volume: Volume, applied: Segmentation
) -> None:
    shown: list[np.ndarray] = []
    result = learner.apply(taught, next_volume, None, QUICK, preview=shown.append)
    np.testing.assert_array_equal(result.labels, applied.labels)
    np.testing.assert_array_equal(result.map.uncertainty, applied.map.uncertainty)
    assert result.structures == applied.structures
    assert [structure.name for structure in result.structures] == ["organ of Jane Doe"]
    assert (result.familiarity, result.notes) == (applied.familiarity, applied.notes)
    assert repr(result.next_slice) == repr(applied.next_slice)  # its gap_mm is NaN, which equals nothing
    assert result.familiarity is not None and 0 <= result.familiarity <= 1
    assert [labels.shape for labels in shown] == [next_volume.geometry.shape]


def test_a_task_that_does_not_fit_is_refused_in_the_same_words(
    learner: Segmenter | ServiceLearner,
    organ: tuple[Volume, Annotation],
    another_structure: Annotation,
    taught: Task,
    next_volume: Volume,
) -> None:
    foreign = replace(taught, provenance=replace(taught.provenance, weights="b" * 64))
    with pytest.raises(InputError, match="the task was taught with other weights"):
        learner.apply(foreign, next_volume)
    with pytest.raises(InputError, match="label 9 is annotated, but the task is for"):
        learner.apply(taught, next_volume, another_structure)
    with pytest.raises(InputError, match="the task is for organ of Jane Doe"):
        learner.teach(organ[0], complete(another_structure, np.zeros_like(another_structure.labels)), taught)


def test_who_cancels_teaching_gets_cancelled(
    learner: Segmenter | ServiceLearner, organ: tuple[Volume, Annotation], accepted: Annotation
) -> None:
    stages: list[str] = []
    progress = Progress(report=lambda stage, _: stages.append(stage), cancelled=lambda: "learning the task" in stages)
    with pytest.raises(Cancelled):
        learner.teach(organ[0], accepted, progress=progress)


def test_the_same_question_anew_takes_the_place_of_the_first(
    a_client: LearnerClient, organ: tuple[Volume, Annotation], gated: Segmentation
) -> None:
    second: list[Segmentation] = []

    def ask_again(stage: str, share: float) -> None:
        if stage == "first answer" and not thread.is_alive() and not second:
            thread.start()

    thread = threading.Thread(target=lambda: second.append(a_client.segment(*organ, QUICK)))
    with pytest.raises(Superseded):
        a_client.segment(*organ, LONG, "patient", progress=Progress(report=ask_again))
    thread.join()
    np.testing.assert_array_equal(second[0].labels, gated.labels)


def test_a_question_late_on_its_way_does_not_oust_the_one_asked_after_it(
    a_client: LearnerClient, organ: tuple[Volume, Annotation], gated: Segmentation
) -> None:
    answers: dict[str, object] = {}

    def ask(which: str) -> None:
        try:
            answers[which] = a_client.segment(*organ, QUICK).structures
        except Superseded as error:
            answers[which] = error

    threads = [threading.Thread(target=ask, args=(which,)) for which in ("earlier", "later")]
    with a_client.turns.asking:  # both are held up
        for number, thread in enumerate(threads):
            thread.start()
            while set(a_client.turns.latest.values()) != {number}:
                time.sleep(0.01)
    for thread in threads:
        thread.join()
    assert isinstance(answers["earlier"], Superseded)
    assert answers["later"] == gated.structures


def test_two_questions_at_a_time_are_both_answered(
    a_client: LearnerClient, organ: tuple[Volume, Annotation], gated: Segmentation
) -> None:
    answers: list[object] = []
    threads = [
        threading.Thread(target=lambda: answers.append(a_client.suggest(*organ))),
        threading.Thread(target=lambda: answers.append(a_client.segment(*organ, QUICK).next_slice)),
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert answers == [gated.next_slice] * 2
