"""Two local workers on real cases: killed, stopped, taken up again, with a bad study among the good ones."""

from __future__ import annotations

import base64
import csv
import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from itertools import cycle, islice
from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk

from metasegment.export import read_structures
from metasegment.io.files import DRAFTS
from metasegment.io.volume_file import write_volume
from metasegment.volume import Volume

pytest.importorskip("ray", reason="ray is not installed: pip install 'metasegment[cluster]'")
if not Path("/proc/self/stat").is_file():
    pytest.skip("workers are found through /proc", allow_module_level=True)

#: Seconds for whatever a test waits for; reached by failures alone.
PATIENCE = 300.0
#: Good studies: enough that a run can be stopped in the middle.
GOOD = 12
BAD = "p01_truncated"


@dataclass
class Cohort:
    """A folder of studies, and the command that does them."""

    studies: Path
    output: Path
    task: Path
    started: list[subprocess.Popen[str]] = field(default_factory=list)
    left: list[int] = field(default_factory=list)

    def start(self) -> subprocess.Popen[str]:
        command = ["apply", str(self.task), str(self.studies), "--output", str(self.output), "--device", "cpu"]
        process = subprocess.Popen(
            [sys.executable, "-m", "metasegment", *command, "--workers", "2"],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )
        self.started.append(process)
        return process

    def rows(self) -> dict[str, int]:
        """Cases that were tried, and when (ns)."""
        return {path.stem: path.stat().st_mtime_ns for path in (self.output / "cases").glob("*.json")}

    def done(self) -> dict[str, int]:
        return {case: when for case, when in self.rows().items() if case != BAD}


@pytest.fixture
def cohort(patients: list[tuple[Volume, np.ndarray]], a_task_file: Path, tmp_path: Path) -> Iterator[Cohort]:
    """The other patients, several times, each in a folder of their own, and a file that was cut off."""
    studies = tmp_path / "studies"
    for name, volume in named(patients):
        (studies / name).mkdir(parents=True)
        write_volume(volume, studies / name / "image.nii.gz")
    whole = (studies / "p01" / "image.nii.gz").read_bytes()
    (studies / f"{BAD}.nii.gz").write_bytes(whole[: len(whole) // 2])
    made = Cohort(studies, tmp_path / "out", a_task_file)
    yield made
    for process in made.started:
        process.kill()
        process.communicate()
    for pid in filter(is_alive, made.left):  # Ray's own agents outlive a driver that was killed by a minute
        os.kill(pid, signal.SIGKILL)


def named(patients: list[tuple[Volume, np.ndarray]]) -> list[tuple[str, Volume]]:
    """The good studies by case."""
    others = islice(cycle(patients[1:]), GOOD)
    return [(f"p{number:02d}", volume) for number, (volume, _) in enumerate(others)]


def test_a_cohort_that_is_killed_or_stopped_goes_on_where_it_was(
    cohort: Cohort, patients: list[tuple[Volume, np.ndarray]]
) -> None:
    killed = cohort.start()
    wait_until(lambda: cohort.done() or has_ended(killed))
    cohort.left = descendants(killed.pid)
    working = workers(cohort.left)
    assert len(working) == 2
    killed.kill()
    wait_until(lambda: not any(map(is_alive, working)))
    after_kill = cohort.done()
    assert 0 < len(after_kill) < GOOD

    stopped = cohort.start()
    wait_until(lambda: len(cohort.done()) > len(after_kill) or has_ended(stopped))
    os.killpg(stopped.pid, signal.SIGINT)  # as a terminal does: all of the processes get it
    _, said = stopped.communicate(timeout=PATIENCE)
    assert stopped.returncode == 130, said
    assert "the same command goes on" in said
    after_stop = cohort.done()
    assert after_kill.items() <= after_stop.items()
    assert f"{len(after_stop)} done" in (cohort.output / "report.html").read_text()

    whole = cohort.start()
    wait_until(lambda: workers(descendants(whole.pid)) or has_ended(whole))
    os.kill(workers(descendants(whole.pid))[0], signal.SIGKILL)
    answer, said = whole.communicate(timeout=PATIENCE)
    assert whole.returncode == 0, said
    assert f"{GOOD} studies done, 1 could not be done" in answer
    assert after_stop.items() <= cohort.done().items()
    assert not list(cohort.output.glob(f"**/{DRAFTS}*"))
    assert not any(case in said for case in cohort.rows())
    for name, volume in named(patients):
        found = read_structures(cohort.output / f"{name}.seg.nrrd", volume.geometry)
        assert [segment.name for segment in found.segments] == ["left atrium"]
        assert found.labels.any()
    _assert_reported(cohort)


def _assert_reported(cohort: Cohort) -> None:
    with (cohort.output / "report.csv").open(newline="") as file:
        table = list(csv.DictReader(file))
    assert table[0]["case"] == BAD
    assert "truncated" in table[0]["failure"]
    unusual = [bool(line["remarks"]) for line in table[1:]]
    assert unusual == sorted(unusual, reverse=True)
    estimates = [float(line["estimated_dice"]) for line in table[1:] if not line["remarks"]]
    assert estimates == sorted(estimates)
    assert all(float(line["volume_ml"]) > 0 and 0 <= float(line["familiarity"]) <= 1 for line in table[1:])
    manifest = json.loads((cohort.output / "manifest.json").read_text())
    assert "truncated" in manifest["result"].pop(BAD)["failure"]
    assert [len(found["labels"]) for found in manifest["result"].values()] == [64] * GOOD
    assert len(manifest["inputs"]) == GOOD + 2  # studies and task
    page = (cohort.output / "report.html").read_text()
    assert "truncated" in page
    pictures = [base64.b64decode(text) for text in re.findall(r'src="data:image/png;base64,([^"]+)"', page)]
    assert len(pictures) == GOOD
    for n, picture in enumerate(pictures):
        path = cohort.output.parent / f"{n}.png"
        path.write_bytes(picture)
        pixels = sitk.GetArrayFromImage(sitk.ReadImage(str(path))).astype(int)
        coloured = np.abs(pixels[..., 0] - pixels[..., 2]) > 60  # the outline is orange, all else grey
        third = pixels.shape[1] // 3
        assert all(coloured[:, start : start + third].any() for start in (0, third, 2 * third))


def wait_until(condition: Callable[[], object]) -> None:
    end = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.05)


def has_ended(process: subprocess.Popen[str]) -> bool:
    return process.poll() is not None


def descendants(pid: int) -> list[int]:
    """Process ids of a process's children and theirs."""
    parents = {}
    for path in Path("/proc").glob("[0-9]*/stat"):
        try:
            parents[int(path.parent.name)] = int(path.read_text().rpartition(")")[2].split()[1])
        except OSError:
            continue
    found = [pid]
    for parent in found:
        found += [child for child, of in parents.items() if of == parent]
    return found[1:]


def workers(pids: list[int]) -> list[int]:
    """Those that have a worker of a cohort in them."""
    return [pid for pid in pids if _title(pid).startswith("ray::Worker")]


def _title(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/cmdline").read_text()
    except OSError:
        return ""


def is_alive(pid: int) -> bool:
    return _title(pid) != ""
