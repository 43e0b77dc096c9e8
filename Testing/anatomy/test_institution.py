"""An institution's own sizes: they grow by accepted segmentations, stand for the packaged ones, and hold no patient."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from metasegment.cli import main
from metasegment.export import write_segmentation
from metasegment.volume import Geometry

GRID = Geometry((60, 60, 60), (4.0, 4.0, 4.0), (0.0, 0.0, 0.0), (1, 0, 0, 0, 1, 0, 0, 0, 1))


def spleen(path: Path, ml: float, name: str = "spleen", middle: int = 30) -> Path:
    """A segmentation of a ball."""
    radius = (ml / 0.064 * 3 / (4 * np.pi)) ** (1 / 3)
    k, j, i = np.ogrid[:60, :60, :60]
    ball = (k - middle) ** 2 + (j - 30) ** 2 + (i - 30) ** 2 <= radius**2
    write_segmentation(ball.astype(np.uint8), GRID, path, {1: name})
    return path


def said(capsys: pytest.CaptureFixture[str], *arguments: object) -> list[str]:
    """The texts of all remarks that the command prints as JSON."""
    assert main(["check", *map(str, arguments), "--json"]) == 0
    return [r["text"] for s in json.loads(capsys.readouterr().out)["structures"] for r in s["remarks"]]


@pytest.fixture
def children(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Path:
    """Sizes of twenty spleens of 20 to 24 ml."""
    file = tmp_path / "own.json"
    for number in range(20):
        path = spleen(tmp_path / "jane-doe.seg.nrrd", 20 + number / 5)
        assert main(["check", str(path), "--institution", str(file), "--accept"]) == 0
    capsys.readouterr()
    return file


def test_from_twenty_cases_on_the_institutions_sizes_count(
    children: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    small = spleen(tmp_path / "small.seg.nrrd", 22)
    assert any("adults have" in text for text in said(capsys, small))
    assert said(capsys, small, "--institution", children) == []
    usual = spleen(tmp_path / "usual.seg.nrrd", 200)
    assert len(said(capsys, usual, "--institution", children)) == 1


def test_nineteen_cases_change_nothing(children: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    found = json.loads(children.read_text())
    for tally in found["sizes"].values():
        tally["count"] = 19
    children.write_text(json.dumps(found))
    small = spleen(tmp_path / "small.seg.nrrd", 22)
    assert said(capsys, small, "--institution", children) == said(capsys, small)


def test_the_file_holds_counts_means_and_spreads_alone(children: Path) -> None:
    found = json.loads(children.read_text())
    assert set(found) == {"sizes", "version"}
    assert set(found["sizes"]) == {"spleen volume", "spleen si", "spleen lr", "spleen ap"}
    assert found["sizes"]["spleen volume"]["count"] == 20
    assert np.exp(found["sizes"]["spleen volume"]["mean"]) == pytest.approx(22, rel=0.1)
    assert "jane" not in children.read_text()


def test_what_the_image_cuts_and_unknown_names_are_not_counted(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "own.json"
    for path in (spleen(tmp_path / "a.seg.nrrd", 200, middle=0), spleen(tmp_path / "b.seg.nrrd", 200, "blob")):
        assert main(["check", str(path), "--institution", str(file), "--accept"]) == 0
    assert json.loads(file.read_text())["sizes"] == {}
    assert "nothing unusual" in capsys.readouterr().out


@pytest.mark.parametrize("text", ["{}x", '{"sizes": {"spleen volume": 3}}', '{"sizes": {}, "version": 2}'])
def test_another_file_is_refused_in_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str], text: str) -> None:
    file = tmp_path / "own.json"
    file.write_text(text)
    assert main(["check", str(spleen(tmp_path / "a.seg.nrrd", 200)), "--institution", str(file), "--accept"]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert "own.json" in line
    assert file.read_text() == text


def test_accepting_needs_a_file(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["check", str(spleen(tmp_path / "a.seg.nrrd", 200)), "--accept"]) == 2
    assert "--institution FILE" in capsys.readouterr().err
