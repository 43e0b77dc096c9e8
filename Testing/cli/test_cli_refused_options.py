"""`metasegment segment` refuses strategies, devices, weights and outputs that are no good, in one clear line."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from helpers.study_files import Study
from safetensors import safe_open
from safetensors.torch import save_file

from metasegment.network.unet import RELEASED, WEIGHTS_FORMAT
from metasegment.strategies import all_strategies


def test_an_unknown_strategy_is_refused_with_the_known_ones(refused: Callable[..., str]) -> None:
    line = refused(more=["--strategy", "magic"])
    assert "no strategy 'magic'" in line
    assert all(name in line for name in all_strategies())


def test_a_strategy_that_was_not_meta_trained_with_the_weights_is_refused(
    refused: Callable[..., str], tmp_path: Path
) -> None:
    alone = tmp_path / "alone.safetensors"
    shutil.copy(RELEASED, alone)
    line = refused(more=["--strategy", "maml", "--weights", str(alone)])
    assert "strategy maml was not meta-trained with these weights" in line


@pytest.mark.parametrize(
    ("device", "message"),
    [
        pytest.param(
            "cuda", "no GPU for --device cuda", marks=pytest.mark.skipif(torch.cuda.is_available(), reason="has a GPU")
        ),
        ("cuda:99", "no GPU for --device cuda:99"),
        ("abacus", "unknown device 'abacus'"),
    ],
)
def test_a_device_that_is_not_there_is_refused(refused: Callable[..., str], device: str, message: str) -> None:
    assert message in refused(more=["--device", device])


def test_damaged_weights_are_refused(refused: Callable[..., str], tmp_path: Path) -> None:
    path = Path(shutil.copy(RELEASED, tmp_path / "weights.safetensors"))
    with path.open("r+b") as file:
        file.seek(-1000, os.SEEK_END)  # the tensors come last
        byte = file.read(1)[0]
        file.seek(-1, os.SEEK_CUR)
        file.write(bytes([byte ^ 1]))
    line = refused(more=["--weights", path])
    assert f"weights {path} are damaged (checksum differs)" in line


def test_truncated_weights_are_refused(refused: Callable[..., str], tmp_path: Path) -> None:
    path = Path(shutil.copy(RELEASED, tmp_path / "weights.safetensors"))
    os.truncate(path, path.stat().st_size - 1000)
    assert f"weights {path} are damaged" in refused(more=["--weights", path])


@pytest.mark.parametrize("changed", [{"format": "metasegment-weights-0"}, {"channels": "image"}, {"size": "XXL"}])
def test_weights_of_another_version_are_refused(
    refused: Callable[..., str], tmp_path: Path, changed: dict[str, str]
) -> None:
    path = tmp_path / "weights.safetensors"
    with safe_open(RELEASED, framework="pt") as file:
        tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
        save_file(tensors, path, {**file.metadata(), **changed})
    line = refused(more=["--weights", path])
    assert "are of another version" in line
    assert f"reads {WEIGHTS_FORMAT}" in line


def test_absent_weights_are_refused(refused: Callable[..., str], tmp_path: Path) -> None:
    assert "no weights at" in refused(more=["--weights", tmp_path / "nothing.safetensors"])


@pytest.mark.parametrize("option", ["--output", "--uncertainty"])
@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("absent/out.nrrd", "absent does not exist; create it first"),
        ("out.stl", "unknown file type; use one of .nii.gz"),
    ],
)
def test_an_output_that_cannot_be_written_is_refused(
    refused: Callable[..., str], tmp_path: Path, option: str, name: str, message: str
) -> None:
    line = refused(more=[option, tmp_path / name])
    assert f"cannot write {tmp_path / name}" in line
    assert message in line
    assert not (tmp_path / name).exists()


def test_an_output_that_would_replace_an_input_is_refused(study: Study, refused: Callable[..., str]) -> None:
    before = study.annotation.read_bytes()
    line = refused(more=["--output", study.annotation])
    assert "it is an input; give another file name" in line
    assert study.annotation.read_bytes() == before
