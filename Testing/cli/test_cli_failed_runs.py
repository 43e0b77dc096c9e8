"""A `metasegment segment` that cannot finish: the exit code says so, and no result is half written."""

from __future__ import annotations

import contextlib
import os
import resource
import signal
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from helpers.study_files import PATIENCE, Study, command

from metasegment.cli import main

pytestmark = pytest.mark.usefixtures("ctrl_c_works_after_a_command")


@contextlib.contextmanager
def ordinary_user() -> Iterator[None]:
    """Root may write anywhere; anyone else stays who they are."""
    if os.geteuid() != 0:
        yield
        return
    os.seteuid(65534)
    try:
        yield
    finally:
        os.seteuid(0)


def test_an_unwritable_output_folder_is_refused(study: Study, capfd: pytest.CaptureFixture[str]) -> None:
    with tempfile.TemporaryDirectory() as folder:  # tmp_path lies in folders that other users cannot enter
        Path(folder).chmod(0o555)
        with ordinary_user():
            code = main(["segment", str(study.image), str(study.annotation), "--output", f"{folder}/out.nrrd"])
        assert not list(Path(folder).iterdir())
    assert code == 2
    expected = f"metasegment: cannot write {folder}/out.nrrd: Permission denied; choose another folder\n"
    assert capfd.readouterr().err == expected


def test_a_full_disk_is_told_and_leaves_the_old_result(
    study: Study, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out.nii"
    out.write_text("the previous result")
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, before[1]))  # Python ignores the signal that goes with it
    try:
        code = main(["segment", str(study.image), str(study.annotation), "--output", str(out), "--seconds", "0"])
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert code == 2
    assert "disk" in capsys.readouterr().err.splitlines()[-1]
    assert out.read_text() == "the previous result"
    assert [path.name for path in tmp_path.iterdir()] == ["out.nii"]


def test_a_bad_input_ends_a_real_process_with_code_2_and_one_line(study: Study, tmp_path: Path) -> None:
    (tmp_path / "empty.nii.gz").touch()
    run = command("segment", tmp_path / "empty.nii.gz", study.annotation, "--output", tmp_path / "out.nrrd", "--json")
    done = subprocess.run(run, capture_output=True, text=True, timeout=PATIENCE)
    assert done.returncode == 2
    assert done.stdout == ""
    assert done.stderr == f"metasegment: {tmp_path / 'empty.nii.gz'} is empty (0 bytes)\n"
    assert not (tmp_path / "out.nrrd").exists()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupt_during_the_work_is_exit_code_130_and_writes_nothing(
    study: Study, tmp_path: Path, number: signal.Signals
) -> None:
    folder = tmp_path / "results"
    folder.mkdir()
    options = ["--output", folder / "out.nrrd", "--strategy", "fine_tune", "--seconds", PATIENCE, "--json"]
    with subprocess.Popen(
        command("segment", study.image, study.annotation, *options),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as child:
        assert child.stderr
        assert any("adapting" in line for line in child.stderr)
        child.send_signal(number)
        out, err = child.communicate(timeout=PATIENCE)
    assert child.returncode == 130
    assert out == ""
    assert err.splitlines()[-1] == "metasegment: cancelled, nothing was written"
    assert not list(folder.iterdir())
