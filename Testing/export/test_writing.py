"""Writing all or nothing: whatever goes wrong, no half-written file is seen and an old one stays."""

from __future__ import annotations

import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from metasegment.errors import InputError
from metasegment.io.files import written_beside
from metasegment.io.volume_file import write_volume
from metasegment.volume import Volume

FORMATS = (".nrrd", ".nii", ".nii.gz", ".mha")


@pytest.mark.parametrize("suffix", [".mhd", ".png", ".vtk", ""])
def test_an_unknown_file_type_is_not_written(tmp_path: Path, textured_volume: Volume, suffix: str) -> None:
    with pytest.raises(InputError, match="unknown file type"):
        write_volume(textured_volume, tmp_path / f"out{suffix}")
    assert not list(tmp_path.iterdir())


def test_an_absent_output_folder_is_named(tmp_path: Path, textured_volume: Volume) -> None:
    with pytest.raises(InputError, match=r"folder .*absent does not exist"):
        write_volume(textured_volume, tmp_path / "absent" / "out.nrrd")


def test_an_output_that_is_a_folder_is_refused(tmp_path: Path, textured_volume: Volume) -> None:
    (tmp_path / "out.nrrd").mkdir()
    with pytest.raises(InputError, match="it is a folder"):
        write_volume(textured_volume, tmp_path / "out.nrrd")


def run_alone(script: str, path: Path) -> str:
    """Run a script in a process of its own, whose limits and user it may change; returns what it prints."""
    done = subprocess.run([sys.executable, "-c", script, str(path)], capture_output=True, text=True, check=True)
    return done.stdout


A_NOISY_VOLUME = """
import resource, os, signal, sys
import numpy as np
from metasegment.errors import InputError
from metasegment.io.volume_file import write_volume
from metasegment.volume import Geometry, Volume
noise = np.random.default_rng(0).integers(-1000, 1000, (20, 64, 64)).astype(np.int16)
volume = Volume(noise, Geometry((64, 64, 20), (1, 1, 1), (0, 0, 0), (1, 0, 0, 0, 1, 0, 0, 0, 1)))
def report():
    try:
        write_volume(volume, sys.argv[1])
    except InputError as error:
        print(error)
"""
WITH_20_KILOBYTES_LEFT = """
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)  # a write beyond the limit fails instead of ending the process
resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, 20_000))
report()
"""
AS_AN_ORDINARY_USER = """
import SimpleITK
if os.geteuid() == 0:
    os.seteuid(65534)  # root may write anywhere
report()
"""


@pytest.mark.parametrize("suffix", FORMATS)
def test_a_full_disk_leaves_the_old_file_and_nothing_else(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"out{suffix}"
    path.write_text("the previous result")
    message = run_alone(A_NOISY_VOLUME + WITH_20_KILOBYTES_LEFT, path)
    assert message.startswith(f"cannot write {path}")
    assert "disk" in message
    assert message.count("\n") == 1
    assert path.read_text() == "the previous result"
    assert [file.name for file in tmp_path.iterdir()] == [path.name]


def test_an_unwritable_folder_is_named() -> None:
    with tempfile.TemporaryDirectory() as folder:  # tmp_path lies in folders that other users cannot enter
        Path(folder).chmod(0o555)
        message = run_alone(A_NOISY_VOLUME + AS_AN_ORDINARY_USER, Path(folder) / "out.nrrd")
        assert f"no permission to write in {folder}" in message


def test_a_block_that_fails_leaves_no_draft(tmp_path: Path) -> None:
    with pytest.raises(ZeroDivisionError), written_beside(tmp_path / "out.txt") as draft:
        draft.write_text("half")
        raise ZeroDivisionError
    assert not list(tmp_path.iterdir())


def test_the_draft_is_not_visible_under_its_name_before_it_is_complete(tmp_path: Path) -> None:
    with written_beside(tmp_path / "out.txt") as draft:
        draft.write_text("whole")
        assert not (tmp_path / "out.txt").exists()
    assert (tmp_path / "out.txt").read_text() == "whole"
