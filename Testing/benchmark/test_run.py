"""Runs with real child processes: rows, failures, kills, and what is done again and what not."""

from __future__ import annotations

import json
import os
import pickle
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from metasegment.benchmark import worker
from metasegment.benchmark.masks import load_mask
from metasegment.benchmark.method import Method
from metasegment.benchmark.methods import all_methods
from metasegment.benchmark.methods.metasegment import Learner
from metasegment.benchmark.protocol import Protocol, as_text
from metasegment.benchmark.rows import FILE, Row, read_rows
from metasegment.benchmark.run import current_rows, run
from metasegment.errors import Cancelled, InputError

Odd = Callable[[str], Method]


@pytest.fixture
def running(small_data: Path, small_protocol: Protocol, tmp_path: Path) -> Callable[..., list[Row]]:
    """Runs methods on the small protocol into one folder; returns all rows."""
    folder = tmp_path / "out"
    folder.mkdir()

    def go(*methods: Method, protocol: Protocol = small_protocol, cancelled: Callable[[], bool] = bool) -> list[Row]:
        run(protocol, small_data / "validation", methods, folder, lambda stage, share: None, cancelled)
        return read_rows(folder)

    return go


def test_every_task_and_method_gets_a_row_with_its_measures(
    running: Callable[..., list[Row]], odd: Odd, small_protocol: Protocol, tmp_path: Path
) -> None:
    rows = running(odd("Threshold"))
    assert [row.task for row in rows] == [task.id for task in small_protocol.tasks]
    for row in rows:
        assert row.dice > 0.99 and row.nsd == 1 and row.hd95 < 2 and row.error is None
        assert row.ece == pytest.approx(0.1, abs=0.02)
        assert (row.estimated_dice, row.first_seconds) == (0.9, 0.001)
        assert row.protocol == small_protocol.identity and row.weights is None
        assert row.peak_memory_mb is None or row.peak_memory_mb > 20
        mask = load_mask(tmp_path / "out", "threshold", row.task)
        assert mask is not None and mask.shape == (24, 20, 22) and 1000 < mask.sum() < 2000


def test_a_method_that_fails_is_recorded_and_does_not_stop_the_run(
    running: Callable[..., list[Row]], odd: Odd, small_protocol: Protocol
) -> None:
    short = replace(small_protocol, tasks=small_protocol.tasks[:2])
    names = ("Raising", "Dying", "WrongShape", "Threshold")
    rows = running(*(odd(name) for name in names), protocol=short)
    assert len(rows) == 8
    by_method = {row.method: row for row in rows}
    assert by_method["raising"].error == "ValueError: no such luck"
    assert by_method["dying"].error == "its process died (exit code 3)"
    assert "shape (2, 2, 2)" in str(by_method["wrongshape"].error)
    for name in ("raising", "dying", "wrongshape"):
        assert (by_method[name].dice, by_method[name].nsd) == (0, 0)
        assert by_method[name].hd95 > 10
    assert by_method["threshold"].dice > 0.99


