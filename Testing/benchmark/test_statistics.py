"""Means, intervals and shares from rows made up for the purpose."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from helpers.benchmark_cases import task_with

from metasegment.benchmark.protocol import Protocol, Task
from metasegment.benchmark.rows import Row
from metasegment.benchmark.statistics import Result, differences, estimate, failure_rate, harm, losses, slices_needed

MakeTask = Callable[..., Task]


def result(dice: float, slices: int = 3, method: str = "metasegment", **facts: object) -> Result:
    """Builds a result of the ball with a Dice; facts of task and row by name."""
    task = task_with([(0, n) for n in range(slices)], **facts)
    return Result(task, Row("p", "0", task.id, method, None, dice, 0, 0, None, None, None, 1.0, None, None))


def test_every_data_set_counts_the_same() -> None:
    values = [(task_with(dataset="a", subject=str(n)), 0.0) for n in range(9)] + [(task_with(dataset="b"), 1.0)]
    found = estimate(values)
    assert found is not None
    assert (found.mean, found.tasks) == (0.5, 10)
    assert estimate([]) is None


def test_the_interval_covers_the_mean_it_estimates() -> None:
    rng = np.random.default_rng(1)
    covered = 0
    for _ in range(100):
        subjects = rng.normal(0.7, 0.1, 20)
        values = [
            (task_with(subject=str(n)), float(rng.normal(mean, 0.02)))
            for n, mean in enumerate(subjects)
            for _ in range(4)
        ]
        found = estimate(values)
        assert found is not None
        covered += found.low <= 0.7 <= found.high
    assert 85 <= covered <= 99


def test_tasks_of_a_subject_are_drawn_together() -> None:
    def width(subjects: int) -> float:
        values = [(task_with(subject=str(n % subjects)), float(n % subjects % 2)) for n in range(40)]
        found = estimate(values)
        assert found is not None
        return found.high - found.low

    assert width(4) > 2 * width(40)
    assert width(1) == 0


def test_the_same_rows_give_the_same_interval() -> None:
    values = [(task_with(subject=str(n)), n / 10) for n in range(10)]
    assert estimate(values) == estimate(values[::-1])


def test_harm_and_failures_are_shares_of_tasks() -> None:
    ours = [result(dice, case=str(n)) for n, dice in enumerate((0.9, 0.494, 0.5, 0.2))]
    peer = [result(dice, case=str(n), method="peer") for n, dice in enumerate((0.9, 0.5, 0.504, 0.1))]
    assert harm(ours, peer) == 0.25  # half a point is no harm yet
    assert failure_rate(ours) == 0.5
    assert [round(d, 3) for _, d in differences(ours, peer)] == [0, -0.006, -0.004, 0.1]
    assert harm(ours, []) is None


def test_slices_needed_counts_those_that_never_get_there() -> None:
    dice = {"a": (0.91, 0.95), "b": (0.7, 0.92), "c": (0.5, 0.6)}
    rows = [result(d, n, case=case) for case, values in dice.items() for n, d in zip((1, 3), values, strict=True)]
    needed = slices_needed(rows)
    assert needed is not None
    assert (needed.median, needed.structures) == (3, 3)
    assert needed.reached == {1: pytest.approx(1 / 3), 3: pytest.approx(2 / 3)}
    never = slices_needed([result(0.5)])
    assert never is not None and never.median is None


def test_a_loss_is_against_the_intact_structure() -> None:
    intact = [result(0.8), result(0.9, slices=5), result(0.3, case="two")]
    perturbed = [result(0.6, part="robustness", name="noise"), result(0.6, case="three", name="noise")]
    assert [round(loss, 3) for _, loss in losses(perturbed, intact)] == [0.2]


def test_a_protocols_identity_changes_with_its_tasks() -> None:
    one, other = (Protocol("p", "s", (task_with([(0, n)]),)) for n in (1, 2))
    assert one.identity != other.identity
