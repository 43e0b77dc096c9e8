"""Teach once, use on the next: `segment --save-task`, `teach` and `apply` as others call them, with files."""

from __future__ import annotations

import json
import signal
from collections.abc import Callable, Sequence
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import dataclass, replace
from io import StringIO
from pathlib import Path

import numpy as np
import pytest
from helpers.lessons import short_lessons
from helpers.organs import draw, scan_of

from metasegment.annotation import BACKGROUND
from metasegment.cli import main
from metasegment.export import read_structures, write_segmentation
from metasegment.io.task_file import read_task, write_task
from metasegment.io.volume_file import read_voxels, write_volume
from metasegment.measures.dice import dice
from metasegment.task import Provenance, Task, TaskStructure
from metasegment.volume import Volume

NAMES = {1: "Leber, links", 2: "Zyste"}
COLORS = {1: (0.8, 0.4, 0.2), 2: (0.1, 0.5, 0.9)}


@dataclass(frozen=True)
class Patients:
    """Two images of the same two organs, the second shifted; slices of the first, and of both everything."""

    folder: Path
    truths: tuple[np.ndarray, np.ndarray]

    def image(self, number: int) -> Path:
        return self.folder / f"jane-doe-{number}.nrrd"

    @property
    def slices(self) -> Path:
        return self.folder / "slices.seg.nrrd"

    def reviewed(self, number: int) -> Path:
        return self.folder / f"reviewed-{number}.seg.nrrd"


@pytest.fixture(scope="module")
def patients(tmp_path_factory: pytest.TempPathFactory, two_organs: np.ndarray) -> Patients:
    folder = tmp_path_factory.mktemp("patients")
    truths = (two_organs, np.roll(two_organs, (2, -3, 2), (0, 1, 2)))
    found = Patients(folder, truths)
    for number, truth in enumerate(truths):
        volume = scan_of(truth, spacing=(0.9, 0.9, 1.5), angles=(25, -15, 40))
        write_volume(volume, found.image(number))
        write_segmentation(truth, volume.geometry, found.reviewed(number), NAMES, COLORS)
    labels = draw(two_organs, *((0, k) for k in (14, 20, 26)))
    names, colors = {**NAMES, BACKGROUND: "background"}, {**COLORS, BACKGROUND: (0.5, 0.5, 0.5)}
    write_segmentation(labels, volume.geometry, found.slices, names, colors)
    return found


def _code_of(arguments: Sequence[object]) -> int:
    """Runs a command, which takes over the signals and would keep them."""
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    code = main(list(map(str, arguments)))
    for number, handler in before.items():
        signal.signal(number, handler)
    return code


@dataclass(frozen=True)
class Printed:
    """What a command said."""

    out: str
    err: str


@pytest.fixture(scope="module")
def run() -> Callable[..., Printed]:
    """Runs a command that must end well, its lessons short."""

    def run(*arguments: object) -> Printed:
        with short_lessons(), redirect_stdout(StringIO()) as out, redirect_stderr(StringIO()) as err:
            code = _code_of(arguments)
        assert code == 0, err.getvalue()
        return Printed(out.getvalue(), err.getvalue())

    return run


@pytest.fixture(scope="module")
def taught(patients: Patients, run: Callable[..., Printed]) -> Path:
    """The task of a reviewed segmentation."""
    path = patients.folder / "organs.task"
    printed = run("teach", patients.image(0), patients.reviewed(0), "--output", path)
    assert printed.out.startswith(f"{path}: Leber, links, Zyste; from 1 volume(s); ")
    assert "learning the task" in printed.err
    return path


@pytest.fixture(scope="module")
def applied(patients: Patients, taught: Path, run: Callable[..., Printed]) -> Printed:
    """The task applied to the second patient without a slice, and grown by what it found."""
    outputs = ("--output", patients.folder / "found.seg.nrrd", "--save-task", patients.folder / "grown.task")
    return run("apply", taught, patients.image(1), *outputs, "--seconds", 1, "--json")


