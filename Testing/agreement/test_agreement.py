"""Agreement of two readers: by the names of studies and structures, with the numbers of textbooks."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import numpy as np
import pytest

from metasegment.agreement.pairs import Agreed
from metasegment.agreement.summary import summaries_of
from metasegment.cli import main
from metasegment.export import write_segmentation
from metasegment.measures.surface import surface_dice
from metasegment.volume import Geometry

GEOMETRY = Geometry((24, 20, 10), (1.0, 1.0, 3.0), (0, 0, 0), (1, 0, 0, 0, 1, 0, 0, 0, 1))


def _drawn(folder: Path, study: str, blocks: dict[str, slice], first: int = 1) -> None:
    """Blocks of six voxels by three slices, as wide as told, their labels counted from `first` in their order."""
    labels = np.zeros(GEOMETRY.shape, np.uint8)
    names = {}
    for number, (name, width) in enumerate(blocks.items()):
        labels[3:6, 8 * number : 8 * number + 6, width] = first + number
        names[first + number] = name
    folder.mkdir(exist_ok=True)
    write_segmentation(labels, GEOMETRY, folder / f"{study}.seg.nrrd", names)


@pytest.fixture
def readers(tmp_path: Path) -> tuple[Path, Path]:
    """Two folders: B numbers the structures the other way round and draws the liver two voxels wider."""
    a, b = tmp_path / "a", tmp_path / "b"
    for study, more in (("one", 2), ("two", 4)):
        _drawn(a, study, {"liver": slice(4, 14), "cyst": slice(4, 8)})
        _drawn(b, study, {"liver": slice(4, 14 + more), "cyst": slice(4, 8)}, first=3)
    _drawn(a, "three", {"liver": slice(4, 14)})
    return a, b


def test_structures_are_paired_by_name_and_studies_by_file(
    readers: tuple[Path, Path], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["agreement", *map(str, readers), "--json"]) == 0
    told = capsys.readouterr()
    answer = json.loads(told.out)
    assert f"{readers[0]} alone has three" in told.err
    assert [(row["study"], row["structure"]) for row in answer["studies"]] == [
        ("one", "cyst"), ("one", "liver"), ("two", "cyst"), ("two", "liver")
    ]  # fmt: skip
    cyst, liver = answer["structures"]
    assert (cyst["dice"], cyst["nsd"], cyst["bias_ml"]) == (1, 1, 0)
    assert answer["studies"][1]["dice"] == pytest.approx(2 * 10 / (10 + 12))
    # 3 x 6 x 2 and x 4 voxels of 3 mm³ more
    assert liver["bias_ml"] == pytest.approx((0.108 + 0.216) / 2)


def test_a_structure_that_one_reader_did_not_draw_agrees_by_nothing(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    _drawn(tmp_path / "a", "one", {"liver": slice(4, 14), "cyst": slice(4, 8)})
    _drawn(tmp_path / "b", "one", {"liver": slice(4, 14)})
    assert main(["agreement", str(tmp_path / "a"), str(tmp_path / "b"), "--json"]) == 0
    cyst = json.loads(capsys.readouterr().out)["studies"][0]
    assert (cyst["dice"], cyst["nsd"], cyst["volume_b_ml"]) == (0, 0, 0)


def test_limits_of_agreement_are_bland_and_altmans() -> None:
    volumes = [(10.0, 11.0), (20.0, 19.0), (30.0, 33.0)]
    rows = [Agreed(str(n), "liver", 0.9, 0.9, a, b) for n, (a, b) in enumerate(volumes)]
    (summary,) = summaries_of(rows)
    assert summary.bias_ml == pytest.approx(1)
    assert summary.low_ml == pytest.approx(1 - 1.96 * 2)
    assert summary.high_ml == pytest.approx(1 + 1.96 * 2)
    assert summaries_of(rows[:1])[0].low_ml is None


@pytest.mark.parametrize(("shift", "expected"), [(0, 1.0), (1, 1.0), (4, 0.0)])
def test_surfaces_within_the_tolerance_count_as_the_same(shift: int, expected: float) -> None:
    sheet = np.zeros((12, 12, 20), bool)
    sheet[:, :, 6] = True
    assert surface_dice(sheet, np.roll(sheet, shift, 2), (1, 1, 1), 2.0) == pytest.approx(expected)


def test_files_have_every_study_and_the_page_has_plots(readers: tuple[Path, Path], tmp_path: Path) -> None:
    for name in ("out.csv", "out.html"):
        assert main(["agreement", *map(str, readers), "--to", str(tmp_path / name)]) == 0
    with (tmp_path / "out.csv").open(encoding="utf-8-sig", newline="") as file:
        assert len(list(csv.DictReader(file))) == 4
    page = (tmp_path / "out.html").read_text("utf-8")
    assert "data:image/png;base64," in page
    assert "<td>liver</td><td>2</td>" in page


@pytest.mark.parametrize(
    ("other", "words"), [("absent", "is no folder"), ("empty", "no segmentation of the same name")]
)
def test_folders_that_cannot_be_compared_are_refused_in_one_line(
    readers: tuple[Path, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str], other: str, words: str
) -> None:
    (tmp_path / "empty").mkdir()
    assert main(["agreement", str(readers[0]), str(tmp_path / other)]) == 2
    told = capsys.readouterr().err
    assert words in told
    assert told.count("\n") == 1
