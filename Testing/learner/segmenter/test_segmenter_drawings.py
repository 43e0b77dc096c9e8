"""Few slices, oblique slices, tubes, neighbours that touch: drawings that are hard in one way each."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import pytest
import torch
from helpers.organs import draw, ellipsoid, scan_of

from metasegment.annotation import BACKGROUND, Annotation, add_oblique_slice, annotation_from_labels, empty_annotation
from metasegment.measures.dice import dice
from metasegment.network.engine import Engine
from metasegment.progress import Progress
from metasegment.prompts import structure_box
from metasegment.segmentation import Budget
from metasegment.segmenter import Segmenter
from metasegment.segmenter.cut_out import extent_on_slices
from metasegment.segmenter.locate import SegmentRequest, locate
from metasegment.strategies import all_strategies
from metasegment.volume import Geometry, Volume

#: Axial slices (axis, index) through both of the two organs.
AXIAL = ((0, 14), (0, 20), (0, 26))
#: Everything but adapting.
NO_TIME = Budget(seconds=0)

Draw = Callable[..., np.ndarray]
Scan = Callable[..., Volume]
Dice = Callable[[np.ndarray, np.ndarray], float]
Ellipsoid = Callable[[Sequence[int], Sequence[float], Sequence[float]], np.ndarray]


@pytest.mark.parametrize("strategy", ["auto", *sorted(all_strategies())])
def test_one_slice_is_enough_to_answer(segmenter: Segmenter, two_organs: np.ndarray, strategy: str) -> None:
    volume = scan_of(two_organs)
    annotation = annotation_from_labels(draw(two_organs, (0, 20)), volume.geometry)
    found = segmenter.segment(volume, annotation, strategy=strategy)
    assert dice(found.labels == 1, two_organs == 1) > 0.6
    assert all(0 <= s.estimated_dice <= 1 for s in found.structures)


def test_slices_of_several_planes_are_used_together(segmenter: Segmenter, two_organs: np.ndarray) -> None:
    volume = scan_of(two_organs)
    annotation = annotation_from_labels(draw(two_organs, (0, 20), (1, 26), (2, 22)), volume.geometry)
    found = segmenter.segment(volume, annotation, NO_TIME)
    assert dice(found.labels == 1, two_organs == 1) > 0.9


def a_tube(shape: tuple[int, int, int] = (120, 48, 48), until: int = 112) -> np.ndarray:
    """A winding tube of 12 voxels across, from 8 to `until` along k."""
    k, j, i = np.ogrid[tuple(slice(n) for n in shape)]
    round_it = (j - 24 - 4 * np.sin(k / 15)) ** 2 + (i - 24) ** 2 <= 36
    return (round_it & (k >= 8) & (k < until)).astype(np.uint8)


def test_the_box_grows_along_a_tube_of_which_one_slice_is_drawn(segmenter: Segmenter) -> None:
    truth = a_tube()
    volume = scan_of(truth)
    annotation = annotation_from_labels(draw(truth, (0, 60)), volume.geometry)
    first = structure_box(extent_on_slices(annotation, 1), (1.0, 1.0, 1.0), truth.shape)
    found = segmenter.segment(volume, annotation, NO_TIME)
    lowest, highest = np.flatnonzero(found.labels.any((1, 2)))[[0, -1]]
    assert lowest < first.start[0] - 10
    assert highest > first.stop[0] + 10
    assert dice(found.labels > 0, truth > 0) > 0.8


def test_a_slice_without_the_structure_limits_it(segmenter: Segmenter) -> None:
    truth = a_tube()
    volume = scan_of(truth)
    labels = draw(truth, (0, 60))
    unlimited = segmenter.segment(volume, annotation_from_labels(labels, volume.geometry), NO_TIME)
    assert unlimited.labels[90:].any()
    labels[80] = BACKGROUND
    limited = segmenter.segment(volume, annotation_from_labels(labels, volume.geometry), NO_TIME)
    assert not limited.labels[80:].any()
    assert limited.labels[61:75].any()


def test_to_one_structure_the_other_is_background(released_engine: Engine, two_organs: np.ndarray) -> None:
    volume = scan_of(two_organs)
    labels = draw(two_organs, *AXIAL)
    together = annotation_from_labels(labels, volume.geometry)
    alone = annotation_from_labels(np.where(labels == 2, BACKGROUND, labels), volume.geometry)
    in_context = all_strategies()["in_context"]
    first, second = (
        locate(SegmentRequest(volume, annotation), 1, None, in_context, released_engine, Progress()).first.probability
        for annotation in (together, alone)
    )
    assert torch.equal(first, second)


def test_touching_structures_share_the_space_between_them(segmenter: Segmenter) -> None:
    both = ellipsoid((40, 56, 56), (20, 28, 28), (12, 20, 20))
    truth = np.where(both, 1, 0).astype(np.uint8)
    volume = scan_of(truth)  # one intensity: only the annotation tells the halves apart
    truth[:, :, 28:][truth[:, :, 28:] > 0] = 2
    annotation = annotation_from_labels(draw(truth, *AXIAL), volume.geometry)
    found = segmenter.segment(volume, annotation, NO_TIME)
    assert sum(s.voxels for s in found.structures) == np.count_nonzero(found.labels)
    assert dice(found.labels == 1, truth == 1) > 0.8
    assert dice(found.labels == 2, truth == 2) > 0.8


def test_an_oblique_slice_is_enough_to_answer(segmenter: Segmenter, two_organs: np.ndarray) -> None:
    volume = scan_of(two_organs, spacing=(0.9, 0.9, 1.5), angles=(25, -15, 40))
    mask, affine = drawn_obliquely(two_organs, volume.geometry)
    annotation = add_oblique_slice(empty_annotation(volume.geometry), mask, affine)
    assert not annotation.slices
    found = segmenter.segment(volume, annotation, NO_TIME)
    assert dice(found.labels == 1, two_organs == 1) > 0.8
    known = annotation.labels != 0
    drawn = np.where(annotation.labels == BACKGROUND, 0, annotation.labels)
    np.testing.assert_array_equal(found.labels[known], drawn[known])


def test_an_oblique_slice_joins_axial_ones(
    segmenter: Segmenter, organs: tuple[Volume, Annotation], two_organs: np.ndarray
) -> None:
    volume, annotation = organs
    joined = add_oblique_slice(annotation, *drawn_obliquely(two_organs, volume.geometry))
    assert len(joined.oblique) == 1
    found = segmenter.segment(volume, joined, NO_TIME)
    assert dice(found.labels == 1, two_organs == 1) > 0.9


def drawn_obliquely(truth: np.ndarray, geometry: Geometry) -> tuple[np.ndarray, np.ndarray]:
    """A slice through both organs, tilted by 20 degrees against axial: labels (rows, columns) and affine."""
    tilt = np.radians(20)
    row = np.array([np.sin(tilt), np.cos(tilt), 0.0])  # in voxels k, j, i
    column, middle = np.array([0.0, 0.0, 1.0]), np.array([20.0, 26.0, 27.0])
    rows = columns = np.arange(-40, 41)
    points = middle + rows[:, None, None] * row + columns[None, :, None] * column
    index = np.rint(points).astype(int)
    inside = ((index >= 0) & (index < truth.shape)).all(-1)
    index = np.where(inside[..., None], index, 0)
    values = np.where(inside, truth[tuple(np.moveaxis(index, -1, 0))], 0)
    affine = np.eye(4)
    to_index = np.eye(4)
    to_index[:3, 0], to_index[:3, 1] = row[::-1], column[::-1]
    to_index[:3, 3] = (middle + rows[0] * row + columns[0] * column)[::-1]
    affine = geometry.index_to_world @ to_index
    return np.where(values, values, BACKGROUND).astype(np.uint8), affine


def test_a_structure_of_a_few_voxels_is_kept(segmenter: Segmenter) -> None:
    truth = np.zeros((32, 32, 32), np.uint8)
    truth[16:18, 16:18, 16:18] = 1
    volume = scan_of(truth)
    found = segmenter.segment(volume, annotation_from_labels(draw(truth, (0, 16)), volume.geometry), NO_TIME)
    assert found.labels[16, 16:18, 16:18].all()
    assert found.structures[0].voxels >= 4


def test_a_volume_annotated_throughout_comes_back_as_drawn(segmenter: Segmenter, two_organs: np.ndarray) -> None:
    volume = scan_of(two_organs)
    labels = draw(two_organs, *((0, k) for k in range(len(two_organs))))
    found = segmenter.segment(volume, annotation_from_labels(labels, volume.geometry), NO_TIME)
    np.testing.assert_array_equal(found.labels, two_organs)
    assert found.next_slice is None
