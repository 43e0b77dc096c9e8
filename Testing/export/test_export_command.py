"""`metasegment export`: the file's name says the format, inputs are put on the image's grid or refused."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from helpers.grids import geometry_with
from hypothesis import given, settings
from hypothesis import strategies as st

from metasegment.cli import main
from metasegment.errors import InputError
from metasegment.export import read_structures, write_segmentation
from metasegment.io.volume_file import read_voxels, write_volume
from metasegment.regrid import moved_to_grid
from metasegment.volume import Geometry, Volume

WHOLE = Geometry((7, 6, 5), (0.7, 0.9, 3.0), (10.0, -20.0, 30.0), (0.8, -0.6, 0.0, 0.6, 0.8, 0.0, 0.0, 0.0, 1.0))


@pytest.fixture
def a_segmentation(tmp_path: Path) -> Path:
    geometry = geometry_with(spacing=(0.8, 0.9, 2.0))
    labels = np.zeros(geometry.shape, np.uint8)
    labels[2:5, 3:6, 4:8] = 1
    labels[5:8, 3:6, 4:8] = 3
    write_segmentation(labels, geometry, tmp_path / "drawn.seg.nrrd", {1: "Leber: größter Teil", 3: "liver"})
    return tmp_path / "drawn.seg.nrrd"


def _run(*arguments: object) -> int:
    return main(["export", *map(str, arguments)])


@pytest.mark.parametrize("name", ["out.nii.gz", "out.nrrd", "out.mha", "out.seg.nrrd"])
def test_label_maps_have_the_same_voxels(a_segmentation: Path, tmp_path: Path, name: str) -> None:
    assert _run(a_segmentation, "--to", tmp_path / name) == 0
    wanted, found = read_structures(a_segmentation), read_structures(tmp_path / name)
    np.testing.assert_array_equal(found.labels, wanted.labels)
    assert wanted.geometry.difference(found.geometry) is None
    if name.endswith(".seg.nrrd"):
        assert found.segments == wanted.segments


def test_the_files_written_are_printed(
    a_segmentation: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert _run(a_segmentation, "--to", tmp_path / "print.stl") == 0
    files = capsys.readouterr().out.splitlines()
    assert [Path(file).name for file in files] == ["print_Leber_größter_Teil.stl", "print_liver.stl"]
    assert all(Path(file).stat().st_size > 1000 for file in files)


def test_the_background_of_an_annotation_is_no_structure(a_segmentation: Path, tmp_path: Path) -> None:
    structures = read_structures(a_segmentation)
    labels = structures.labels.copy()
    labels[0], labels[1] = 7, 255
    write_segmentation(labels, structures.geometry, tmp_path / "a.seg.nrrd", {1: "Liver", 7: "Background"})
    found = read_structures(tmp_path / "a.seg.nrrd")
    np.testing.assert_array_equal(found.labels, structures.labels)
    assert [segment.label for segment in found.segments] == [1, 3]


def test_structures_of_the_same_name_have_files_of_their_own(
    a_segmentation: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    structures = read_structures(a_segmentation)
    names = {1: "../LIVER", 3: "liver"}
    write_segmentation(structures.labels, structures.geometry, tmp_path / "same.seg.nrrd", names)
    assert _run(tmp_path / "same.seg.nrrd", "--to", tmp_path / "x.ply") == 0
    assert sorted(file.name for file in tmp_path.glob("*.ply")) == ["x_LIVER_1.ply", "x_liver_3.ply"]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("--to", "out.xyz"), "unknown file type; use one of"),
        (("--to", "absent/out.nrrd"), "does not exist"),
        (("--to", "drawn.seg.nrrd"), "it is an input"),
        (("--to", "out.dcm"), "--reference"),
        (("--to", "out.nrrd", "--reference", "other.nii.gz"), "its voxels are not the image's"),
    ],
)
def test_what_cannot_be_exported_is_one_line_and_leaves_nothing(
    a_segmentation: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    arguments: tuple[str, ...],
    words: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    noise = np.random.default_rng(0).normal(0, 1, (9, 11, 13)).astype(np.float32)
    write_volume(Volume(noise, replace(WHOLE, size=(13, 11, 9))), "other.nii.gz")
    before = {file: file.read_bytes() for file in tmp_path.iterdir()}
    assert _run("drawn.seg.nrrd", *arguments) == 2
    message = capsys.readouterr().err
    assert words in message
    assert message.count("\n") == 1
    assert {file: file.read_bytes() for file in tmp_path.iterdir()} == before


def test_without_the_extra_it_says_what_to_install(a_segmentation: Path, tmp_path: Path) -> None:
    script = (
        "import importlib.util, sys\n"
        "real = importlib.util.find_spec\n"
        "importlib.util.find_spec = lambda name, *rest: None if name == 'highdicom' else real(name, *rest)\n"
        "from metasegment.cli import main\n"
        f"sys.exit(main(['export', {str(tmp_path / 'a.dcm')!r}, '--to', {str(tmp_path / 'b.nrrd')!r}]))\n"
    )
    (tmp_path / "a.dcm").write_bytes(bytes(128) + b"DICM")
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert done.returncode == 2
    assert "needs highdicom: pip install 'metasegment[dicom]'" in done.stderr


def test_export_needs_no_torch(a_segmentation: Path, tmp_path: Path) -> None:
    script = (
        "import sys\n"
        "sys.modules['torch'] = sys.modules['monai'] = None\n"
        "from metasegment.cli import main\n"
        f"sys.exit(main(['export', {str(a_segmentation)!r}, '--to', {str(tmp_path / 'b.nii.gz')!r}]))\n"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert read_voxels(tmp_path / "b.nii.gz").array.any()


@given(
    order=st.permutations(range(3)),
    flips=st.tuples(*[st.booleans()] * 3),
    window=st.tuples(*[st.tuples(st.integers(0, 2), st.integers(1, 3))] * 3),
    seed=st.integers(0, 99),
)
@settings(max_examples=100, deadline=None)
def test_labels_on_reordered_flipped_and_cropped_axes_find_their_voxels(
    order: list[int], flips: tuple[bool, ...], window: tuple[tuple[int, int], ...], seed: int
) -> None:
    labels = np.zeros(WHOLE.shape, np.uint8)
    inside = tuple(slice(first, first + length) for first, length in window)
    labels[inside] = np.random.default_rng(seed).integers(0, 4, [length for _, length in window])
    moved, geometry = _rearranged(labels[inside], [first for first, _ in window], order, flips)
    np.testing.assert_array_equal(moved_to_grid(moved, geometry, WHOLE), labels)


def _rearranged(
    part: np.ndarray, first: list[int], order: list[int], flips: tuple[bool, ...]
) -> tuple[np.ndarray, Geometry]:
    """The part of a volume that begins at `first` (k, j, i), with its axes in another order and some reversed."""
    starts = [f + (n - 1 if flip else 0) for f, n, flip in zip(first, part.shape, flips, strict=True)]
    origin = WHOLE.index_to_world @ [*starts[::-1], 1]
    axes = (WHOLE.index_to_world[:3, :3])[:, ::-1] * np.where(flips, -1, 1)
    moved = np.flip(part, tuple(np.flatnonzero(flips))).transpose(order)
    columns = axes[:, order][:, ::-1]
    spacing = np.linalg.norm(columns, axis=0)
    k, j, i = moved.shape
    direction = tuple((columns / spacing).ravel().tolist())
    return moved, Geometry((i, j, k), tuple(spacing.tolist()), tuple(origin[:3].tolist()), direction)


def test_labels_beyond_the_image_are_refused() -> None:
    labels = np.ones(WHOLE.shape, np.uint8)
    with pytest.raises(InputError, match="reaches beyond the image"):
        moved_to_grid(labels, WHOLE, replace(WHOLE, size=(7, 6, 4)))


@pytest.mark.parametrize(
    "change",
    [
        {"spacing": (0.7, 0.9, 3.1)},
        {"origin": (10.0, -20.0, 31.0)},
        {"direction": (1.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 1.0)},
    ],
    ids=["spacing", "half a voxel", "turned"],
)
def test_other_voxels_are_refused(change: dict[str, tuple]) -> None:
    with pytest.raises(InputError, match=r"its voxels are not the image's: .*; resample it to the image"):
        moved_to_grid(np.zeros(WHOLE.shape, np.uint8), replace(WHOLE, **change), WHOLE)
