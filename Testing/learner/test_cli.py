"""The `metasegment` command as others call it: files, JSON, exit codes, and one clear line for every bad input."""

from __future__ import annotations

import contextlib
import json
import os
import resource
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk
import torch
from safetensors import safe_open
from safetensors.torch import save_file

from metasegment.annotation import BACKGROUND
from metasegment.cli import main
from metasegment.export import write_segmentation
from metasegment.image_file import read_metadata
from metasegment.learnt import save_learnt
from metasegment.network import RELEASED, WEIGHTS_FORMAT, load_network
from metasegment.strategies import all_meta_strategies, all_strategies
from metasegment.volume import Geometry, Volume, read_voxels, write_volume

NAMES = {1: "Leber, links", 2: "Zyste"}
COLORS = {1: (0.8, 0.4, 0.2), 2: (0.1, 0.5, 0.9)}
ANNOTATED = (14, 20, 26)
#: Seconds after which a child process counts as hung.
PATIENCE = 300


@dataclass(frozen=True)
class Study:
    """Files on one oblique anisotropic grid, and what is in them."""

    image: Path
    annotation: Path
    volume: Volume
    labels: np.ndarray


@pytest.fixture(scope="module")
def study(
    tmp_path_factory: pytest.TempPathFactory,
    scan_of: Callable[..., Volume],
    two_organs: np.ndarray,
    draw: Callable[..., np.ndarray],
) -> Study:
    folder = tmp_path_factory.mktemp("study")
    volume = scan_of(two_organs, spacing=(0.9, 0.9, 1.5), angles=(25, -15, 40))
    labels = draw(two_organs, *((0, k) for k in ANNOTATED))
    write_volume(volume, folder / "image.nrrd")
    names, colors = {**NAMES, BACKGROUND: "background"}, {**COLORS, BACKGROUND: (0.5, 0.5, 0.5)}
    write_segmentation(labels, volume.geometry, folder / "annotation.seg.nrrd", names, colors)
    return Study(folder / "image.nrrd", folder / "annotation.seg.nrrd", volume, labels)


def command(*arguments: object) -> list[str]:
    return [sys.executable, "-m", "metasegment", *map(str, arguments)]


@dataclass(frozen=True)
class Finished:
    """What one run of the command left."""

    code: int
    out: str
    err: str
    folder: Path


@pytest.fixture(scope="module")
def finished(study: Study, tmp_path_factory: pytest.TempPathFactory) -> Finished:
    """`metasegment segment` in a process of its own, with all its outputs."""
    folder = tmp_path_factory.mktemp("finished")
    outputs = ("--output", folder / "out.seg.nrrd", "--uncertainty", folder / "unsure.nii.gz", "--json")
    run = command("segment", study.image, study.annotation, *outputs, "--seconds", 1)
    done = subprocess.run(run, capture_output=True, text=True, timeout=PATIENCE, cwd=folder)
    return Finished(done.returncode, done.stdout, done.stderr, folder)


def test_success_is_exit_code_0_and_leaves_the_named_files_alone(finished: Finished) -> None:
    assert finished.code == 0, finished.err
    assert sorted(path.name for path in finished.folder.iterdir()) == ["out.seg.nrrd", "unsure.nii.gz"]


def test_progress_goes_to_standard_error(finished: Finished) -> None:
    stages = [line.split("% ")[1] for line in finished.err.splitlines()]
    assert stages == ["first answer", "adapting", "composing", "done"]


def test_the_label_map_is_on_the_grid_of_the_image_with_voxels_as_drawn(finished: Finished, study: Study) -> None:
    result = read_voxels(finished.folder / "out.seg.nrrd")
    assert study.volume.geometry.difference(result.geometry) is None
    assert result.array.dtype == np.uint8
    assert set(np.unique(result.array)) == {0, 1, 2}
    known = study.labels != 0
    drawn = np.where(study.labels == BACKGROUND, 0, study.labels)
    np.testing.assert_array_equal(result.array[known], drawn[known])