def test_a_method_that_never_answers_is_given_up(
    running: Callable[..., list[Row]], odd: Odd, small_protocol: Protocol, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(worker, "LIMIT_SECONDS", 0.1)
    short = replace(small_protocol, tasks=small_protocol.tasks[:1])
    (row,) = running(odd("Slow"), protocol=short)
    assert row.error == "no answer within 0.1 s"


def test_what_is_done_is_not_done_again(running: Callable[..., list[Row]], odd: Odd, tmp_path: Path) -> None:
    running(odd("Threshold"))
    before = (tmp_path / "out" / FILE).read_bytes()
    running(odd("Threshold"))
    assert (tmp_path / "out" / FILE).read_bytes() == before


def test_half_a_line_is_dropped_and_its_task_done_again(
    running: Callable[..., list[Row]], odd: Odd, tmp_path: Path
) -> None:
    path = tmp_path / "out" / FILE
    rows = running(odd("Threshold"))
    path.write_bytes(path.read_bytes()[:-40])
    again = running(odd("Threshold"))
    assert [row.task for row in again] == [row.task for row in rows]
    assert len(path.read_text().splitlines()) == len(rows)


def test_a_killed_run_goes_on_where_it_was(
    running: Callable[..., list[Row]], odd: Odd, small_data: Path, small_protocol: Protocol, tmp_path: Path
) -> None:
    (tmp_path / "protocol.json").write_text(as_text(small_protocol))
    script = f"""
import sys; sys.path.insert(0, {str(tmp_path / "methods")!r})
from pathlib import Path
import odd_methods
from metasegment.benchmark.protocol import read_protocol
from metasegment.benchmark.run import run
if __name__ == "__main__":
    run(read_protocol(Path("protocol.json")), Path({str(small_data / "validation")!r}), [odd_methods.Slow("slow")],
        Path("out"), lambda stage, share: None, lambda: False)
"""
    (tmp_path / "go.py").write_text(script)
    path = tmp_path / "out" / FILE
    child = subprocess.Popen([sys.executable, "go.py"], cwd=tmp_path, start_new_session=True)
    while not (path.exists() and path.stat().st_size) and child.poll() is None:
        time.sleep(0.02)
    os.killpg(child.pid, signal.SIGKILL)
    child.wait()
    done = read_rows(tmp_path / "out")
    assert 0 < len(done) < len(small_protocol.tasks)
    rows = running(odd("Slow"))
    assert rows[: len(done)] == done
    assert [row.task for row in rows] == [task.id for task in small_protocol.tasks]


def test_cancelling_keeps_the_rows_there_are(running: Callable[..., list[Row]], odd: Odd, tmp_path: Path) -> None:
    path = tmp_path / "out" / FILE
    with pytest.raises(Cancelled, match="is kept"):
        running(odd("Slow"), cancelled=lambda: path.exists() and len(path.read_text().splitlines()) >= 2)
    assert 2 <= len(read_rows(tmp_path / "out")) < 6


def test_rows_of_another_protocol_are_refused(
    running: Callable[..., list[Row]], odd: Odd, small_protocol: Protocol
) -> None:
    running(odd("Threshold"))
    with pytest.raises(InputError, match="holds rows of protocol toys-1"):
        running(odd("Threshold"), protocol=Protocol("toys-2", "validation", small_protocol.tasks))


def test_a_file_that_holds_no_rows_is_refused(tmp_path: Path) -> None:
    (tmp_path / FILE).write_text(json.dumps({"a": 1}) + "\n")
    with pytest.raises(InputError, match="give another folder"):
        read_rows(tmp_path)


def test_absent_cases_are_told_before_anything_runs(
    running: Callable[..., list[Row]], odd: Odd, small_data: Path, tmp_path: Path
) -> None:
    (small_data / "validation" / "toys" / "two" / "image.nii.gz").unlink()
    with pytest.raises(InputError, match="no image and labels of case 'two'"):
        running(odd("Threshold"))
    assert not (tmp_path / "out" / FILE).exists()


def test_rows_of_other_weights_do_not_count(
    running: Callable[..., list[Row]], odd: Odd, small_protocol: Protocol, tmp_path: Path
) -> None:
    running(odd("Threshold"))
    path = tmp_path / "out" / FILE
    weights = tmp_path / "weights.safetensors"
    weights.write_bytes(b"new")
    learner = Learner("in_context", weights, "cpu")
    for checksum in ("old", learner.checksum):
        row = {**json.loads(path.read_text().splitlines()[0]), "method": "in_context", "weights": checksum}
        path.write_text(path.read_text() + json.dumps(row) + "\n")
        kept = current_rows(tmp_path / "out", small_protocol, [learner, odd("Threshold")])
        assert any(row.method == "in_context" for row in kept) == (checksum == learner.checksum)
        assert sum(row.method == "threshold" for row in kept) == 6


def test_every_method_can_be_sent_to_a_process_of_its_own() -> None:
    for name, method in all_methods().items():
        assert pickle.loads(pickle.dumps(method)).settings == method.settings
        assert method.name == name


def test_methods_are_told_how_long_metasegment_took(
    running: Callable[..., list[Row]], odd: Odd, small_protocol: Protocol
) -> None:
    short = replace(small_protocol, tasks=small_protocol.tasks[:1])
    stand_in = type(odd("Slow"))("metasegment")
    rows = {row.method: row for row in running(odd("Greedy"), stand_in, protocol=short)}
    assert rows["greedy"].estimated_dice == rows["metasegment"].seconds >= 0.5
