"""All numbers of a report, gathered from rows; `results.json` is this, word for word. No formatting here."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from .cross_volume import Across, across
from .method import Method, suits
from .methods.metasegment import NAME, Learner
from .protocol import Protocol
from .rows import Row
from .statistics import (
    Estimate,
    Result,
    SlicesNeeded,
    Times,
    average,
    differences,
    estimate,
    estimate_error,
    estimate_of,
    failure_rate,
    harm,
    losses,
    slices_needed,
    times,
)

#: Failures, harm, calibration and strata are of the main tasks with so many slices; the targets too.
HEADLINE = (1, 3, 5)
#: Planes, placement and robustness are tested with so many.
SOME = 3
#: How the names of those begin that learn from data or are trained on the task: not what "classical" means.
NOT_CLASSICAL = ("scratch_unet", "nninteractive")


@dataclass(frozen=True)
class MethodSummary:
    """One method. `tasks` of `expected` have a row, `failed` of them without an answer; `errors` are those, counted.

    By number of slices (main tasks): `dice`, `nsd`, `hd95`, and `lead`: MetaSegment's Dice less this method's.
    `failure` and `harm` (compared with the best classical peer) are shares of the headline tasks; `planes` are by
    style, `robustness` is the Dice lost by perturbation, `across` is of pairs of volumes.
    """

    label: str
    settings: str
    kind: str
    tasks: int
    expected: int
    failed: int
    errors: dict[str, int]
    dice: dict[int, Estimate | None]
    nsd: dict[int, Estimate | None]
    hd95: dict[int, Estimate | None]
    lead: dict[int, Estimate | None]
    failure: float | None
    harm: float | None
    needed: SlicesNeeded | None
    estimate_error: Estimate | None
    estimate_error_by_slices: dict[int, Estimate | None]
    ece: Estimate | None
    first: Times | None
    answer: Times | None
    peak_memory_mb: float | None
    strata: dict[str, dict[str, Estimate | None]]
    planes: dict[str, Estimate | None]
    seen: dict[int, Estimate | None]
    robustness: dict[str, Estimate | None]
    across: Across | None


@dataclass(frozen=True)
class Summary:
    """`best_peer` is the classical peer with the highest mean Dice over 1, 3 and 5 slices; `missing` says why a method
    could not run here; `unseen` whether no structure of the main tasks was seen in training.
    """

    protocol: str
    unseen: bool
    counts: tuple[int, ...]
    tasks: dict[str, int]
    methods: dict[str, MethodSummary]
    best_peer: str | None
    missing: dict[str, str]


def summarise(protocol: Protocol, rows: Sequence[Row], methods: Mapping[str, Method]) -> Summary:
    """Returns numbers of every method that has rows; `methods` are all known ones."""
    results = _by_method(protocol, rows)
    order = [name for name in methods if name in results]
    main = {name: _part(results[name], "main") for name in order}
    wanted = sum(task.part == "main" and len(task.slices) in HEADLINE for task in protocol.tasks)
    best = _best_peer({name: main[name] for name in order if kind_of(methods[name]) == "peer"}, wanted)
    ours = results.get(NAME, [])
    expected = {name: sum(suits(methods[name], t.taught_on is not None) for t in protocol.tasks) for name in order}
    summaries = {
        name: _summary(methods[name], results[name], expected[name], ours, main[best] if best and name != best else [])
        for name in order
    }
    absent = {name: why for name, m in methods.items() if name not in results and (why := m.missing())}
    parts = {
        part: sum(t.part == part for t in protocol.tasks) for part in dict.fromkeys(t.part for t in protocol.tasks)
    }
    asked = [task for task in protocol.tasks if task.part == "main"]
    unseen = bool(asked) and all(task.regime == "unseen" for task in asked)
    counts = tuple(sorted({len(task.slices) for task in asked}))
    return Summary(protocol.identity, unseen, counts, parts, summaries, best, absent)


def kind_of(method: Method) -> str:
    """`metasegment` for the gate, `strategy` for one of its strategies, `peer` for a classical one, else `learner`."""
    if isinstance(method, Learner):
        return NAME if method.name == NAME else "strategy"
    return "learner" if method.name.startswith(NOT_CLASSICAL) else "peer"


def answer_seconds(row: Row) -> float:
    """Returns seconds to the last answer. A peer's filter that runs in a process of its own says how long it took
    itself.
    """
    return row.first_seconds if row.weights is None and row.first_seconds is not None else row.seconds


def perturbation_label(result: Result) -> str:
    """As in tables: the name, and the level where there are several."""
    changed = result.task.perturbation
    assert changed is not None
    words = changed.name.replace("_", " ")
    return {
        "anisotropy": f"slices {changed.level:g} × thicker",
        "contour": f"contours {changed.level:+g} voxel",
        "wrong_slice": "one slice off by one",
        "mislabelled": "one slice mislabelled",
        "motion": "motion-like ghosts",
    }.get(changed.name, words)


def _summary(
    method: Method, results: list[Result], expected: int, ours: list[Result], peers: list[Result]
) -> MethodSummary:
    main = _part(results, "main")
    headline = [r for r in main if r.count in HEADLINE]
    errors: dict[str, int] = defaultdict(int)
    for result in results:
        if result.row.error:
            errors[result.row.error] += 1
    firsts = [r.row.first_seconds for r in headline if r.row.first_seconds is not None and not r.row.error]
    return MethodSummary(
        label=method.label,
        settings=method.settings,
        kind=kind_of(method),
        tasks=len(results),
        expected=expected,
        failed=sum(errors.values()),
        errors=dict(errors),
        dice=_by_count(main, lambda r: r.row.dice),
        nsd=_by_count(main, lambda r: r.row.nsd),
        hd95=_by_count(main, lambda r: r.row.hd95),
        lead=_lead(_part(ours, "main"), main),
        failure=failure_rate(headline),
        harm=harm(headline, peers),
        needed=slices_needed(main),
        estimate_error=estimate_of(headline, estimate_error),
        estimate_error_by_slices=_by_count(main, estimate_error),
        ece=estimate_of(headline, lambda r: r.row.ece),
        first=times(firsts),
        answer=times([answer_seconds(r.row) for r in headline if not r.row.error]),
        peak_memory_mb=max((r.row.peak_memory_mb for r in results if r.row.peak_memory_mb is not None), default=None),
        strata=_strata([r for r in main if r.count == SOME]),
        planes=_planes(results, main),
        seen=_by_count(_part(results, "seen"), lambda r: r.row.dice),
        robustness=_robustness(results, main),
        across=across(results, ours),
    )


def _by_method(protocol: Protocol, rows: Sequence[Row]) -> dict[str, list[Result]]:
    tasks = {task.id: task for task in protocol.tasks}
    found: dict[str, list[Result]] = defaultdict(list)
    for row in rows:
        if row.task in tasks:
            found[row.method].append(Result(tasks[row.task], row))
    return found


def _best_peer(peers: Mapping[str, list[Result]], wanted: int) -> str | None:
    """Of those that were run on all headline tasks."""
    scores = {}
    for name, results in peers.items():
        headline = [r for r in results if r.count in HEADLINE]
        score = average(estimate_of([r for r in headline if r.count == n], lambda r: r.row.dice) for n in HEADLINE)
        if score is not None and len(headline) == wanted:
            scores[name] = score
    return max(scores, key=lambda name: scores[name], default=None)


def _by_count(results: Sequence[Result], value: Callable[[Result], float | None]) -> dict[int, Estimate | None]:
    counts = sorted({r.count for r in results})
    return {n: estimate_of([r for r in results if r.count == n], value) for n in counts}


def _lead(ours: Sequence[Result], other: Sequence[Result]) -> dict[int, Estimate | None]:
    found: dict[int, list] = defaultdict(list)
    for task, difference in differences(ours, other):
        found[len(task.slices)].append((task, difference))
    return {n: estimate(found[n]) for n in sorted(found)}


def _strata(results: Sequence[Result]) -> dict[str, dict[str, Estimate | None]]:
    """Dice at SOME slices by modality, shape and structure."""
    keys: dict[str, Callable[[Result], str]] = {
        "modality": lambda r: r.task.modality,
        "shape": lambda r: r.task.shape,
        "dataset": lambda r: r.task.dataset,
        "structure": lambda r: r.task.structure,
    }
    return {
        kind: {
            value: estimate_of([r for r in results if key(r) == value], lambda r: r.row.dice)
            for value in sorted({key(r) for r in results})
        }
        for kind, key in keys.items()
    }


def _planes(results: Sequence[Result], main: Sequence[Result]) -> dict[str, Estimate | None]:
    """Dice by style; "axial" is of the main tasks of the same structures, "random axial" of the placement part."""
    placed, varied = _part(results, "placement"), _part(results, "planes")
    same = {r.structure for r in (*placed, *varied)}
    found = {"axial": estimate_of([r for r in main if r.count == SOME and r.structure in same], lambda r: r.row.dice)}
    for style in dict.fromkeys(r.task.style for r in varied):
        found[style] = estimate_of([r for r in varied if r.task.style == style], lambda r: r.row.dice)
    found["random axial"] = estimate_of(placed, lambda r: r.row.dice)
    return found if same else {}


def _robustness(results: Sequence[Result], main: Sequence[Result]) -> dict[str, Estimate | None]:
    groups: dict[str, list[Result]] = defaultdict(list)
    for result in _part(results, "robustness"):
        groups[perturbation_label(result)].append(result)
    return {label: estimate(losses(found, main)) for label, found in groups.items()}


def _part(results: Sequence[Result], part: str) -> list[Result]:
    return [r for r in results if r.task.part == part]