def test_the_organs_are_found(
    finished: Finished, two_organs: np.ndarray, dice: Callable[[np.ndarray, np.ndarray], float]
) -> None:
    result = read_voxels(finished.folder / "out.seg.nrrd").array
    assert dice(result == 1, two_organs == 1) > 0.85
    assert dice(result == 2, two_organs == 2) > 0.8


def test_a_seg_nrrd_keeps_the_names_and_colours_of_the_annotation(finished: Finished) -> None:
    keys = read_metadata(finished.folder / "out.seg.nrrd")
    assert [keys[f"Segment{n}_Name"] for n in (0, 1)] == list(NAMES.values())
    colors = [tuple(map(float, keys[f"Segment{n}_Color"].split())) for n in (0, 1)]
    np.testing.assert_allclose(colors, list(COLORS.values()), atol=0.005)
    assert "Segment2_ID" not in keys


def test_uncertainty_is_on_the_grid_of_the_image_between_0_and_1(finished: Finished, study: Study) -> None:
    unsure = read_voxels(finished.folder / "unsure.nii.gz")
    assert study.volume.geometry.difference(unsure.geometry) is None
    assert unsure.array.min() == 0
    assert 0.5 < unsure.array.max() <= 1
    assert not unsure.array[study.labels != 0].any()


def test_json_is_one_object_with_the_keys_of_the_contract(finished: Finished, study: Study) -> None:
    report = json.loads(finished.out)
    assert set(report) == {
        "output",
        "structures",
        "next_slice",
        "seconds",
        "device",
        "peak_memory_mb",
        "notes",
        "familiarity",
    }
    assert report["familiarity"] is None  # no task was used
    assert report["output"] == str(finished.folder / "out.seg.nrrd")
    assert report["device"] in ("cpu", "cuda")
    assert set(report["seconds"]) == {"first answer", "adapting", "composing"}
    assert report["peak_memory_mb"] > 100
    result = read_voxels(finished.folder / "out.seg.nrrd").array
    for structure, (label, name) in zip(report["structures"], NAMES.items(), strict=True):
        assert set(structure) == {"label", "name", "voxels", "volume_ml", "estimated_dice", "strategy"}
        assert (structure["label"], structure["name"]) == (label, name)
        assert structure["voxels"] == np.count_nonzero(result == label)
        assert structure["volume_ml"] == pytest.approx(structure["voxels"] * 0.9 * 0.9 * 1.5 / 1000)
        assert 0 <= structure["estimated_dice"] <= 1


def test_json_suggests_a_next_slice_that_is_not_annotated(finished: Finished, study: Study) -> None:
    suggestion = json.loads(finished.out)["next_slice"]
    assert set(suggestion) == {"axis", "index", "plane", "gap_mm", "why"}
    assert 0 <= suggestion["index"] < study.volume.array.shape["kji".index(suggestion["axis"])]
    assert (suggestion["axis"], suggestion["index"]) not in [("k", k) for k in ANNOTATED]


@pytest.fixture(autouse=True)
def ctrl_c_works_after_a_command() -> Iterator[None]:
    """A command in this process takes over the signals and would keep them."""
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


