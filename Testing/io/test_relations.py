"""Structures that may share voxels, as a sentence, a JSON file and a `.seg.nrrd` with layers say it."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from metasegment.annotation import BACKGROUND, AnnotatedSlice, Annotation
from metasegment.cli import main
from metasegment.errors import InputError
from metasegment.export import read_structures, write_segmentation
from metasegment.io.annotation_file import read_annotation
from metasegment.io.volume_file import write_volume
from metasegment.knowledge import is_finished, seen_for, stroke_of, with_relations
from metasegment.relations import Relation, relation_in, require_consistent
from metasegment.volume import Geometry, Volume

GEOMETRY = Geometry((16, 14, 12), (1.0, 1.0, 2.0), (0.0, 0.0, 0.0), (1.0, 0, 0, 0, 1.0, 0, 0, 0, 1.0))
NAMES = {1: "Liver", 2: "tumour", 3: "cyst inside liver"}


@pytest.fixture
def drawn() -> np.ndarray:
    """On k = 6 a liver, 1, with a tumour, 2, in it; on k = 8 the liver alone."""
    labels = np.zeros(GEOMETRY.shape, np.uint8)
    labels[[6, 8]] = BACKGROUND
    labels[[6, 8], 3:11, 3:13] = 1
    labels[6, 5:8, 6:9] = 2
    return labels


@pytest.fixture
def label_file(drawn: np.ndarray, tmp_path: Path) -> Path:
    write_volume(Volume(drawn, GEOMETRY), tmp_path / "labels.nrrd")
    return tmp_path / "labels.nrrd"


@pytest.fixture
def layered(drawn: np.ndarray, tmp_path: Path) -> Path:
    """The same as layers: the liver's has the tumour's voxels, all but a column of them, which is outside."""
    inner = np.flatnonzero(drawn == 2)
    path, names = tmp_path / "layers.seg.nrrd", {1: "liver", 2: "tumour", BACKGROUND: "background"}
    write_segmentation(drawn, GEOMETRY, path, names, covered={1: inner[1:]})
    return path


@pytest.mark.parametrize(
    ("sentence", "relation"),
    [
        ("tumour inside liver", Relation(2, "inside", 1)),
        ("2 inside LIVER", Relation(2, "inside", 1)),
        ("tumour inside liver, excluded", Relation(2, "inside", 1, excluded=True)),
        ("Tumour overlaps 1", Relation(2, "overlaps", 1)),
        ("cyst inside liver inside liver", Relation(3, "inside", 1)),
    ],
)
def test_a_sentence_is_a_relation(sentence: str, relation: Relation) -> None:
    assert relation_in(sentence, NAMES) == relation


@pytest.mark.parametrize(
    ("sentence", "reason"),
    [
        ("tumor inside liver", "there is no structure 'tumor'; there are 'Liver', 'tumour'"),
        ("tumour in liver", 'say "A inside B"'),
        ("7 overlaps 1", "there is no structure '7'"),
        ("tumour overlaps liver, excluded", "only what is inside another structure can be excluded"),
    ],
)
def test_another_sentence_is_refused_in_one_line(sentence: str, reason: str) -> None:
    with pytest.raises(InputError, match=reason) as refused:
        relation_in(sentence, NAMES)
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize(
    ("relations", "reason"),
    [
        ([Relation(1, "inside", 2), Relation(2, "inside", 1)], "would lie inside itself"),
        ([Relation(1, "inside", 2), Relation(2, "inside", 3), Relation(3, "inside", 1)], "would lie inside itself"),
        ([Relation(1, "overlaps", 1)], "would lie inside itself"),
        ([Relation(1, "inside", 2), Relation(1, "overlaps", 2)], "'Liver' and 'tumour' are related in two ways"),
        ([Relation(1, "inside", 2), Relation(1, "inside", 3)], "which exclude each other"),
    ],
)
def test_relations_that_contradict_each_other_are_refused(relations: list[Relation], reason: str) -> None:
    with pytest.raises(InputError, match=reason):
        require_consistent(relations, NAMES)


def test_what_is_inside_the_inner_is_inside_the_outer(drawn: np.ndarray) -> None:
    drawn[6, 6, 7] = 3
    relations = (Relation(3, "inside", 2), Relation(2, "inside", 1))
    annotation = with_relations(_annotation(drawn), relations)
    np.testing.assert_array_equal(seen_for(annotation, 1).labels == 1, (drawn > 0) & (drawn != BACKGROUND))
    np.testing.assert_array_equal(seen_for(annotation, 2).labels == 2, np.isin(drawn, (2, 3)))
    np.testing.assert_array_equal(seen_for(annotation, 3).labels == 3, drawn == 3)


def test_an_inner_structure_on_a_slice_that_the_outer_is_not_finished_on_is_part_of_it(
    label_file: Path, drawn: np.ndarray, tmp_path: Path
) -> None:
    slices = tmp_path / "slices.json"
    said = {"slices": [{"axis": "k", "index": 6, "finished": [2]}], "relations": ["2 inside 1"]}
    slices.write_text(json.dumps(said))
    annotation = read_annotation(label_file, GEOMETRY, slices=slices)
    assert annotation.relations == (Relation(2, "inside", 1),)
    assert not is_finished(annotation, AnnotatedSlice(0, 6), 1)
    seen = stroke_of(seen_for(annotation, 1), 1)
    np.testing.assert_array_equal(seen.inside, np.flatnonzero(drawn == 2))
    assert len(seen.outside) == 0


def test_segments_that_overlap_need_a_relation(layered: Path) -> None:
    with pytest.raises(InputError, match=r"'liver' and 'tumour' overlap in 8 voxels.*--structures.*--relation"):
        read_annotation(layered, GEOMETRY)
    annotation = read_annotation(layered, GEOMETRY, relations=["liver overlaps tumour"])
    seen, other = seen_for(annotation, 1).labels == 1, seen_for(annotation, 2).labels == 2
    assert np.count_nonzero(seen & other) == 8 and np.count_nonzero(other) == 9
    assert annotation.structures == (1, 2)


def test_inside_another_structure_a_voxel_that_was_drawn_beside_it_is_part_of_it(layered: Path) -> None:
    annotation = read_annotation(layered, GEOMETRY, relations=["tumour inside liver"])
    assert np.count_nonzero(seen_for(annotation, 1).labels == 1) == 160


def test_layers_are_written_as_they_are_read(layered: Path, drawn: np.ndarray) -> None:
    found = read_structures(layered)
    np.testing.assert_array_equal(found.mask(2), drawn == 2)
    assert np.count_nonzero(found.mask(1)) == 159


@pytest.mark.parametrize("sentence", ["tumour inside liver", "1 inside 1"])
def test_the_command_refuses_in_one_line(
    sentence: str, label_file: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write_volume(Volume(np.zeros(GEOMETRY.shape, np.float32), GEOMETRY), tmp_path / "image.nrrd")
    arguments = [str(tmp_path / "image.nrrd"), str(label_file), "--output", str(tmp_path / "out.nrrd")]
    assert main(["segment", *arguments, "--relation", sentence]) == 2
    assert capsys.readouterr().err.count("\n") == 1
    assert not (tmp_path / "out.nrrd").exists()


def test_a_list_that_holds_no_sentences_is_refused(label_file: Path, tmp_path: Path) -> None:
    (tmp_path / "slices.json").write_text('{"relations": [{"inner": 2}]}')
    with pytest.raises(InputError, match=r"slices.json: relations must be a list of sentences"):
        read_annotation(label_file, GEOMETRY, slices=tmp_path / "slices.json")


def _annotation(labels: np.ndarray) -> Annotation:
    return Annotation(labels, GEOMETRY, (AnnotatedSlice(0, 6), AnnotatedSlice(0, 8)), structures=(1, 2, 3))
