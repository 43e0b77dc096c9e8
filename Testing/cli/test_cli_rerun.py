"""A run and its manifest: repeated by `metasegment rerun`, which says whether the result is the same."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from helpers.study_files import Study

from metasegment.cli import main, rerun
from metasegment.io.volume_file import read_voxels
from metasegment.manifest import checksum_of_labels, checksum_of_path

pytestmark = pytest.mark.usefixtures("ctrl_c_works_after_a_command")


@pytest.fixture(scope="module")
def a_run(study: Study, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a segmentation made with relative paths, with manifest.json and all other outputs."""
    folder = tmp_path_factory.mktemp("run")
    image, drawn = (Path(shutil.copy(path, folder)).name for path in (study.image, study.annotation))
    outputs = ["--output", "out.nrrd", "--uncertainty", "unsure.nrrd", "--manifest", "manifest.json"]
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        assert main(["segment", image, drawn, "--seconds", "0", "--device", "cpu", *outputs]) == 0
    return folder


def test_a_manifest_tells_what_the_run_was_made_of(a_run: Path) -> None:
    manifest = json.loads((a_run / "manifest.json").read_text())
    assert len(manifest["inputs"]) == 2
    assert manifest["inputs"] == {p.name: checksum_of_path(p) for p in map(a_run.joinpath, manifest["inputs"])}
    assert manifest["versions"]["torch"].startswith("2.")
    assert len(manifest["weights"]["sha256"]) == 64
    assert manifest["parameters"]["seed"] == 0
    labels = read_voxels(a_run / "out.nrrd").array
    assert manifest["result"]["labels"] == checksum_of_labels(labels)
    assert sum(manifest["result"]["voxels"].values()) == np.count_nonzero(labels)
    assert manifest["seconds"]


def test_a_repeated_run_gives_the_same_and_tells_which_versions_changed(
    a_run: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    before = {path.name: path.stat().st_mtime_ns for path in a_run.iterdir()}
    manifest = json.loads((a_run / "manifest.json").read_text())
    manifest["versions"]["monai"] = "0.1"
    older = a_run.parent / "older.json"
    older.write_text(json.dumps(manifest))
    assert main(["rerun", str(older)]) == 0
    said = capfd.readouterr()
    assert said.out == "the result is the same, voxel by voxel\n"
    assert "metasegment: monai was 0.1 and is 1." in said.err
    assert {path.name: path.stat().st_mtime_ns for path in a_run.iterdir()} == before


def test_another_result_is_told(
    a_run: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def repeated(manifest: dict) -> dict:
        return {**manifest, "result": {**manifest["result"], "labels": "0" * 64}, "device": "another"}

    monkeypatch.setattr(rerun, "_repeated", repeated)
    assert main(["rerun", str(a_run / "manifest.json"), "--json"]) == 0
    said = json.loads(capsys.readouterr().out)
    assert said["same"] is False
    assert said["notes"] == ["it was computed on cpu, and now on another"]


@pytest.mark.parametrize(
    ("change", "sentence"),
    [("write", "has changed since"), ("unlink", "is not there any more")],
    ids=["changed", "gone"],
)
def test_what_has_changed_is_not_repeated(
    a_run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], change: str, sentence: str
) -> None:
    folder = shutil.copytree(a_run, tmp_path / "copy")
    manifest = {**json.loads((folder / "manifest.json").read_text()), "folder": str(folder)}
    (folder / "manifest.json").write_text(json.dumps(manifest))
    image = folder / next(iter(manifest["inputs"]))
    if change == "write":
        image.write_bytes(image.read_bytes() + b"\0")
    else:
        image.unlink()
    assert main(["rerun", str(folder / "manifest.json")]) == 2
    assert f"{image} {sentence}" in capsys.readouterr().err


@pytest.mark.parametrize("text", [None, "{", "[]", '{"arguments": []}'])
def test_what_is_no_manifest_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str], text: str | None) -> None:
    path = tmp_path / "some.json"
    if text is not None:
        path.write_text(text)
    assert main(["rerun", str(path)]) == 2
    assert len(capsys.readouterr().err.splitlines()) == 1


def test_a_manifest_that_would_replace_an_input_is_refused(study: Study, tmp_path: Path) -> None:
    words = ["segment", str(study.image), str(study.annotation), "--output", str(tmp_path / "out.nrrd")]
    assert main([*words, "--manifest", str(study.image)]) == 2


def test_a_folders_checksum_changes_with_names_and_contents(tmp_path: Path) -> None:
    (tmp_path / "a").write_text("1")
    first = checksum_of_path(tmp_path)
    (tmp_path / "a").rename(tmp_path / "b")
    second = checksum_of_path(tmp_path)
    (tmp_path / "b").write_text("2")
    assert len({first, second, checksum_of_path(tmp_path)}) == 3