@pytest.fixture(scope="module")
def weights_with_all(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The released weights beside the meta-parameters from which the meta-training of every strategy starts."""
    path = tmp_path_factory.mktemp("weights") / RELEASED.name
    shutil.copy(RELEASED, path)
    network = load_network(path)
    for name, strategy in all_meta_strategies().items():
        save_learnt(path, name, strategy.initial(network), {})
    return path


@pytest.mark.parametrize("strategy", sorted(all_strategies()))
def test_a_strategy_can_be_named(
    study: Study, weights_with_all: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], strategy: str
) -> None:
    out = tmp_path / "out.nii.gz"
    options = ["--output", out, "--strategy", strategy, "--seconds", 1, "--json", "--weights", weights_with_all]
    assert main([*map(str, ["segment", study.image, study.annotation, *options])]) == 0
    report = json.loads(capsys.readouterr().out)
    assert [structure["strategy"] for structure in report["structures"]] == [strategy] * 2
    assert study.volume.geometry.difference(read_voxels(out).geometry) is None


def test_without_json_a_table_is_for_people(study: Study, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "out.mha"
    assert main(["segment", str(study.image), str(study.annotation), "--output", str(out), "--seconds", "0"]) == 0
    printed = capsys.readouterr().out
    assert all(name in printed for name in NAMES.values())
    assert "next slice: " in printed
    assert out.exists()


def test_suggest_names_a_slice_and_writes_nothing(
    study: Study, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(["suggest", str(study.image), str(study.annotation), "--json"]) == 0
    suggestion = json.loads(capsys.readouterr().out)["next_slice"]
    assert suggestion["plane"] in ("axial", "coronal", "sagittal")
    assert not list(tmp_path.iterdir())


# What is refused


@pytest.fixture
def refused(study: Study, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> Callable[..., str]:
    """Runs a command that must end with code 2, one line on standard error, and nothing written; returns the line."""

    def run(image: Path = study.image, annotation: Path = study.annotation, more: Sequence[object] = ()) -> str:
        folder = tmp_path / "results"
        folder.mkdir()
        code = main(list(map(str, ["segment", image, annotation, "--output", folder / "out.nrrd", *more])))
        printed = capfd.readouterr()
        assert code == 2
        assert printed.out == ""
        (line,) = printed.err.splitlines()
        assert line.startswith("metasegment: ")
        assert not list(folder.iterdir())
        return line

    return run


@pytest.fixture
def saved_image(study: Study, tmp_path: Path) -> Callable[[np.ndarray], Path]:
    """Writes voxels as an image on the study's grid."""

    def save(array: np.ndarray) -> Path:
        write_volume(replace(study.volume, array=array), tmp_path / "bad.nrrd")
        return tmp_path / "bad.nrrd"

    return save


@pytest.fixture
def saved_labels(study: Study, tmp_path: Path) -> Callable[..., Path]:
    """Writes labels as an annotation on the study's grid, or on another."""

    def save(labels: np.ndarray, geometry: Geometry = study.volume.geometry) -> Path:
        write_volume(Volume(labels, geometry), tmp_path / "bad_annotation.nrrd")
        return tmp_path / "bad_annotation.nrrd"

    return save


def test_an_annotation_without_a_label_is_refused(
    refused: Callable[..., str], saved_labels: Callable[..., Path], study: Study
) -> None:
    assert "nothing is annotated" in refused(annotation=saved_labels(np.zeros_like(study.labels)))


def test_an_annotation_without_a_full_slice_is_refused(
    refused: Callable[..., str], saved_labels: Callable[..., Path], study: Study
) -> None:
    labels = study.labels.copy()
    labels[:, 30:] = 0
    line = refused(annotation=saved_labels(labels))
    assert "no slice is fully annotated" in line
    assert "still unknown" in line


def test_a_structure_without_a_voxel_is_refused_by_name(
    refused: Callable[..., str], study: Study, tmp_path: Path
) -> None:
    path = tmp_path / "annotation.seg.nrrd"
    names = {**NAMES, 3: "Milz", BACKGROUND: "background"}
    write_segmentation(study.labels, study.volume.geometry, path, names)
    assert "structure 'Milz' (label 3) has no voxel" in refused(annotation=path)


def test_background_alone_is_refused(
    refused: Callable[..., str], saved_labels: Callable[..., Path], study: Study
) -> None:
    labels = np.where(study.labels, BACKGROUND, 0).astype(np.uint8)
    assert "draw each structure on at least one slice" in refused(annotation=saved_labels(labels))


@pytest.mark.parametrize(
    ("changed", "how"),
    [
        ({"origin": (5.0, 0.0, 0.0)}, "origin (5, 0, 0) instead of (0, 0, 0), 5 mm away"),
        ({"spacing": (0.9, 0.9, 3.0)}, "spacing 0.9 x 0.9 x 3 mm instead of 0.9 x 0.9 x 1.5 mm"),
        ({"direction": (1, 0, 0, 0, 1, 0, 0, 0, 1)}, "directions (1, 0, 0, 0, 1, 0, 0, 0, 1) instead of"),
    ],
)
def test_another_grid_is_refused_and_the_difference_told(
    refused: Callable[..., str], saved_labels: Callable[..., Path], study: Study, changed: dict[str, tuple], how: str
) -> None:
    line = refused(annotation=saved_labels(study.labels, replace(study.volume.geometry, **changed)))
    assert "is not on the image's grid" in line
    assert how in line


def test_an_annotation_of_another_size_is_refused(
    refused: Callable[..., str], saved_labels: Callable[..., Path], study: Study
) -> None:
    smaller = replace(study.volume.geometry, size=(56, 56, 39))
    line = refused(annotation=saved_labels(study.labels[:39], smaller))
    assert "size 56 x 56 x 39 instead of 56 x 56 x 40" in line


@pytest.mark.parametrize(("value", "dtype"), [(300, np.int16), (-1, np.int16), (1.5, np.float32), (np.nan, np.float32)])
def test_labels_out_of_range_are_refused(
    refused: Callable[..., str], saved_labels: Callable[..., Path], study: Study, value: float, dtype: type
) -> None:
    labels: np.ndarray = study.labels.astype(dtype)
    labels[20, 26, 22] = value
    assert "labels out of range" in refused(annotation=saved_labels(labels))


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_voxels_that_are_not_finite_are_refused(
    refused: Callable[..., str], saved_image: Callable[[np.ndarray], Path], study: Study, bad: float
) -> None:
    array = study.volume.array.astype(np.float32)
    array[3, 4, 5] = bad
    assert "1 of 125,440 voxels that are NaN or infinite" in refused(saved_image(array))


def test_a_constant_image_is_refused(
    refused: Callable[..., str], saved_image: Callable[[np.ndarray], Path], study: Study
) -> None:
    assert "is constant" in refused(saved_image(np.full_like(study.volume.array, -1024)))


def as_4d(scan: sitk.Image) -> sitk.Image:
    return sitk.JoinSeries([scan, scan])


def as_colour(scan: sitk.Image) -> sitk.Image:
    return sitk.Compose([sitk.Cast(scan, sitk.sitkUInt8)] * 3)


@pytest.mark.parametrize(
    ("made", "message"),
    [
        (as_4d, "is a 4D image (30 x 20 x 6 x 2); only 3D volumes"),
        (as_colour, "is a colour or vector image (3 values per voxel); only 3D volumes"),
        (lambda scan: scan[:, :, 2], "is a 2D image (30 x 20); only 3D volumes"),
        (lambda scan: scan[:, :, 2:3], "is one voxel thick (30 x 20 x 1)"),
    ],
)
def test_what_is_no_scalar_3d_volume_is_refused(
    refused: Callable[..., str],
    a_scan: sitk.Image,
    tmp_path: Path,
    made: Callable[[sitk.Image], sitk.Image],
    message: str,
) -> None:
    sitk.WriteImage(made(a_scan), str(tmp_path / "bad.nrrd"))
    assert message in refused(tmp_path / "bad.nrrd")


@pytest.mark.parametrize("role", ["image", "annotation"])
@pytest.mark.parametrize(("kept", "message"), [(0, "is empty"), (0.6, "damaged"), (0.01, "damaged")])
def test_an_empty_or_truncated_file_is_refused(
    refused: Callable[..., str], study: Study, tmp_path: Path, role: str, kept: float, message: str
) -> None:
    path = Path(shutil.copy(getattr(study, role), tmp_path))
    os.truncate(path, int(kept * path.stat().st_size))
    line = refused(**{role: path})
    assert message in line
    assert str(path) in line


@pytest.mark.parametrize("role", ["image", "annotation"])
def test_an_absent_file_is_refused(refused: Callable[..., str], tmp_path: Path, role: str) -> None:
    assert f"{tmp_path / 'nothing.nrrd'} does not exist" in refused(**{role: tmp_path / "nothing.nrrd"})


def test_an_image_larger_than_the_memory_is_refused_by_its_header(refused: Callable[..., str], tmp_path: Path) -> None:
    path = tmp_path / "huge.nrrd"
    path.write_text("NRRD0004\ntype: short\ndimension: 3\nsizes: 30000 30000 30000\nendian: little\nencoding: raw\n\n")
    assert "crop or downsample it first" in refused(path)


def dicom_series(folder: Path, uid: str, positions: Sequence[float]) -> None:
    """CT slices of noise at the given z positions in mm."""
    writer = sitk.ImageFileWriter()
    writer.KeepOriginalImageUIDOn()
    noise = np.random.default_rng(0).integers(0, 1000, (len(positions), 24, 32)).astype(np.int16)
    for number, (z, voxels) in enumerate(zip(positions, noise, strict=True)):
        image = sitk.GetImageFromArray(voxels[None])
        tags = {
            "0008|0016": "1.2.840.10008.5.1.4.1.1.2",
            "0008|0018": f"{uid}.{number + 1}",
            "0008|0060": "CT",
            "0008|103e": f"series {uid}",
            "0020|000d": "1.2.3",
            "0020|000e": uid,
            "0020|0013": str(number + 1),
            "0020|0032": f"0\\0\\{z}",
            "0020|0037": "1\\0\\0\\0\\1\\0",
        }
        for key, value in tags.items():
            image.SetMetaData(key, value)
        writer.SetFileName(str(folder / f"{uid}-{number}.dcm"))
        writer.Execute(image)


def test_a_folder_with_several_series_is_refused_and_they_are_listed(
    refused: Callable[..., str], tmp_path: Path
) -> None:
    dicom_series(tmp_path, "1.2.3.4", [0, 2, 4, 6])
    dicom_series(tmp_path, "1.2.3.5", [0, 3, 6])
    line = refused(tmp_path)
    assert "holds 2 DICOM series" in line
    assert "'series 1.2.3.4' (CT, 4 slices)" in line
    assert "'series 1.2.3.5' (CT, 3 slices)" in line


def test_a_series_with_missing_slices_is_refused_and_the_gap_placed(
    refused: Callable[..., str], tmp_path: Path
) -> None:
    dicom_series(tmp_path, "1.2.3.4", [0, 2, 4, 8, 10])
    assert "slices are missing: 4.00 mm between 1.2.3.4-2.dcm and 1.2.3.4-3.dcm" in refused(tmp_path)


def test_a_folder_without_dicom_is_refused(refused: Callable[..., str], tmp_path: Path) -> None:
    assert "holds no DICOM image series" in refused(tmp_path)


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


def test_three_slices_of_a_real_left_atrium_give_the_rest(data_folder: Path, tmp_path: Path) -> None:
    case = data_folder / "validation" / "la2018_left_atrium" / "5BHTH9RHH3"
    truth = sitk.ReadImage(str(case / "labels.nii.gz"))
    atrium = sitk.GetArrayFromImage(truth) == 1
    filled = np.flatnonzero(atrium.any(axis=(1, 2)))
    annotation = np.zeros(atrium.shape, np.uint8)
    for share in (0.12, 0.5, 0.88):
        k = filled[round(share * (len(filled) - 1))]
        annotation[k] = np.where(atrium[k], 1, BACKGROUND)
    drawn = sitk.GetImageFromArray(annotation)
    drawn.CopyInformation(truth)
    sitk.WriteImage(drawn, str(tmp_path / "annotation.nrrd"))

    arguments = ["segment", case / "image.nii.gz", tmp_path / "annotation.nrrd", "--output", tmp_path / "out.nii.gz"]
    assert main(list(map(str, arguments))) == 0

    found = sitk.ReadImage(str(tmp_path / "out.nii.gz"))
    assert found.GetDirection() == pytest.approx(truth.GetDirection())
    assert found.GetOrigin() == pytest.approx(truth.GetOrigin())
    unknown = annotation == 0
    a, b = (sitk.GetArrayFromImage(found) == 1)[unknown], atrium[unknown]
    assert 2 * (a & b).sum() / (a.sum() + b.sum()) > 0.75
