"""`report.md` and `results.json` of a run: the summary in tables, with what they mean beside them."""

from __future__ import annotations

import json
import os
import platform
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict
from pathlib import Path

import torch

from .. import __version__
from ..io.files import written_beside
from .cross_volume import WITHOUT_TASK, Across
from .freeze_pairs import MORE, TAUGHT
from .statistics import Estimate, Times
from .summary import HEADLINE, SOME, MethodSummary, Summary
from .targets import judged

Cells = Sequence[str]
#: How strata are called in titles, and how many columns a table may have.
STRATA = {"modality": "modality", "shape": "shape", "dataset": "data set", "structure": "structure"}
WIDEST = 8


def write_report(folder: Path, summary: Summary, pictures: Sequence[tuple[str, str]], notes: Sequence[str]) -> None:
    """Both files. `pictures` are (file name in the folder, caption); `notes` are sentences for the end."""
    facts = _environment()
    content = {"metasegment": __version__, "environment": facts, **asdict(summary)}
    content["targets"] = [asdict(target) for target in judged(summary)]
    with written_beside(folder / "results.json") as draft:
        draft.write_text(json.dumps(content, indent=1, ensure_ascii=False), encoding="utf-8")
    with written_beside(folder / "report.md") as draft:
        draft.write_text("\n\n".join(_sections(summary, facts, pictures, notes)) + "\n", encoding="utf-8")


def _sections(
    summary: Summary, facts: dict[str, str], pictures: Sequence[tuple[str, str]], notes: Sequence[str]
) -> Iterable[str]:
    methods = list(summary.methods.values())
    parts = ", ".join(f"{n} {part}" for part, n in summary.tasks.items())
    yield f"# Benchmark: {summary.protocol}"
    yield (
        f"MetaSegment {__version__}; tasks: {parts}. Report made on: {', '.join(facts.values())}. Every measure is of "
        "voxels that were **not** annotated. Means are over data sets of the mean within each; brackets hold 95 % "
        "intervals of a bootstrap over subjects (a data set of one subject adds no width). A method without an answer "
        "counts as having found nothing."
    )
    if summary.counts:
        yield from _main(summary, [m for m in methods if m.dice])
    yield from _across([(m.label, m.across) for m in methods if m.across])
    yield from _targets(summary)
    if summary.counts:
        yield from _surfaces(summary, [m for m in methods if m.dice])
    yield from (f"![{caption}]({name})\n\n*{caption}*" for name, caption in pictures)
    yield from _beyond(methods)
    yield from _costs(methods)
    yield from _not_run(summary, methods)
    yield from notes


def _main(summary: Summary, methods: Sequence[MethodSummary]) -> Iterable[str]:
    counts = summary.counts
    yield "## Dice by number of annotated slices"
    yield _by_count(methods, counts, lambda m: m.dice, _interval)
    peer = summary.methods.get(summary.best_peer or "")
    if peer:
        yield (
            f"The best single classical peer, by its mean over {_listed(HEADLINE)} slices, is **{peer.label}**. "
            "MetaSegment's Dice less that of each method:"
        )
        others = [m for m in methods if m.kind != "metasegment"]
        yield _by_count(others, counts, lambda m: m.lead, _signed)


