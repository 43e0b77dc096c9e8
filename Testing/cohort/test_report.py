"""What a reviewer is shown of a cohort, and what counts as done: without Ray, since nothing is left to do."""

from __future__ import annotations

import csv
from collections.abc import Callable
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk

from metasegment.cohort.output import Case, Output, Row, case_of, read_row, write_row
from metasegment.cohort.report import worst_first, write_report
from metasegment.cohort.run import CohortOptions, apply_to_all
from metasegment.cohort.studies import Study, find_studies
from metasegment.io.task_file import to_bytes
from metasegment.network.unet import RELEASED
from metasegment.pictures.thumbnail import SIDE, save_thumbnail
from metasegment.segmentation import Budget, Remark, StructureResult
from metasegment.task import Provenance, Task, TaskStructure
from metasegment.volume import Geometry, Volume

TASK = Task(Provenance((TaskStructure(1, "liver"),), "0" * 64, "none", "", 1), {})
RED = (1.0, 0.0, 0.0)


def liver(dice: float, volume_ml: float = 1200.0) -> StructureResult:
    return StructureResult(1, "liver", 1000, volume_ml, dice, "none")


@pytest.fixture
def output(tmp_path: Path) -> Output:
    made = Output(tmp_path / "out")
    made.prepare()
    return made


@pytest.fixture
def studies(tmp_path: Path) -> Callable[..., tuple[Study, ...]]:
    """Studies of so many files, which nobody reads."""

    def make(*names: str) -> tuple[Study, ...]:
        (tmp_path / "studies").mkdir(exist_ok=True)
        for name in names:
            (tmp_path / "studies" / f"{name}.nrrd").write_text(name)
        return find_studies(tmp_path / "studies")

    return make


def as_done(output: Output, case: Case, **known: object) -> Row:
    """Leaves what a worker leaves of a case that went well."""
    row = Row(case.name, case.mark, **{"structures": (liver(0.9),), **known})
    output.segmentation(case.name).write_text("")
    write_row(output, row)
    return row


def test_the_worst_come_first_and_what_failed_before_them() -> None:
    rows = [
        Row("good", "", (liver(0.95),), 0.9),
        Row("one bad structure", "", (liver(0.99), liver(0.4)), 0.9),
        Row("unfamiliar", "", (liver(0.95),), 0.2),
        Row("failed", "", failure="it is truncated"),
        Row("small", "", (replace(liver(0.95), remarks=(Remark("volume", "unusual: 90 ml", 7.0),)),), 0.9),
    ]
    assert [row.case for row in worst_first(rows)] == ["failed", "small", "one bad structure", "unfamiliar", "good"]


def test_the_table_has_a_line_for_each_structure_and_each_failure(output: Output) -> None:
    small = replace(liver(0.8, 0.25), remarks=(Remark("volume", "unusual: 0.25 ml", 7.0),))
    rows = [Row("a", "", failure="no"), Row("b", "", (liver(0.9), small), 0.5, 12.34, "cpu", ("one", "two"))]
    write_report(output, rows, 2)
    with output.table.open(newline="") as file:
        table = list(csv.reader(file))
    assert table[1:] == [
        ["a", "", "", "", "", "", "0.0", "", "no"],
        ["b", "liver", "1200.000", "0.900", "", "0.500", "12.3", "one; two", ""],
        ["b", "liver", "0.250", "0.800", "unusual: 0.25 ml", "0.500", "12.3", "one; two", ""],
    ]


def test_the_page_stands_alone_and_shows_names_as_they_are(output: Output) -> None:
    name = "<script>alert('&')</script>"
    row = Row("a & b", "", (StructureResult(1, name, 1, 3.0, 0.5, "none"),), None, 1.0, "cpu", (name,))
    output.thumbnail(row.case).write_bytes(b"\x89PNG")
    write_report(output, [row, Row("c", "", failure=f"cannot read {name}")], 5)
    tags, texts = [], []

    class Reader(HTMLParser):
        def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
            tags.append(tag)
            assert all(
                value is None or value.startswith("data:") for key, value in attributes if key in ("src", "href")
            )

        def handle_data(self, data: str) -> None:
            texts.append(data)

    Reader().feed(output.page.read_text(encoding="utf-8"))
    assert tags.count("img") == 1
    assert not {"script", "link"} & set(tags)
    assert texts.count(name) == 3  # overview, structure, note
    assert {"a & b", f"cannot read {name}"} <= set(texts)
    assert "3 not tried yet" in "".join(texts)


