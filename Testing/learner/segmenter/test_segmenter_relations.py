"""Structures that share voxels: a nested pair is found as well as each alone, and none takes voxels from the other."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from helpers.lessons import short_lessons
from helpers.organs import draw, ellipsoid, scan_of

from metasegment.annotation import Annotation, annotation_from_labels, complete
from metasegment.cli import main
from metasegment.export import read_structures, write_segmentation
from metasegment.io.volume_file import write_volume
from metasegment.knowledge import with_relations
from metasegment.layers import whole
from metasegment.measures.dice import dice
from metasegment.relations import Relation
from metasegment.segmentation import Segmentation
from metasegment.segmenter import Segmenter
from metasegment.segmenter.related import nested
from metasegment.volume import Volume

LIVER, TUMOUR, KIDNEY = 1, 2, 3
INSIDE = Relation(TUMOUR, "inside", LIVER)
SLICES = ((0, 15), (0, 20), (0, 25))


@pytest.fixture(scope="module")
def truth() -> np.ndarray:
    """A liver with a tumour at its edge, and a kidney beside it: labels (k, j, i), the tumour on top."""
    shape = (40, 56, 56)
    labels = np.where(ellipsoid(shape, (20, 26, 20), (12, 14, 12)), LIVER, 0)
    labels[ellipsoid(shape, (20, 20, 16), (7, 6, 6)) & (labels == LIVER)] = TUMOUR
    labels[ellipsoid(shape, (20, 30, 42), (10, 9, 8))] = KIDNEY
    return labels.astype(np.uint8)


@pytest.fixture(scope="module")
def case(truth: np.ndarray) -> tuple[Volume, Annotation]:
    volume = scan_of(truth)
    names = {LIVER: "liver", TUMOUR: "tumour", KIDNEY: "kidney"}
    return volume, annotation_from_labels(draw(truth, *SLICES), volume.geometry, names)


@pytest.fixture(scope="module")
def found(segmenter: Segmenter, case: tuple[Volume, Annotation]) -> Segmentation:
    return segmenter.segment(case[0], with_relations(case[1], [INSIDE]))


def of(result: Segmentation, label: int) -> np.ndarray:
    return whole(result.labels, result.map.covered, label)


def test_the_outer_structure_includes_the_inner(found: Segmentation, truth: np.ndarray) -> None:
    assert not (of(found, TUMOUR) & ~of(found, LIVER)).any()
    assert dice(of(found, LIVER), np.isin(truth, (LIVER, TUMOUR))) > 0.93
    assert dice(of(found, TUMOUR), truth == TUMOUR) > 0.85
    assert dice(of(found, KIDNEY), truth == KIDNEY) > 0.9
    for structure in found.structures:
        assert structure.voxels == np.count_nonzero(of(found, structure.label))


def test_drawn_voxels_stay_as_drawn_in_each(found: Segmentation, truth: np.ndarray) -> None:
    for _, k in SLICES:
        np.testing.assert_array_equal(of(found, LIVER)[k], np.isin(truth[k], (LIVER, TUMOUR)))
        np.testing.assert_array_equal(found.labels[k], truth[k])


def test_a_nested_pair_is_found_no_worse_than_each_alone(
    segmenter: Segmenter, case: tuple[Volume, Annotation], found: Segmentation, truth: np.ndarray
) -> None:
    unknown = case[1].labels == 0
    for label, wanted in ((LIVER, np.isin(truth, (LIVER, TUMOUR))), (TUMOUR, truth == TUMOUR)):
        labels = draw(np.where(wanted, 1, 0), *SLICES)
        alone = segmenter.segment(case[0], annotation_from_labels(labels, case[0].geometry))
        score = dice(of(found, label)[unknown], wanted[unknown])
        assert score >= dice(alone.labels[unknown] == 1, wanted[unknown]) - 0.01


def test_an_excluded_one_is_cut_out_and_the_result_has_one_layer(
    segmenter: Segmenter, case: tuple[Volume, Annotation], found: Segmentation
) -> None:
    cut = segmenter.segment(case[0], with_relations(case[1], [replace(INSIDE, excluded=True)]))
    assert not cut.map.covered
    np.testing.assert_array_equal(cut.labels == LIVER, of(found, LIVER) & ~of(found, TUMOUR))


def test_structures_that_may_overlap_do_not_compete(segmenter: Segmenter, truth: np.ndarray) -> None:
    volume = scan_of(np.where(truth == KIDNEY, 0, truth > 0).astype(np.uint8))
    one, two = ellipsoid(truth.shape, (20, 26, 20), (12, 14, 12)), ellipsoid(truth.shape, (20, 26, 20), (12, 14, 12))
    two[:, :, :18] = False
    labels = np.zeros(truth.shape, np.uint8)
    labels[one], labels[two] = 1, 2
    annotation = annotation_from_labels(draw(labels, *SLICES), volume.geometry)
    shared = np.flatnonzero((annotation.labels == 2) & one)
    related = with_relations(annotation, [Relation(1, "overlaps", 2)], {1: shared})
    result = segmenter.segment(volume, related)
    assert dice(of(result, 1), one) > 0.9 and dice(of(result, 2), two) > 0.85
    assert np.count_nonzero(of(result, 1) & of(result, 2)) > 0.8 * np.count_nonzero(two)


@pytest.mark.parametrize(
    ("inner", "outer", "is_inner", "is_outer"),
    [(0.9, 0.3, True, True), (0.6, 0.3, False, False), (0.9, 0.8, True, True), (0.2, 0.8, False, True)],
)
def test_the_surer_of_two_decides_where_the_inner_is_found_outside_the_outer(
    inner: float, outer: float, is_inner: bool, is_outer: bool
) -> None:
    found = nested({2: torch.tensor([inner]), 1: torch.tensor([outer])}, (INSIDE,))
    assert (bool(found[2] > 0.5), bool(found[1] > 0.5)) == (is_inner, is_outer)


def test_a_task_knows_what_lies_inside_what(
    segmenter: Segmenter, case: tuple[Volume, Annotation], found: Segmentation, truth: np.ndarray
) -> None:
    taught = complete(with_relations(case[1], [INSIDE]), found.labels, found.map.covered)
    with short_lessons():
        task = segmenter.teach(case[0], taught)
    assert task.provenance.relations == (INSIDE,)
    again = segmenter.apply(task, case[0])
    assert not (of(again, TUMOUR) & ~of(again, LIVER)).any()
    assert dice(of(again, LIVER), np.isin(truth, (LIVER, TUMOUR))) > 0.6  # short lessons


def test_the_command_writes_layers(
    case: tuple[Volume, Annotation], truth: np.ndarray, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write_volume(case[0], tmp_path / "image.nrrd")
    names = {**case[1].names, 255: "background"}
    write_segmentation(case[1].labels, case[0].geometry, tmp_path / "drawn.seg.nrrd", names)
    inputs = ["segment", str(tmp_path / "image.nrrd"), str(tmp_path / "drawn.seg.nrrd"), "--relation"]
    assert main([*inputs, "tumour inside liver", "--json", "--output", str(tmp_path / "out.seg.nrrd")]) == 0
    report = json.loads(capsys.readouterr().out)
    written = read_structures(tmp_path / "out.seg.nrrd")
    assert [s["voxels"] for s in report["structures"]] == [
        np.count_nonzero(written.mask(s["label"])) for s in report["structures"]
    ]
    assert dice(written.mask(LIVER), np.isin(truth, (LIVER, TUMOUR))) > 0.93
