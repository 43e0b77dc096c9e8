"""`metasegment find` as others call it, with files."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from metasegment.cli import main
from metasegment.demo.lesions import lesion_phantom
from metasegment.io.volume_file import read_voxels, write_volume
from metasegment.volume import Volume


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An image with four lesions, one of them drawn."""
    place = tmp_path_factory.mktemp("lesions")
    phantom = lesion_phantom(5, 4, (32, 80, 80))
    drawn = (phantom.lesions == 1).astype(np.uint8)
    write_volume(phantom.volume, place / "image.nrrd")
    write_volume(Volume(drawn, phantom.volume.geometry), place / "drawn.nrrd")
    return place


def test_find_writes_a_number_for_each_object_and_tells_of_each(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    output = folder / "found.nrrd"
    arguments = [folder / "image.nrrd", folder / "drawn.nrrd", "--output", output, "--json", "--device", "cpu"]
    assert main(["find", *map(str, arguments)]) == 0
    told = json.loads(capsys.readouterr().out)
    labels = read_voxels(output).array
    assert labels.dtype == np.uint16
    assert [item["label"] for item in told["objects"]] == sorted(set(np.unique(labels).tolist()) - {0})
    first = told["objects"][0]
    assert first["example"] and first["confidence"] == 1
    assert np.array_equal(labels == 1, read_voxels(folder / "drawn.nrrd").array == 1)


def test_a_segmentation_file_is_refused_before_the_work(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    arguments = [folder / "image.nrrd", folder / "drawn.nrrd", "--output", folder / "found.seg.nrrd"]
    assert main(["find", *map(str, arguments)]) == 2
    assert "at most 254 objects" in capsys.readouterr().err
    assert not (folder / "found.seg.nrrd").exists()


def test_an_annotation_of_background_alone_is_refused(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    nothing = read_voxels(folder / "drawn.nrrd")
    write_volume(Volume(np.full_like(nothing.array, 255), nothing.geometry), folder / "nothing.nrrd")
    arguments = [folder / "image.nrrd", folder / "nothing.nrrd", "--output", folder / "none.nrrd", "--device", "cpu"]
    assert main(["find", *map(str, arguments)]) == 2
    assert "no example is drawn" in capsys.readouterr().err