def test_what_is_done_is_not_done_again(output: Output, studies: Callable[..., tuple[Study, ...]]) -> None:
    found = studies("a", "b")
    rows = [as_done(output, case_of(study, to_bytes(TASK))) for study in found]
    before = output.row("a").stat().st_mtime_ns
    options = CohortOptions(TASK, RELEASED, found, output, "cpu", None, Budget(), 0)
    assert apply_to_all(options, lambda words, share: None, lambda: False) == tuple(rows)
    assert output.row("a").stat().st_mtime_ns == before
    assert output.page.is_file()


def test_another_task_another_image_and_a_lost_result_are_work_again(
    output: Output, studies: Callable[..., tuple[Study, ...]], tmp_path: Path
) -> None:
    (study,) = studies("a")
    drawn = Study(study.case, study.image, tmp_path / "drawn.nrrd")
    done = case_of(study, b"task")
    as_done(output, done)
    assert read_row(output, done)
    assert not read_row(output, case_of(study, b"another task"))
    without = case_of(drawn, b"task")
    assert not read_row(output, without)
    drawn.annotation.write_text("one slice")
    assert case_of(drawn, b"task") != without
    study.image.write_text("another image")
    assert not read_row(output, case_of(study, b"task"))
    output.segmentation("a").unlink()
    assert not read_row(output, done)


def test_a_row_that_was_cut_off_counts_as_not_done(output: Output, studies: Callable[..., tuple[Study, ...]]) -> None:
    case = case_of(studies("a")[0], b"task")
    as_done(output, case)
    text = output.row("a").read_text()
    output.row("a").write_text(text[: len(text) // 2])
    assert read_row(output, case) is None


@pytest.mark.parametrize("spacing", [(1.0, 1.0, 1.0), (0.7, 0.7, 5.0)])
def test_a_thumbnail_shows_the_outline_on_each_of_three_planes(
    tmp_path: Path, spacing: tuple[float, float, float]
) -> None:
    k, j, i = np.ogrid[:24, :80, :64]
    labels = (((k - 12) / 5) ** 2 + ((j - 40) / 9) ** 2 + ((i - 32) / 9) ** 2 <= 1).astype(np.uint8)
    volume = Volume(labels * np.int16(50), Geometry((64, 80, 24), spacing, (0, 0, 0), (1, 0, 0, 0, 1, 0, 0, 0, 1)))
    save_thumbnail(tmp_path / "a.png", volume, labels, {1: RED})
    pixels = sitk.GetArrayFromImage(sitk.ReadImage(str(tmp_path / "a.png"))).astype(int)
    assert len(pixels) == SIDE
    for start in (0, (pixels.shape[1] - SIDE) // 2, pixels.shape[1] - SIDE):
        red = (pixels[:, start : start + SIDE] == (255, 0, 0)).all(axis=-1)
        rows, columns = np.nonzero(red)
        assert len(rows) > 40
        for found in (rows, columns):  # in the middle, of a size to judge by
            assert abs((found.min() + found.max()) / 2 - SIDE / 2) < 0.15 * SIDE
        assert max(np.ptp(rows), np.ptp(columns)) > 0.2 * SIDE


def test_a_thumbnail_of_nothing_shows_the_middle_of_the_volume(tmp_path: Path) -> None:
    values = np.random.default_rng(0).integers(0, 100, (20, 30, 40)).astype(np.int16)
    volume = Volume(values, Geometry((40, 30, 20), (1, 1, 1), (0, 0, 0), (1, 0, 0, 0, 1, 0, 0, 0, 1)))
    save_thumbnail(tmp_path / "a.png", volume, np.zeros((20, 30, 40), np.uint8), {1: RED})
    pixels = sitk.GetArrayFromImage(sitk.ReadImage(str(tmp_path / "a.png")))
    assert pixels[:, :SIDE].any(axis=-1).mean() > 0.7  # 40 x 30 mm in a square
