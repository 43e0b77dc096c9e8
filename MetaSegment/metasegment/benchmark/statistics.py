"""Numbers from rows: means over data sets with intervals, failures, harm, slices needed, calibration.

Says nothing of how they are shown. A method that failed on a task counts with Dice 0.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from statistics import mean, median

import numpy as np

from .protocol import Task
from .rows import Row

#: Bootstrap: draws, percentiles of a 95 % interval, and a seed so that the same rows give the same report.
DRAWS, INTERVAL, SEED = 2000, (2.5, 97.5), 0
#: Below this Dice a result is useless.
FAILURE = 0.5
#: A task counts as made worse from this loss of Dice.
HARM = 0.005
#: What many call good enough to correct by hand.
GOOD = 0.90


@dataclass(frozen=True)
class Result:
    """A row with its task."""

    task: Task
    row: Row

    @property
    def count(self) -> int:
        return len(self.task.slices)

    @property
    def structure(self) -> tuple[str, str, int]:
        """The structure of a case that several tasks share."""
        return self.task.dataset, self.task.case, self.task.label


@dataclass(frozen=True)
class Estimate:
    """A mean over data sets with its 95 % interval, and the number of tasks behind it."""

    mean: float
    low: float
    high: float
    tasks: int


@dataclass(frozen=True)
class Times:
    """Seconds: median and 95th percentile over tasks."""

    median: float
    late: float


Value = Callable[[Result], float | None]


def estimate(values: Iterable[tuple[Task, float]]) -> Estimate | None:
    """Returns mean over data sets of the mean within each, with a clustered bootstrap interval; None without values.

    The clusters are subjects: within each data set as many as it has are drawn with replacement, with all their tasks.
    Data sets are not drawn: the interval is about other subjects, not other anatomy, and a data set of one subject adds
    no width.
    """
    sums: dict[str, dict[str, list[float]]] = defaultdict(lambda: defaultdict(list))
    for task, value in values:
        sums[task.dataset][task.subject].append(value)
    if not sums:
        return None
    rng = np.random.default_rng(SEED)
    means, draws = [], np.zeros(DRAWS)
    for dataset in sorted(sums):
        subjects = [sums[dataset][subject] for subject in sorted(sums[dataset])]
        totals, counts = np.array([sum(s) for s in subjects]), np.array([len(s) for s in subjects])
        picked = rng.integers(len(subjects), size=(DRAWS, len(subjects)))
        draws += totals[picked].sum(axis=1) / counts[picked].sum(axis=1)
        means.append(totals.sum() / counts.sum())
    low, high = np.percentile(draws / len(sums), INTERVAL)
    tasks = sum(len(s) for subjects in sums.values() for s in subjects.values())
    return Estimate(float(np.mean(means)), float(low), float(high), tasks)


def estimate_of(results: Iterable[Result], value: Value) -> Estimate | None:
    """`estimate` of a value of each result that has one."""
    return estimate((r.task, v) for r in results if (v := value(r)) is not None)


def differences(one: Sequence[Result], other: Sequence[Result]) -> list[tuple[Task, float]]:
    """Returns Dice of one method less that of another, task by task, where both have a row."""
    dice = {r.task.id: r.row.dice for r in other}
    return [(r.task, r.row.dice - dice[r.task.id]) for r in one if r.task.id in dice]


def harm(one: Sequence[Result], other: Sequence[Result]) -> float | None:
    """Returns share of tasks on which one method is worse than another by more than HARM."""
    lost = [difference < -HARM for _, difference in differences(one, other)]
    return mean(lost) if lost else None


def failure_rate(results: Sequence[Result]) -> float | None:
    """Returns share of tasks with a Dice below FAILURE."""
    return mean(r.row.dice < FAILURE for r in results) if results else None


@dataclass(frozen=True)
class SlicesNeeded:
    """Slices until GOOD: the median over structures (None: more than were tried), and the share that got there, by
    number of slices.
    """

    median: float | None
    reached: dict[int, float]
    structures: int


def slices_needed(results: Sequence[Result]) -> SlicesNeeded | None:
    """Returns the smallest number of slices tried with a Dice of GOOD, over structures; those that never got there
    count as needing more.
    """
    first: dict[tuple[str, str, int], float] = {}
    for result in results:
        needed = result.count if result.row.dice >= GOOD else float("inf")
        first[result.structure] = min(first.get(result.structure, float("inf")), needed)
    if not first:
        return None
    middle = median(first.values())
    counts = sorted({result.count for result in results})
    reached = {n: mean(needed <= n for needed in first.values()) for n in counts}
    return SlicesNeeded(None if middle == float("inf") else middle, reached, len(first))


def estimate_error(result: Result) -> float | None:
    """Tells how far the estimated Dice is from the truth."""
    estimated = result.row.estimated_dice
    return None if estimated is None else abs(estimated - result.row.dice)


def losses(perturbed: Sequence[Result], intact: Sequence[Result]) -> list[tuple[Task, float]]:
    """Returns Dice lost to a perturbation: the same structure with as many slices and nothing perturbed, less the
    result.
    """
    dice = {(r.structure, r.count): r.row.dice for r in intact}
    return [(r.task, dice[r.structure, r.count] - r.row.dice) for r in perturbed if (r.structure, r.count) in dice]


def times(seconds: Sequence[float]) -> Times | None:
    """Their median and 95th percentile; None without any."""
    return Times(float(np.median(seconds)), float(np.percentile(seconds, 95))) if seconds else None


def average(estimates: Iterable[Estimate | None]) -> float | None:
    """Returns mean of the means, None where one is missing."""
    found = list(estimates)
    return mean(e.mean for e in found if e) if found and all(found) else None
