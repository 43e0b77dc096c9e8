"""`metasegment benchmark` as users call it."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from metasegment.benchmark.protocol import Protocol, as_text
from metasegment.benchmark.rows import read_rows
from metasegment.cli import main


@pytest.fixture
def refused(capsys: pytest.CaptureFixture[str]) -> Callable[..., str]:
    """Runs a command that must be refused; returns the one line it says."""

    def run(*arguments: object) -> str:
        assert main(["benchmark", *map(str, arguments)]) == 2
        (line,) = capsys.readouterr().err.splitlines()
        return line

    return run


def test_the_users_own_cases_are_measured_and_reported(
    small_data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    cases, output = small_data / "validation" / "toys", tmp_path / "out"
    shutil.rmtree(cases / "two")  # one is quicker
    arguments = ["--methods", "interpolation", "--device", "cpu", "--output", str(output)]
    assert main(["benchmark", "--cases", str(cases), *arguments]) == 0
    assert f"report: {output / 'report.md'}" in capsys.readouterr().out
    rows = read_rows(output)
    assert len(rows) == 6
    assert all(row.error is None and 0 <= row.dice <= 1 and row.estimated_dice is not None for row in rows)
    assert max(row.dice for row in rows) > 0.85  # a ball on 5 slices can be interpolated
    report = (output / "report.md").read_text(encoding="utf-8")
    assert "MetaSegment, interpolation alone" in report
    assert "## Targets" not in report


def test_what_cannot_be_run_is_refused_in_one_line(
    refused: Callable[..., str], small_data: Path, small_protocol: Protocol, tmp_path: Path
) -> None:
    path = tmp_path / "toys.json"
    path.write_text(as_text(small_protocol))
    output = ("--output", tmp_path / "out")
    assert "give either a PROTOCOL or --cases" in refused(*output)
    assert "give either a PROTOCOL or --cases" in refused(path, "--cases", small_data, *output)
    assert "no protocol at" in refused(tmp_path / "none.json", *output)
    assert "give the protocol's data with --data" in refused(path, "--data", tmp_path / "none", *output)
    given = (path, "--data", small_data, *output)
    assert "no method 'magic': use " in refused(*given, "--methods", "magic")
    assert "it has main" in refused(*given, "--parts", "planes")
    assert "no weights at" in refused(*given, "--methods", "metasegment", "--weights", tmp_path / "none.safetensors")
    (tmp_path / "file").write_text("")
    assert "cannot write in" in refused(path, "--data", small_data, "--output", tmp_path / "file")
    assert not (tmp_path / "out" / "report.md").exists()


def test_damaged_weights_are_told_before_anything_runs(
    refused: Callable[..., str], small_data: Path, small_protocol: Protocol, tmp_path: Path
) -> None:
    path, weights = tmp_path / "toys.json", tmp_path / "w.safetensors"
    path.write_text(as_text(small_protocol))
    weights.write_bytes(b"not weights")
    given = (path, "--data", small_data, "--methods", "in_context", "--output", tmp_path / "out")
    assert "damaged" in refused(*given, "--weights", weights)
    assert not list((tmp_path / "out").glob("*"))


def test_a_protocol_that_comes_along_is_known_by_its_name(refused: Callable[..., str], tmp_path: Path) -> None:
    line = refused("validation-1", "--data", tmp_path, "--output", tmp_path / "out")
    assert str(tmp_path / "validation") in line


def test_label_names_that_are_not_json_are_the_users_error(
    refused: Callable[..., str], small_data: Path, tmp_path: Path
) -> None:
    cases = small_data / "validation" / "toys"
    (cases / "dataset.json").write_text(json.dumps({"labels": 1})[:-1])
    assert "is not JSON" in refused("--cases", cases, "--output", tmp_path / "out")
