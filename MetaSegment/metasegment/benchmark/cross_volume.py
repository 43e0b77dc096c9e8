"""Numbers about pairs of volumes: what is taught on one subject, used on another. From rows; no formatting here."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from .freeze_pairs import MORE, TAUGHT
from .protocol import ALONE, CROSS_VOLUME
from .statistics import Estimate, Result, Times, differences, estimate, estimate_of, times

#: A task with few slices of the new volume is compared with so many of them without a task.
WITHOUT_TASK = 3
ByCount = dict[int, Estimate | None]


@dataclass(frozen=True)
class Across:
    """One method on new volumes, by number of their annotated slices where it says `ByCount`.

    `dice` and `lead` (MetaSegment's Dice less this method's) are of unseen structures taught on TAUGHT slices of
    another subject, `more` (no slice of the new volume) of those taught on MORE, `seen` of seen structures, `datasets`
    of each data set. `alone` is the Dice without anything taught, `gain` the Dice with it less MetaSegment's without
    and WITHOUT_TASK slices.
    """

    dice: ByCount
    lead: ByCount
    more: Estimate | None
    seen: ByCount
    datasets: dict[str, ByCount]
    alone: ByCount
    gain: ByCount
    preparing: Times | None
    answer: Times | None


def across(results: Sequence[Result], ours: Sequence[Result]) -> Across | None:
    """Of a method's results and MetaSegment's; None where the method has none of such tasks."""
    pairs, alone = ([r for r in results if r.task.part == part] for part in (CROSS_VOLUME, ALONE))
    if not pairs and not alone:
        return None
    taught = _taught_on(pairs, TAUGHT)
    reference = [r for r in ours if r.task.part == ALONE]
    return Across(
        dice=_by_count(_regime(taught, "unseen"), _dice),
        lead=_paired(_taught_on(ours, TAUGHT), _regime(taught, "unseen")),
        more=estimate_of(_regime(_taught_on(pairs, MORE), "unseen"), _dice),
        seen=_by_count(_regime(taught, "seen"), _dice),
        datasets={
            name: _by_count([r for r in taught if r.task.dataset == name], _dice)
            for name in dict.fromkeys(r.task.dataset for r in taught)
        },
        alone=_by_count(_regime(alone, "unseen"), _dice),
        gain=_gain(_regime(taught, "unseen"), reference),
        preparing=times([r.row.preparing_seconds for r in pairs if r.row.preparing_seconds is not None]),
        answer=times([r.row.seconds for r in pairs if not r.row.error]),
    )


def _dice(result: Result) -> float:
    return result.row.dice


def _regime(results: Sequence[Result], regime: str) -> list[Result]:
    return [r for r in results if r.task.regime == regime]


def _taught_on(results: Sequence[Result], slices: int) -> list[Result]:
    return [r for r in results if r.task.taught_on and len(r.task.taught_on.slices) == slices]


def _by_count(results: Sequence[Result], value: Callable[[Result], float | None]) -> ByCount:
    return {n: estimate_of([r for r in results if r.count == n], value) for n in sorted({r.count for r in results})}


def _paired(ours: Sequence[Result], other: Sequence[Result]) -> ByCount:
    found = differences(ours, other)
    return {n: estimate(f for f in found if len(f[0].slices) == n) for n in sorted({len(t.slices) for t, _ in found})}


def _gain(taught: Sequence[Result], alone: Sequence[Result]) -> ByCount:
    """The same structure of the same case, with a task and without."""
    reference = {r.structure: r.row.dice for r in alone if r.count == WITHOUT_TASK}
    return _by_count([r for r in taught if r.structure in reference], lambda r: r.row.dice - reference[r.structure])