def _across(found: Sequence[tuple[str, Across]]) -> Iterable[str]:
    """Pairs of volumes, and the same new volumes without anything taught."""
    if not found:
        return
    counts = sorted({n for _, a in found for n in (*a.dice, *a.seen)})
    head = ("method", *(f"{n} slice{'s' * (n != 1)}" for n in counts))
    yield f"## Taught on one patient's {TAUGHT} slices, used on another: Dice by annotated slices of the new volume"
    yield f"Structures not seen in training; in the last column taught on {MORE} slices, and none of the new volume."
    rows = [(label, *(_interval(a.dice.get(n)) for n in counts), _mean(a.more)) for label, a in found if a.dice]
    rows += [
        (f"{label}, nothing taught", *(_interval(a.alone.get(n)) for n in counts), "–") for label, a in found if a.alone
    ]
    yield _table((*head, f"0 slices, taught on {MORE}"), rows)
    if any(a.gain for _, a in found):
        yield f"With the task, less MetaSegment's Dice with {WITHOUT_TASK} slices of the new volume and nothing taught:"
        yield _table(head, [(label, *(_signed(a.gain.get(n)) for n in counts)) for label, a in found if a.gain])
    yield "MetaSegment's Dice less that of each method, pair by pair:"
    yield _table(head, [(label, *(_signed(a.lead.get(n)) for n in counts)) for label, a in found if a.lead])
    for dataset in dict.fromkeys(name for _, a in found for name in a.datasets):
        yield f"{dataset.replace('_', ' ')}:"
        dice = [(label, a.datasets[dataset]) for label, a in found if dataset in a.datasets]
        yield _table(head, [(label, *(_interval(d.get(n)) for n in counts)) for label, d in dice])
    if any(a.seen for _, a in found):
        yield "Structures seen in training:"
        yield _table(head, [(label, *(_interval(a.seen.get(n)) for n in counts)) for label, a in found if a.seen])
    yield (
        "Seconds, median / 95th percentile: to teach a task (once a source) or to register (once a pair), and the rest."
    )
    rows = [(label, _seconds(a.preparing), _seconds(a.answer)) for label, a in found if a.answer]
    yield _table(("method", "teaching or registering (s)", "answer (s)"), rows)


def _targets(summary: Summary) -> Iterable[str]:
    if targets := judged(summary):
        yield "## Targets"
        verdicts = {True: "met", False: "**not met**", None: "not measured"}
        yield _table(("target", "measured", ""), [(t.wanted, t.measured, verdicts[t.met]) for t in targets])


def _surfaces(summary: Summary, methods: Sequence[MethodSummary]) -> Iterable[str]:
    counts = summary.counts
    yield "## Surfaces, failures, harm, slices needed"
    yield (
        "NSD: share of the surface within 2 mm. HD95: 95th percentile of surface distances, in mm. Failure: Dice below "
        "0.5. Harm: worse than the best classical peer by over half a point; both are shares of the tasks with "
        f"{_listed(HEADLINE)} slices. Needed: slices until Dice 0.90, the median over structures, and the share that "
        f"got there with {max(counts)} or fewer."
    )
    columns = [f"{name}, {n}" for name in ("NSD", "HD95") for n in HEADLINE]
    rows = [
        (
            m.label,
            *(_mean(m.nsd.get(n)) for n in HEADLINE),
            *(_mean(m.hd95.get(n), 1) for n in HEADLINE),
            _percent(m.failure),
            _percent(m.harm),
            *_needed(m),
        )
        for m in methods
    ]
    yield _table(("method", *columns, "failure", "harm", "needed", "got there"), rows)


def _beyond(methods: Sequence[MethodSummary]) -> Iterable[str]:
    """The other parts of the protocol, those that were run."""
    for kind, title in STRATA.items():
        strata = [m.strata[kind] for m in methods]
        keys = _keys(strata)
        if 1 < len(keys) <= WIDEST:
            yield f"## Dice by {title}, {SOME} slices"
            yield _by_key(methods, strata, _mean)
    if any(m.planes for m in methods):
        yield f"## Dice by plane and placement, {SOME} slices"
        yield "The same structures each time: evenly spaced slices of each plane, one of each, and random axial ones."
        yield _by_key(methods, [m.planes for m in methods], _interval)
    if any(m.seen for m in methods):
        yield "## Structures seen in training, in images that were not"
        yield _by_count(methods, HEADLINE, lambda m: m.seen, _interval)
    if tested := [m for m in methods if m.robustness]:
        yield f"## Dice lost to perturbations, {SOME} slices"
        yield "Less is better; against the same structure with intact image and annotation."
        keys = _keys([m.robustness for m in tested])
        rows = [(key, *(_mean(m.robustness.get(key)) for m in tested)) for key in keys]
        yield _table(("perturbation", *(m.label for m in tested)), rows)


