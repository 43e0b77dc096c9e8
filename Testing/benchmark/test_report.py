"""Reports from made-up rows: tables, targets, charts, worst cases."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk

from metasegment.benchmark.chart import Axis, Chart, Series, save_chart
from metasegment.benchmark.freeze import evenly_annotated, structures
from metasegment.benchmark.masks import save_mask
from metasegment.benchmark.method import Method
from metasegment.benchmark.methods.metasegment import NAME, Learner
from metasegment.benchmark.outputs import save
from metasegment.benchmark.protocol import Perturbation, Protocol
from metasegment.benchmark.rows import Row, append_row
from metasegment.benchmark.run import weights_of
from metasegment.benchmark.summary import Summary, summarise
from metasegment.benchmark.targets import judged
from metasegment.network.unet import RELEASED
from metasegment.pictures.vtk_child import NoDrawing

OURS = Learner("auto", RELEASED, "cpu")


@pytest.fixture
def known(odd: Callable[[str], Method]) -> dict[str, Method]:
    """MetaSegment, two peers, and one that cannot run."""
    absent = replace(OURS, strategy="in_context", weights=Path("nowhere.safetensors"))
    methods = (OURS, odd("Threshold"), odd("Raising"), absent)
    return {method.name: method for method in methods}


@pytest.fixture
def protocol(small_data: Path) -> Protocol:
    """Ball and bar of both cases on 1, 3 and 5 slices, and the ball again with noise."""
    found = list(structures(small_data / "validation", "toys", None, "unseen"))
    tasks = [task for s in found for task in evenly_annotated(s, "main", (1, 3, 5))]
    three = next(t for t in tasks if t.structure == "ball" and len(t.slices) == 3)
    noisy = replace(three, id="noisy", part="robustness", perturbation=Perturbation("noise", 0.1, 0))
    return Protocol("toys-1", "validation", (*tasks, noisy))


@pytest.fixture
def row_of(protocol: Protocol) -> Callable[..., Row]:
    """Builds a row of a method on a task with a Dice."""

    def build(method: Method, task: str, dice: float, **facts: object) -> Row:
        fields = {
            "nsd": dice,
            "hd95": 10 * (1 - dice),
            "ece": None,
            "estimated_dice": None,
            "first_seconds": None,
            "seconds": 1.0,
            "peak_memory_mb": 100.0,
            "error": None,
        }
        own = (protocol.identity, "0", task, method.name, weights_of(method), dice)
        return Row(*own, **{**fields, **facts})  # type: ignore[arg-type]

    return build


@pytest.fixture
def rows(protocol: Protocol, known: dict[str, Method], row_of: Callable[..., Row]) -> list[Row]:
    """MetaSegment at 0.8 (0.7 with noise), the peer at 0.6, the other one without an answer."""
    found = []
    for task in protocol.tasks:
        dice = 0.7 if task.perturbation else 0.8
        ours = {"estimated_dice": dice + 0.05, "ece": 0.02, "first_seconds": 0.5, "seconds": 4.0}
        found.append(row_of(known[NAME], task.id, dice, **ours))
        found.append(row_of(known["threshold"], task.id, 0.6))
        found.append(row_of(known["raising"], task.id, 0.0, error="ValueError: no luck"))
    return found


@pytest.fixture
def summary(protocol: Protocol, rows: list[Row], known: dict[str, Method]) -> Summary:
    return summarise(protocol, rows, known)


def test_numbers_are_gathered_by_slices_and_part(summary: Summary) -> None:
    ours, peer = summary.methods[NAME], summary.methods["threshold"]
    assert summary.counts == (1, 3, 5)
    assert summary.best_peer == "threshold"
    assert {n: round(e.mean, 3) for n, e in ours.dice.items() if e} == {1: 0.8, 3: 0.8, 5: 0.8}
    assert {n: round(e.mean, 3) for n, e in peer.lead.items() if e} == {1: 0.2, 3: 0.2, 5: 0.2}
    assert (ours.harm, ours.failure, summary.methods["raising"].failure) == (0, 0, 1)
    assert ours.estimate_error is not None and ours.estimate_error.mean == pytest.approx(0.05)
    assert ours.robustness["noise"] is not None and ours.robustness["noise"].mean == pytest.approx(0.1)
    assert peer.robustness["noise"] is not None and peer.robustness["noise"].mean == pytest.approx(0.0)
    assert ours.first is not None and ours.first.median == 0.5
    assert summary.methods["raising"].errors == {"ValueError: no luck": len(summary.methods["raising"].errors) * 13}
    assert summary.missing == {"in_context": "no weights at nowhere.safetensors"}


def test_a_peer_that_was_not_run_on_everything_is_not_the_best(
    protocol: Protocol, rows: list[Row], known: dict[str, Method]
) -> None:
    first = next(row for row in rows if row.method == "threshold")
    summary = summarise(protocol, [row for row in rows if row is not first], known)
    assert summary.best_peer == "raising"


def test_targets_are_judged_by_their_numbers(
    protocol: Protocol, rows: list[Row], known: dict[str, Method], summary: Summary
) -> None:
    verdicts = {target.wanted: target.met for target in judged(summary)}
    assert [met for wanted, met in verdicts.items() if wanted.startswith("Dice above")] == [True] * 3
    assert verdicts["estimated Dice within 0.08 of the truth on average"] is True
    assert [met for wanted, met in verdicts.items() if wanted.startswith("ambition")] == [True, False, False]
    closer = [replace(row, dice=0.7) if row.method == "threshold" else row for row in rows]
    leads = [t.met for t in judged(summarise(protocol, closer, known)) if t.wanted.startswith("Dice above")]
    assert leads == [False, True, True]


def test_targets_are_not_about_structures_that_may_have_been_seen(
    protocol: Protocol, rows: list[Row], known: dict[str, Method]
) -> None:
    own = replace(protocol, tasks=tuple(replace(task, regime="unknown") for task in protocol.tasks))
    assert judged(summarise(own, rows, known)) == []


def test_the_report_has_its_rows_charts_and_worst_cases(
    tmp_path: Path, small_data: Path, protocol: Protocol, rows: list[Row], known: dict[str, Method]
) -> None:
    folder = tmp_path / "out"
    folder.mkdir()
    for row in rows:
        append_row(folder, row)
    task = protocol.tasks[0]
    mask = np.zeros((24, 20, 22), bool)
    mask[5:15, 5:12, 5:12] = True
    save_mask(folder, NAME, task.id, mask)
    note = save(folder, small_data / "validation", protocol, known)
    report = (folder / "report.md").read_text(encoding="utf-8")
    assert "| MetaSegment | 0.800 | 0.800 | 0.800 |" in report
    assert "an odd method failed on 13 tasks: ValueError: no luck" in report
    assert "`in_context` did not run: no weights at nowhere.safetensors" in report
    assert "| noise | 0.100 | 0.000 |" in report
    assert json.loads((folder / "results.json").read_text())["methods"][NAME]["dice"]["3"]["mean"] == pytest.approx(0.8)
    pictures = ["worst.png"] if note else ["worst.png", "dice_slices.png", "dice_seconds.png", "structures.png"]
    for name in pictures:
        assert f"]({name})" in report
        assert np.ptp(sitk.GetArrayFromImage(sitk.ReadImage(str(folder / name)))) > 200  # it shows something


def test_a_part_that_is_run_alone_is_reported_alone(
    tmp_path: Path, small_data: Path, protocol: Protocol, rows: list[Row], known: dict[str, Method]
) -> None:
    for row in rows:
        append_row(tmp_path, row)
    random = tuple(replace(t, part="placement") for t in protocol.tasks if t.part == "main" and len(t.slices) == 3)
    save(tmp_path, small_data / "validation", replace(protocol, tasks=random), known)
    report = (tmp_path / "report.md").read_text(encoding="utf-8")
    assert "## Dice by plane and placement" in report
    assert "## Dice by number of annotated slices" not in report


def test_a_chart_shows_its_series_where_they_are(tmp_path: Path) -> None:
    series = Series("points", (213, 94, 0), "square", (1.0, 100.0), (0.2, 0.8))
    x = Axis("seconds", (0.1, 1000), ((1.0, "1"), (100.0, "100")), logarithmic=True)
    try:
        save_chart(tmp_path / "a.png", Chart(x, Axis("Dice", (0, 1)), (series,)))
    except NoDrawing as reason:
        pytest.skip(str(reason))
    picture = sitk.GetArrayFromImage(sitk.ReadImage(str(tmp_path / "a.png")))[..., :3]
    rows, columns = np.nonzero((picture == (213, 94, 0)).all(axis=2))
    data = rows > 100  # below the legend
    left, right = (data & (rows > 500)), (data & (rows < 500))
    assert left.any() and right.any()
    assert rows[left].mean() - rows[right].mean() == pytest.approx(0.6 * 930, abs=60)
    assert columns[left].max() < columns[right].min()