def test_a_task_of_one_patient_finds_the_organs_of_the_next(applied: Printed, patients: Patients) -> None:
    found = read_voxels(patients.folder / "found.seg.nrrd")
    assert read_voxels(patients.image(1)).geometry.difference(found.geometry) is None
    for label in NAMES:
        assert dice(found.array == label, patients.truths[1] == label) > 0.6


def test_the_report_says_how_familiar_the_image_was(applied: Printed) -> None:
    report = json.loads(applied.out)
    assert 0 <= report["familiarity"] <= 1
    assert {s["label"]: s["name"] for s in report["structures"]} == NAMES


def test_what_is_found_has_the_names_and_colours_it_was_taught_with(applied: Printed, patients: Patients) -> None:
    segments = read_structures(patients.folder / "found.seg.nrrd").segments
    assert {segment.label: segment.name for segment in segments} == NAMES
    for segment in segments:
        np.testing.assert_allclose(segment.color, COLORS[segment.label], atol=0.005)


def test_a_task_grows_by_what_it_found(applied: Printed, patients: Patients) -> None:
    grown = read_task(patients.folder / "grown.task")
    assert (grown.provenance.volumes, grown.names) == (2, NAMES)


def test_a_task_grows_in_its_own_file_by_a_segmentation_that_numbers_the_organs_otherwise(
    taught: Path, patients: Patients, tmp_path: Path, run: Callable[..., Printed]
) -> None:
    """As Slicer does, by the order of the segments."""
    own, swapped = tmp_path / "own.task", tmp_path / "swapped.seg.nrrd"
    own.write_bytes(taught.read_bytes())
    truth = patients.truths[1]
    geometry = read_voxels(patients.image(1)).geometry
    write_segmentation(np.where(truth, 3 - truth, 0).astype(np.uint8), geometry, swapped, {1: NAMES[2], 2: NAMES[1]})
    run("teach", patients.image(1), swapped, "--task", own, "--output", own)
    assert (read_task(own).provenance.volumes, read_task(own).names) == (2, NAMES)


def test_segmenting_can_leave_a_task_and_a_slice_can_help_it(
    patients: Patients, tmp_path: Path, run: Callable[..., Printed]
) -> None:
    task, out = tmp_path / "organs.task", tmp_path / "a.nrrd"
    run("segment", patients.image(0), patients.slices, "--output", out, "--seconds", 0, "--save-task", task)
    assert read_task(task).names == NAMES
    truth = patients.truths[1]
    slice_of_next = np.zeros_like(truth)
    slice_of_next[22] = np.where(truth[22], truth[22], BACKGROUND)
    drawn = tmp_path / "drawn.nrrd"
    write_volume(Volume(slice_of_next, read_voxels(patients.image(1)).geometry), drawn)
    printed = run("apply", task, patients.image(1), "--annotation", drawn, "--output", out, "--seconds", 0)
    assert "familiarity" in printed.out
    known = slice_of_next != 0
    np.testing.assert_array_equal(read_voxels(out).array[known], truth[known])


def test_of_a_library_the_task_that_has_the_structure_is_applied_and_says_why(
    patients: Patients, taught: Path, tmp_path: Path, run: Callable[..., Printed]
) -> None:
    (tmp_path / "organs.metasegment").write_bytes(taught.read_bytes())
    wanted = ("--library", tmp_path, "--structures", "cyst", "--output", tmp_path / "a.nrrd")
    printed = run("apply", patients.image(1), *wanted, "--seconds", 0, "--json")
    found = json.loads(printed.out)["task"]
    assert found["file"] == str(tmp_path / "organs.metasegment")
    assert found["reason"].startswith("it has Zyste, which is cyst; taught on 1 volume of")
    assert found["reason"] in printed.err
    assert dice(read_voxels(tmp_path / "a.nrrd").array == 2, patients.truths[1] == 2) > 0.6


