"""`metasegment segment` and `suggest` as others call them: files, JSON, a table, and the exit code of success."""

from __future__ import annotations

import json
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk
from helpers.study_files import ANNOTATED, COLORS, NAMES, PATIENCE, Study, command

from metasegment.annotation import BACKGROUND
from metasegment.cli import main
from metasegment.io.image_file import read_metadata
from metasegment.io.volume_file import read_voxels, write_volume
from metasegment.measures.dice import dice
from metasegment.network.meta_parameters import save_learnt
from metasegment.network.unet import RELEASED, load_network
from metasegment.strategies import all_meta_strategies, all_strategies
from metasegment.volume import Volume

pytestmark = pytest.mark.usefixtures("ctrl_c_works_after_a_command")


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


def test_the_organs_are_found(finished: Finished, two_organs: np.ndarray) -> None:
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
        assert set(structure) == {"label", "name", "voxels", "volume_ml", "estimated_dice", "strategy", "remarks"}
        assert (structure["label"], structure["name"]) == (label, name)
        assert structure["voxels"] == np.count_nonzero(result == label)
        assert structure["volume_ml"] == pytest.approx(structure["voxels"] * 0.9 * 0.9 * 1.5 / 1000)
        assert 0 <= structure["estimated_dice"] <= 1


def test_json_suggests_a_next_slice_that_is_not_annotated(finished: Finished, study: Study) -> None:
    suggestion = json.loads(finished.out)["next_slice"]
    assert set(suggestion) == {"axis", "index", "plane", "gap_mm", "why"}
    assert 0 <= suggestion["index"] < study.volume.array.shape["kji".index(suggestion["axis"])]
    assert (suggestion["axis"], suggestion["index"]) not in [("k", k) for k in ANNOTATED]


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


def test_json_says_what_the_readers_filled_in(study: Study, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    array = study.volume.array.astype(np.float32)
    array[0, 0, 0] = np.nan
    write_volume(Volume(array, study.volume.geometry), tmp_path / "image.nrrd")
    assert main(["suggest", str(tmp_path / "image.nrrd"), str(study.annotation), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["notes"][0].startswith("1 of ")
    arguments = ["segment", tmp_path / "image.nrrd", study.annotation, "--output", tmp_path / "out.nrrd"]
    assert main([*map(str, arguments), "--seconds", "0", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["notes"][0].startswith("1 of ")
