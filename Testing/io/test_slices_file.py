"""For which structures slices are finished, as a file says it, through the command."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from metasegment.annotation import BACKGROUND, AnnotatedSlice
from metasegment.cli import main
from metasegment.errors import InputError
from metasegment.io.annotation_file import read_annotation
from metasegment.io.volume_file import read_volume, write_volume
from metasegment.volume import Geometry, Volume

GEOMETRY = Geometry((24, 20, 16), (1.0, 1.0, 2.0), (0.0, 0.0, 0.0), (1.0, 0, 0, 0, 1.0, 0, 0, 0, 1.0))


@pytest.fixture
def files(tmp_path: Path) -> Path:
    """An image with two blocks, and labels: both on k = 8, the first alone on k = 6, a corner of it on k = 10."""
    image = np.random.default_rng(0).normal(0, 5, GEOMETRY.shape).astype(np.float32)
    image[4:12, 4:10, 4:10] += 80
    image[4:12, 4:10, 14:20] += 50
    labels = np.zeros(GEOMETRY.shape, np.uint8)
    labels[[6, 8]] = BACKGROUND
    labels[6:9:2, 4:10, 4:10] = 1
    labels[8, 4:10, 14:20] = 2
    labels[10, 4:6, 4:6] = 1
    write_volume(Volume(image, GEOMETRY), tmp_path / "image.nrrd")
    write_volume(Volume(labels, GEOMETRY), tmp_path / "labels.nrrd")
    return tmp_path


def listed(folder: Path, *slices: dict[str, Any]) -> Path:
    path = folder / "slices.json"
    path.write_text(json.dumps({"slices": slices}))
    return path


def test_a_slice_is_finished_for_the_structures_that_the_file_names(files: Path) -> None:
    slices = listed(files, {"axis": "k", "index": 6, "finished": [1]}, {"axis": "k", "index": 13, "finished": [2]})
    found = read_annotation(files / "labels.nrrd", GEOMETRY, slices=slices)
    assert found.finished == {AnnotatedSlice(0, 6): frozenset({1}), AnnotatedSlice(0, 13): frozenset({2})}
    assert [s.index for s in found.slices] == [6, 8, 13]
    assert found.structures == (1, 2)


def test_a_corner_on_a_slice_that_is_not_complete_is_a_stroke(files: Path) -> None:
    found = read_annotation(files / "labels.nrrd", GEOMETRY)
    assert [s.index for s in found.slices] == [6, 8]
    assert len(found.strokes[1].inside) == 4 and len(found.strokes[2].outside) == 4


def test_the_command_respects_slices_and_strokes(files: Path) -> None:
    slices = listed(files, {"axis": "k", "index": 6, "finished": [1]}, {"axis": "k", "index": 11, "finished": [2]})
    arguments = ["segment", str(files / "image.nrrd"), str(files / "labels.nrrd"), "--slices", str(slices)]
    assert main([*arguments, "--device", "cpu", "--output", str(files / "out.nrrd")]) == 0
    found = read_volume(files / "out.nrrd").array
    assert (found[10, 4:6, 4:6] == 1).all()
    assert not (found[11:] == 2).any()
    assert (found[6] == 2).sum() > 10


@pytest.mark.parametrize(
    ("entry", "reason"),
    [
        ({"axis": "z", "index": 6, "finished": [1]}, "axis is 'z'"),
        ({"axis": "k", "index": -1, "finished": [1]}, "index is -1"),
        ({"axis": "k", "index": 99, "finished": [1]}, "outside the image"),
        ({"axis": "k", "index": 6, "finished": ["spleen"]}, "no structure 'spleen'"),
        ({"axis": "k", "index": 6}, "it lacks 'finished'"),
        ({"axis": "k", "index": 6, "finished": "some"}, "neither"),
        (7, "slice 0"),
    ],
)
def test_a_wrong_list_is_refused_in_one_line(files: Path, entry: Any, reason: str) -> None:
    with pytest.raises(InputError, match=reason) as caught:
        read_annotation(files / "labels.nrrd", GEOMETRY, slices=listed(files, entry))
    assert "\n" not in str(caught.value)


def test_what_is_no_list_is_refused(files: Path) -> None:
    (files / "slices.json").write_text("[]")
    with pytest.raises(InputError, match="no list of slices"):
        read_annotation(files / "labels.nrrd", GEOMETRY, slices=files / "slices.json")