def test_a_task_tells_nothing_of_the_files_it_was_taught_on(taught: Path, patients: Patients) -> None:
    found = taught.read_bytes()
    assert not any(word in found for word in (b"jane", b"reviewed", str(patients.folder).encode()))


# What is refused


@pytest.fixture
def refused(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> Callable[[Sequence[object]], str]:
    """Runs a command that must end with code 2 and one line beside progress; gives the line."""

    def run(arguments: Sequence[object]) -> str:
        assert _code_of(arguments) == 2
        printed = capfd.readouterr()
        assert printed.out == ""
        (line,) = [line for line in printed.err.splitlines() if "% " not in line]
        assert line.startswith("metasegment: ")
        return line

    return run


@pytest.fixture
def a_foreign_task(tmp_path: Path) -> Path:
    """A task that was taught with other weights."""
    path = tmp_path / "foreign.task"
    structures = tuple(TaskStructure(label, name) for label, name in NAMES.items())
    write_task(Task(Provenance(structures, "a" * 64, "none", "", 1), {}), path)
    return path


def test_a_task_and_a_library_are_one_too_many_and_neither_is_too_few(
    refused: Callable[..., str], a_foreign_task: Path, patients: Patients, tmp_path: Path
) -> None:
    image, output = patients.image(1), ("--output", tmp_path / "a.nrrd")
    for given in ((image, *output), (a_foreign_task, image, *output, "--library", tmp_path)):
        assert "give a TASK, or --library" in refused(["apply", *given])


def test_a_task_of_other_weights_is_refused(
    refused: Callable[..., str], a_foreign_task: Path, patients: Patients, tmp_path: Path
) -> None:
    line = refused(["apply", a_foreign_task, patients.image(1), "--output", tmp_path / "out.nrrd"])
    assert "weights" in line
    assert not (tmp_path / "out.nrrd").exists()


def test_what_is_no_task_is_refused_by_name(refused: Callable[..., str], patients: Patients, tmp_path: Path) -> None:
    for wrong in (patients.image(0), tmp_path / "absent.task"):
        assert str(wrong) in refused(["apply", wrong, patients.image(1), "--output", tmp_path / "out.nrrd"])
        assert str(wrong) in refused(
            ["teach", patients.image(0), patients.reviewed(0), "--output", tmp_path / "x", "--task", wrong]
        )


def test_an_output_in_the_place_of_an_input_is_refused(
    refused: Callable[..., str], a_foreign_task: Path, patients: Patients, tmp_path: Path
) -> None:
    image, out = patients.image(0), tmp_path / "out.nrrd"
    for arguments in (
        ["teach", image, patients.reviewed(0), "--output", image],
        ["apply", a_foreign_task, image, "--output", image],
        ["apply", a_foreign_task, image, "--output", out, "--save-task", image],
        ["segment", image, patients.slices, "--output", out, "--save-task", patients.slices],
    ):
        assert "it is an input" in refused(arguments)


def test_a_segmentation_without_a_structure_or_on_another_grid_teaches_nothing(
    refused: Callable[..., str], patients: Patients, tmp_path: Path
) -> None:
    geometry = read_voxels(patients.image(0)).geometry
    empty, elsewhere = tmp_path / "empty.nrrd", tmp_path / "elsewhere.nrrd"
    write_volume(Volume(np.zeros(geometry.shape, np.uint8), geometry), empty)
    write_volume(Volume(np.ones(geometry.shape, np.uint8), replace(geometry, spacing=(2.0, 2.0, 2.0))), elsewhere)
    assert "is empty" in refused(["teach", patients.image(0), empty, "--output", tmp_path / "x.task"])
    assert str(elsewhere) in refused(["teach", patients.image(0), elsewhere, "--output", tmp_path / "x.task"])
    assert not (tmp_path / "x.task").exists()
