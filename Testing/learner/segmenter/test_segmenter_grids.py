"""The same anatomy in another array: flipped, turned, padded, of another type, in thick slices."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np
import pytest
from helpers.organs import draw, ellipsoid, scan_of

from metasegment.annotation import BACKGROUND, annotation_from_labels
from metasegment.measures.dice import dice
from metasegment.segmentation import Budget, Segmentation
from metasegment.segmenter import Segmenter
from metasegment.volume import Volume

#: Axial slices (axis, index) through both of the two organs.
AXIAL = ((0, 14), (0, 20), (0, 26))
#: Everything but adapting.
NO_TIME = Budget(seconds=0)

Draw = Callable[..., np.ndarray]
Scan = Callable[..., Volume]
Dice = Callable[[np.ndarray, np.ndarray], float]
Ellipsoid = Callable[[Sequence[int], Sequence[float], Sequence[float]], np.ndarray]


@pytest.fixture(scope="module")
def plain(segmenter: Segmenter, two_organs: np.ndarray) -> Segmentation:
    """The in-context answer for the organs as they lie."""
    volume = scan_of(two_organs)
    return segmenter.segment(
        volume, annotation_from_labels(draw(two_organs, *AXIAL), volume.geometry), strategy="in_context"
    )


@pytest.mark.parametrize("axis", [0, 1, 2])
def test_a_flipped_volume_gives_the_flipped_answer(
    segmenter: Segmenter, two_organs: np.ndarray, plain: Segmentation, axis: int
) -> None:
    volume = scan_of(two_organs)
    flipped = replace(volume, array=np.flip(volume.array, axis))
    annotation = annotation_from_labels(np.flip(draw(two_organs, *AXIAL), axis), volume.geometry)
    found = np.flip(segmenter.segment(flipped, annotation, strategy="in_context").labels, axis)
    for structure in (1, 2):
        assert dice(found == structure, plain.labels == structure) > 0.95


@pytest.mark.parametrize("order", [(1, 0, 2), (2, 1, 0), (1, 2, 0)])
def test_a_volume_with_other_axes_gives_the_same_answer(
    segmenter: Segmenter, two_organs: np.ndarray, plain: Segmentation, order: tuple[int, int, int]
) -> None:
    volume = scan_of(two_organs)
    array = volume.array.transpose(order)
    k, j, i = array.shape
    turned = Volume(array, replace(volume.geometry, size=(i, j, k)))
    labels = draw(two_organs, *AXIAL).transpose(order)
    found = segmenter.segment(turned, annotation_from_labels(labels, turned.geometry), strategy="in_context").labels
    for structure in (1, 2):
        assert dice(found == structure, plain.labels.transpose(order) == structure) > 0.95


def test_what_lies_far_from_the_structure_does_not_matter(
    segmenter: Segmenter, two_organs: np.ndarray, plain: Segmentation
) -> None:
    volume = scan_of(two_organs)
    size = 100  # voxels on each side
    array = np.pad(volume.array, size, constant_values=3000)
    labels = np.pad(draw(two_organs, *AXIAL), size)
    for _, index in AXIAL:
        plane = labels[index + size]
        plane[plane == 0] = BACKGROUND
    k, j, i = array.shape
    larger = Volume(array, replace(volume.geometry, size=(i, j, k)))
    annotation = annotation_from_labels(labels, larger.geometry)
    found = segmenter.segment(larger, annotation, strategy="in_context")
    np.testing.assert_array_equal(found.labels[size:-size, size:-size, size:-size], plain.labels)
    assert np.count_nonzero(found.labels) == np.count_nonzero(plain.labels)
    assert found.map.uncertainty.shape == plain.map.uncertainty.shape


@pytest.mark.parametrize("dtype", [np.uint8, np.int8, np.uint16, np.int32, np.uint32, np.int64, np.float32])
def test_every_type_of_voxel_gives_the_same_answer(segmenter: Segmenter, two_organs: np.ndarray, dtype: type) -> None:
    volume = scan_of(two_organs)
    squeezed = (volume.array - volume.array.min()) // 8  # 0 … below 128
    labels = annotation_from_labels(draw(two_organs, (0, 20)), volume.geometry)
    found = segmenter.segment(Volume(squeezed.astype(dtype), volume.geometry), labels, NO_TIME)
    assert dice(found.labels == 1, two_organs == 1) > 0.8


def test_thick_slices_are_segmented_on_their_own_grid(segmenter: Segmenter) -> None:
    truth = ellipsoid((8, 100, 100), (4, 50, 50), (3.2, 30, 30)).astype(np.uint8)
    volume = scan_of(truth, spacing=(0.5, 0.5, 6.0))
    annotation = annotation_from_labels(draw(truth, (0, 2), (0, 6)), volume.geometry)
    found = segmenter.segment(volume, annotation, NO_TIME)
    assert dice(found.labels > 0, truth > 0) > 0.9
