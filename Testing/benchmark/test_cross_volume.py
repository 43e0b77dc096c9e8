"""What is taught on one case and used on another: the frozen pairs, what methods see, registration, the report."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from helpers.benchmark_cases import task_with
from helpers.grids import geometry_with

from metasegment.annotation import BACKGROUND, Annotation, annotation_from_labels, empty_annotation
from metasegment.benchmark.cases import load_case
from metasegment.benchmark.freeze import structures
from metasegment.benchmark.freeze_pairs import DATASETS, frozen_pairs
from metasegment.benchmark.method import STRUCTURE, Method, Source, Study
from metasegment.benchmark.methods.metasegment import NAME, Learner
from metasegment.benchmark.methods.registration import NAME as REGISTRATION
from metasegment.benchmark.methods.registration import Registration
from metasegment.benchmark.outputs import save
from metasegment.benchmark.protocol import (
    ALONE,
    CROSS_VOLUME,
    Protocol,
    Task,
    TaughtOn,
    as_text,
    named_protocol,
    read_protocol,
)
from metasegment.benchmark.rows import Row, append_row, read_rows
from metasegment.benchmark.run import run
from metasegment.benchmark.slice_correction import corrected
from metasegment.benchmark.summary import summarise
from metasegment.benchmark.targets import judged
from metasegment.errors import InputError
from metasegment.measures.dice import dice
from metasegment.network.unet import RELEASED
from metasegment.volume import Geometry, Volume

MakeTask = Callable[..., Task]
FROZEN = named_protocol("cross-volume-1")
TAUGHT = TaughtOn("two", ((0, 8), (0, 12), (0, 16)))
SHAPE = (30, 40, 44)  # k, j, i
#: A registration within a second.
QUICK = Registration(levels=((2, 1_000),))


@pytest.fixture(scope="module")
def released() -> Protocol:
    return read_protocol(FROZEN)


def pair_with(*indices: int, **facts: object) -> Task:
    """Builds a task of the ball of case `one`, taught on case `two`."""
    return task_with([(0, n) for n in indices], **{"part": CROSS_VOLUME, "taught_on": TAUGHT, **facts})


@pytest.fixture(scope="module")
def study_from() -> Callable[..., tuple[Study, np.ndarray]]:
    """Builds a study of a head with an organ, whose source shows both elsewhere; and the truth.

    `planes` are annotated axial slices of the study.
    """
    axes = np.ogrid[: SHAPE[0], : SHAPE[1], : SHAPE[2]]

    def blob(centre: tuple[float, ...], radii: tuple[float, ...]) -> np.ndarray:
        return np.asarray(sum(((a - c) / r) ** 2 for a, c, r in zip(axes, centre, radii, strict=True)) <= 1)

    def picture(shift: tuple[int, int, int], seed: int) -> tuple[Volume, np.ndarray]:
        middle = tuple(s + o for s, o in zip((15, 20, 22), shift, strict=True))
        organ = blob((middle[0] + 2, middle[1] - 4, middle[2] + 5), (5, 5, 6))
        image = 300 * blob(middle, (11, 14, 15)) + 400 * organ + np.random.default_rng(seed).normal(0, 15, SHAPE)
        return Volume(image.astype(np.int16), geometry_with(SHAPE[::-1], (2.0, 2.0, 2.5))), organ

    def build(*planes: int) -> tuple[Study, np.ndarray]:
        volume, truth = picture((0, 0, 0), 0)
        other, organ = picture((1, 3, -4), 1)
        source = Source(other, drawn(organ, (15, 18), other.geometry), organ)
        return Study(volume, drawn(truth, planes, volume.geometry), source=source), truth

    return build


def drawn(truth: np.ndarray, planes: tuple[int, ...], geometry: Geometry) -> Annotation:
    labels = np.zeros(truth.shape, np.uint8)
    for index in planes:
        labels[index] = np.where(truth[index], STRUCTURE, BACKGROUND)
    return annotation_from_labels(labels, geometry) if planes else empty_annotation(geometry)


def test_freezing_pairs_again_gives_the_file_word_for_word(data_folder: Path) -> None:
    assert as_text(frozen_pairs(data_folder)) == FROZEN.read_text(encoding="utf-8")


def test_pairs_are_of_two_subjects_and_their_targets_are_there_without_a_task(released: Protocol) -> None:
    pairs = [t for t in released.tasks if t.taught_on]
    assert {t.part for t in pairs} == {CROSS_VOLUME}
    assert {len(t.taught_on.slices) for t in pairs if t.taught_on} == {3, 5}
    assert not any(t.taught_on.case.startswith(t.subject) for t in pairs if t.taught_on)
    assert {t.dataset: t.regime for t in pairs} == {name: chosen.regime for name, chosen in DATASETS.items()}
    alone = {(t.case, t.label, t.slices) for t in released.tasks if t.part == ALONE}
    assert {(t.case, t.label, t.slices) for t in pairs if t.slices} == alone


def test_a_method_sees_the_source_and_may_see_no_slice_of_the_new_volume(small_data: Path) -> None:
    root = small_data / "validation"
    study = load_case(root, pair_with()).study
    whole = load_case(root, task_with([(0, 12)], case="two"))
    assert study.annotation.slices == () and not study.annotation.labels.any()
    assert study.source is not None
    assert [plane.index for plane in study.source.annotation.slices] == [8, 12, 16]
    assert np.array_equal(study.source.truth, whole.truth)
    assert np.array_equal(study.source.volume.array, whole.study.volume.array)
    assert load_case(root, task_with([(0, 12)])).study.source is None
    with pytest.raises(InputError, match="no such structure on slice 0"):
        load_case(root, pair_with(taught_on=TaughtOn("two", ((0, 0),))))


def test_a_protocol_of_pairs_is_read_back_as_it_was_written(tmp_path: Path) -> None:
    protocol = Protocol("pairs", "validation", (pair_with(), pair_with(12)))
    (tmp_path / "pairs.json").write_text(as_text(protocol), encoding="utf-8")
    assert read_protocol(tmp_path / "pairs.json") == protocol


def test_registration_finds_the_source_s_organ_and_registers_a_pair_once(
    study_from: Callable[..., tuple[Study, np.ndarray]],
) -> None:
    study, truth = study_from()
    assert study.source is not None
    method = replace(QUICK)  # has registered nothing yet
    found = method.predict(study)
    assert dice(study.source.truth, truth) < 0.4
    assert dice(found.mask, truth) > 0.8
    assert found.preparing_seconds is not None
    assert method.predict(study).preparing_seconds is None
    again = replace(QUICK).predict(study)
    assert np.array_equal(again.mask, found.mask) and again.preparing_seconds is not None


def test_slices_correct_a_copied_outline_most_where_they_are(
    study_from: Callable[..., tuple[Study, np.ndarray]],
) -> None:
    study, truth = study_from(17)
    moved = np.roll(truth, 3, axis=2)
    better = corrected(moved, study.annotation)
    assert np.array_equal(better[17], truth[17])
    assert dice(better[16], truth[16]) > dice(moved[16], truth[16])
    assert dice(better, truth) > dice(moved, truth) + 0.05
    assert np.array_equal(corrected(moved, study_from()[0].annotation), moved)


def test_methods_run_on_the_tasks_that_suit_them(
    small_data: Path, odd: Callable[[str], Method], tmp_path: Path
) -> None:
    protocol = Protocol("pairs", "validation", (pair_with(), pair_with(12), task_with([(0, 12)], part=ALONE)))
    methods = (QUICK, odd("Threshold"))
    (tmp_path / "out").mkdir()
    run(protocol, small_data / "validation", methods, tmp_path / "out", lambda stage, share: None, bool)
    first, second, third = read_rows(tmp_path / "out")
    assert [row.method for row in (first, second, third)] == [REGISTRATION, REGISTRATION, "threshold"]
    assert third.task == protocol.tasks[2].id
    assert [row.error for row in (first, second)] == [None, None]
    assert first.preparing_seconds is not None and second.preparing_seconds is None
    assert first.dice > 0.8  # both cases show the ball at the same place
    expected = summarise(protocol, [first, second, third], {m.name: m for m in methods}).methods
    assert {name: (m.tasks, m.expected) for name, m in expected.items()} == {REGISTRATION: (2, 2), "threshold": (1, 1)}


def test_pairs_are_reported_beside_the_same_volumes_without_a_task(small_data: Path, tmp_path: Path) -> None:
    (ball,) = (s for s in structures(small_data / "validation", "toys", [1], "unseen") if s.task.case == "one")
    pairs = [pair_with(*range(12, 12 + n)) for n in (0, 1, 3)]
    pairs.append(pair_with(taught_on=TaughtOn("two", tuple((0, n) for n in range(8, 13))), id="more"))
    alone = ball.annotated(ALONE, "axial", ((0, 9), (0, 12), (0, 15)))
    protocol = Protocol("pairs", "validation", (*pairs, alone))
    ours, copied = Learner("auto", RELEASED, "cpu"), Registration()

    def row(method: Method, task: Task, dice: float, preparing: float | None = None) -> Row:
        checksum = ours.checksum if method is ours else None
        return Row(
            *(protocol.identity, "0", task.id, method.name, checksum, dice, dice, 1.0),
            *(None, None, None, 2.0, None, None, preparing),
        )

    values = {0: 0.7, 1: 0.85, 3: 0.9}
    rows = [row(ours, t, values[len(t.slices)], 30.0) for t in pairs] + [row(ours, alone, 0.8)]
    rows += [row(copied, t, 0.6, 11.0) for t in pairs]
    known = {NAME: ours, REGISTRATION: copied}
    summary = summarise(protocol, rows, known)
    across = summary.methods[NAME].across
    assert across is not None and across.more is not None and across.preparing is not None
    assert {n: e.mean for n, e in across.dice.items() if e} == pytest.approx(values)
    assert {n: round(e.mean, 3) for n, e in across.gain.items() if e} == {0: -0.1, 1: 0.05, 3: 0.1}
    assert (across.more.mean, across.preparing.median) == (0.7, 30.0)
    assert [target.met for target in judged(summary)] == [True, True]
    worse = [replace(r, dice=0.66) if r.method == REGISTRATION else r for r in rows]
    assert [target.met for target in judged(summarise(protocol, worse, known))] == [False, True]
    for each in rows:
        append_row(tmp_path, each)
    note = save(tmp_path, small_data / "validation", protocol, known)
    report = (tmp_path / "report.md").read_text(encoding="utf-8")
    assert "| MetaSegment | 0.700 | 0.850 | 0.900 | 0.700 |" in report
    assert "| MetaSegment, nothing taught | – | – | 0.800 | – |" in report
    assert "| 30.00 / 30.00 | 2.00 / 2.00 |" in report
    assert note or "](across.png)" in report
    assert "## Dice by number of annotated slices" not in report
