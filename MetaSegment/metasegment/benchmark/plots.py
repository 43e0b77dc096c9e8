"""The charts of a report: Dice against slices, Dice against seconds, and each structure. Draws what `summary` found."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path

from .chart import Axis, Chart, Series, save_chart
from .methods.metasegment import NAME
from .protocol import Protocol
from .rows import Row
from .statistics import Estimate, average
from .summary import HEADLINE, SOME, MethodSummary, Summary

#: Colours that people with any colour vision can tell apart (Okabe and Ito 2008), MetaSegment's first; and marks.
COLORS = (
    (213, 94, 0),
    (0, 114, 178),
    (0, 158, 115),
    (204, 121, 167),
    (86, 180, 233),
    (230, 159, 0),
    (0, 0, 0),
    (120, 120, 120),
)
MARKS = ("circle", "square", "diamond", "square", "diamond", "square", "diamond", "circle")
#: Methods lie beside each other by this part of the way to the next tick.
SHIFT = 0.05
#: The structures' chart: so many methods, the best ones; pixels of a structure's line, of everything around them, of a
#: mark.
STRIPS, LINE, FRAME, SMALL_MARK = 4, 50, 180, 11.0
TENTHS = tuple((n / 10, f"{n / 10:.1f}") for n in range(11))


def save_plots(folder: Path, summary: Summary, protocol: Protocol, rows: Sequence[Row]) -> list[tuple[str, str]]:
    """Writes the charts there are numbers for; returns (file name, caption) of each. Raises NoDrawing."""
    shown = _shown(summary)
    drawn = []
    for name, caption, chart in (
        (
            "dice_slices.png",
            "Mean Dice by number of annotated slices, with 95 % intervals.",
            _by_slices({m.label: m.dice for m in shown.values()}, "annotated slices"),
        ),
        (
            "across.png",
            "Mean Dice on another patient than the one taught, by annotated slices there, with 95 % intervals.",
            _by_slices(_across(shown), "annotated slices of the new volume"),
        ),
        (
            "dice_seconds.png",
            f"Mean Dice over {', '.join(map(str, HEADLINE))} slices against the median seconds to the last answer.",
            _by_seconds(shown),
        ),
        (
            "structures.png",
            f"Dice of each structure with {SOME} slices, one mark a case.",
            _by_structure(shown, protocol, rows),
        ),
    ):
        if chart.series:
            save_chart(folder / name, chart)
            drawn.append((name, caption))
    return drawn


def _shown(summary: Summary) -> dict[str, MethodSummary]:
    """As many methods as there are colours: MetaSegment, peers, then its strategies, the best first."""
    order = {NAME: 0, "peer": 1, "learner": 1, "strategy": 2}
    score = {name: average(m.dice.get(n) for n in HEADLINE) or 0.0 for name, m in summary.methods.items()}
    names = sorted(summary.methods, key=lambda name: (order[summary.methods[name].kind], -score[name]))
    return {name: summary.methods[name] for name in names[: len(COLORS)]}


def _across(shown: dict[str, MethodSummary]) -> dict[str, dict[int, Estimate | None]]:
    """Dice by slices of the new volume, with a task and, where that was run, without."""
    found = [(m.label, m.across) for m in shown.values() if m.across]
    alone = {f"{label}, nothing taught": across.alone for label, across in found if across.alone}
    return dict(list({**{label: a.dice for label, a in found if a.dice}, **alone}.items())[: len(COLORS)])


def _by_slices(dice: dict[str, dict[int, Estimate | None]], title: str) -> Chart:
    series = []
    for place, (label, by_count) in enumerate(dice.items()):
        found = [(n, e) for n, e in by_count.items() if e]
        shift = SHIFT * (place - (len(dice) - 1) / 2)
        series.append(_series(place, label, [(n + shift, e.mean) for n, e in found], [e for _, e in found], True))
    counts = sorted({n for by_count in dice.values() for n in by_count})
    ticks = tuple((float(n), str(n)) for n in counts)
    limits = (counts[0] - 0.5, counts[-1] + 0.5) if counts else (0.5, 1.5)
    return Chart(Axis(title, limits, ticks), _dice_axis(), _filled(series))


def _by_seconds(shown: dict[str, MethodSummary]) -> Chart:
    series, seconds = [], [1.0]
    for place, method in enumerate(shown.values()):
        dice = average(method.dice.get(n) for n in HEADLINE)
        if dice is not None and method.answer:
            seconds.append(method.answer.median)
            series.append(_series(place, method.label, [(method.answer.median, dice)]))
    powers = (0.001, 0.003, 0.01, 0.03, 0.1, 0.3, 1.0, 3.0, 10.0, 30.0, 100.0, 300.0, 1000.0)
    first = max((p for p in powers if p <= min(seconds)), default=powers[0])
    last = min((p for p in powers if p > max(seconds)), default=powers[-1])
    ticks = tuple((p, f"{p:g}") for p in powers if first <= p <= last)
    # The first tick stands off the corner, where the other axis has its own label.
    return Chart(Axis("seconds (median)", (first / 1.4, last), ticks, True), _dice_axis(), _filled(series))


def _by_structure(shown: dict[str, MethodSummary], protocol: Protocol, rows: Sequence[Row]) -> Chart:
    """A line for each structure, the best of the first method's on top."""
    shown = dict(list(shown.items())[:STRIPS])
    tasks = {t.id: t for t in protocol.tasks if t.part == "main" and len(t.slices) == SOME}
    found: dict[str, dict[str, list[float]]] = defaultdict(lambda: defaultdict(list))
    for row in rows:
        if row.task in tasks and row.method in shown:
            found[_named(tasks[row.task].structure, tasks[row.task].dataset)][row.method].append(row.dice)
    first = next(iter(shown), "")
    order = sorted(found, key=lambda name: sum(found[name][first]) / max(1, len(found[name][first])))
    series = []
    for place, (name, method) in enumerate(shown.items()):
        shift = 0.7 * ((len(shown) - 1) / 2 - place) / len(shown)
        points = [(dice, line + shift) for line, structure in enumerate(order) for dice in found[structure][name]]
        series.append(_series(place, method.label, points))
    ticks = tuple((float(line), structure) for line, structure in enumerate(order))
    y = Axis("", (-0.6, len(order) - 0.4), ticks)
    return Chart(Axis("Dice", (0.0, 1.0), TENTHS), y, _filled(series), FRAME + LINE * len(order), SMALL_MARK)


def _named(structure: str, dataset: str) -> str:
    """Words instead of identifiers; the data set's first word tells structures of one name apart."""
    return f"{structure.replace('_', ' ')} ({dataset.split('_')[0]})"


def _dice_axis() -> Axis:
    return Axis("Dice on voxels not annotated", (0.0, 1.0), TENTHS)


def _series(
    place: int,
    label: str,
    points: Sequence[tuple[float, float]],
    bars: Sequence[Estimate] = (),
    line: bool = False,
) -> Series:
    return Series(
        label,
        COLORS[place],
        MARKS[place],
        tuple(x for x, _ in points),
        tuple(y for _, y in points),
        tuple(bar.low for bar in bars),
        tuple(bar.high for bar in bars),
        line,
    )


def _filled(series: Sequence[Series]) -> tuple[Series, ...]:
    """Those with points."""
    return tuple(one for one in series if one.x)