def _costs(methods: Sequence[MethodSummary]) -> Iterable[str]:
    if any(m.estimate_error or m.ece for m in methods):
        yield "## Calibration"
        yield (
            "How far the estimated Dice is from the truth on average, by slices, and the expected calibration error of "
            "the probabilities near the structure (15 bins)."
        )
        told = [m for m in methods if m.estimate_error or m.ece]
        rows = [(m.label, *(_mean(m.estimate_error_by_slices.get(n)) for n in HEADLINE), _mean(m.ece)) for m in told]
        yield _table(("method", *(f"{n}" for n in HEADLINE), "ECE"), rows)
    yield "## Seconds and memory"
    yield (
        "Median / 95th percentile over tasks, in a process that has warmed up; a peer whose filter runs in a process "
        "of its own is timed without that process's start. Memory: peak of the process, or of one it started where "
        "that is more, with libraries and volume."
    )
    rows = [(m.label, _seconds(m.first), _seconds(m.answer), _megabytes(m.peak_memory_mb)) for m in methods]
    yield _table(("method", "first answer (s)", "last answer (s)", "memory (MB)"), rows)


def _not_run(summary: Summary, methods: Sequence[MethodSummary]) -> Iterable[str]:
    yield "## Settings"
    yield _table(("method", "settings"), [(m.label, m.settings) for m in methods])
    lines = [f"* `{name}` did not run: {why}" for name, why in summary.missing.items()]
    lines += [f"* {m.label}: {m.tasks} of {m.expected} tasks so far" for m in methods if m.tasks < m.expected]
    lines += [f"* {m.label} failed on {n} tasks: {error}" for m in methods for error, n in m.errors.items()]
    yield "## What did not run"
    yield "\n".join(lines) or "Everything ran."


def _environment() -> dict[str, str]:
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    device = torch.cuda.get_device_name() if torch.cuda.is_available() else "no GPU"
    return {
        "system": f"{platform.system()} {platform.machine()}",
        "python": f"Python {platform.python_version()}",
        "torch": f"PyTorch {torch.__version__} with {torch.get_num_threads()} threads",
        "cores": f"{cores} cores",
        "device": device,
    }


def _table(head: Cells, rows: Iterable[Cells]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(cell.replace("|", "\\|") for cell in line) + " |" for line in lines)


def _by_count(
    methods: Sequence[MethodSummary],
    counts: Sequence[int],
    values: Callable[[MethodSummary], dict[int, Estimate | None]],
    shown: Callable[[Estimate | None], str],
) -> str:
    rows = [(m.label, *(shown(values(m).get(n)) for n in counts)) for m in methods]
    return _table(("method", *(f"{n} slice{'s' * (n > 1)}" for n in counts)), rows)


def _by_key(
    methods: Sequence[MethodSummary],
    values: Sequence[dict[str, Estimate | None]],
    shown: Callable[[Estimate | None], str],
) -> str:
    """A column for each key, a row for each method that has values."""
    keys = _keys(values)
    rows = [(m.label, *(shown(v.get(key)) for key in keys)) for m, v in zip(methods, values, strict=True) if v]
    return _table(("method", *keys), rows)


def _keys(values: Sequence[dict[str, Estimate | None]]) -> list[str]:
    return list(dict.fromkeys(key for each in values for key in each))


def _interval(found: Estimate | None) -> str:
    """Without brackets where there was only one subject to draw."""
    if found is None or found.low == found.high:
        return _mean(found)
    return f"{found.mean:.3f} ({found.low:.3f}–{found.high:.3f})"


def _signed(found: Estimate | None) -> str:
    return f"{found.mean:+.3f} ({found.low:+.3f} to {found.high:+.3f})" if found else "–"


def _mean(found: Estimate | None, digits: int = 3) -> str:
    return f"{found.mean:.{digits}f}" if found else "–"


def _percent(share: float | None) -> str:
    return "–" if share is None else f"{share:.0%}"


def _needed(method: MethodSummary) -> tuple[str, str]:
    needed = method.needed
    if needed is None:
        return "–", "–"
    most = max(needed.reached)
    return (f"> {most}" if needed.median is None else f"{needed.median:g}"), f"{needed.reached[most]:.0%}"


def _seconds(times: Times | None) -> str:
    return f"{times.median:.2f} / {times.late:.2f}" if times else "–"


def _megabytes(amount: float | None) -> str:
    return "–" if amount is None else f"{amount:,.0f}"


def _listed(numbers: Sequence[int]) -> str:
    return ", ".join(map(str, numbers[:-1])) + f" and {numbers[-1]}"
