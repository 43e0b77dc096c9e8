"""Many of a kind: what is found from two drawn objects, and what is refused."""

from __future__ import annotations

import numpy as np
import pytest

from metasegment.demo.lesions import LesionPhantom, lesion_phantom
from metasegment.errors import InputError
from metasegment.objects import FoundObjects
from metasegment.segmenter import Segmenter
from metasegment.segmenter.examples import examples_in, refuse_unusable

GIVEN = 2


@pytest.fixture(scope="module")
def lesions() -> LesionPhantom:
    return lesion_phantom(3, 8, (40, 96, 96))


@pytest.fixture(scope="module")
def drawn(lesions: LesionPhantom) -> np.ndarray:
    """The two lesions of middling size, drawn completely."""
    sizes = np.bincount(lesions.lesions.ravel())[1:]
    middling = 1 + np.argsort(sizes)[len(sizes) // 2 : len(sizes) // 2 + GIVEN]
    return np.isin(lesions.lesions, middling).astype(np.uint8)


@pytest.fixture(scope="module")
def found(segmenter: Segmenter, lesions: LesionPhantom, drawn: np.ndarray) -> FoundObjects:
    return segmenter.find(lesions.volume, drawn)


def test_other_lesions_are_found_and_the_examples_come_first_as_drawn(
    found: FoundObjects, lesions: LesionPhantom, drawn: np.ndarray
) -> None:
    assert [item.label for item in found.objects] == list(range(1, len(found.objects) + 1))
    examples = [item.label for item in found.objects if item.example]
    assert examples == list(range(1, len(examples) + 1))
    assert np.array_equal(np.isin(found.labels, examples), drawn > 0)
    others = set(np.unique(lesions.lesions[drawn == 0]).tolist()) - {0}
    surest = [item.label for item in found.objects if not item.example][: 2 * len(others)]
    hit = {label for label in others if (np.isin(found.labels, surest) & (lesions.lesions == label)).any()}
    assert len(hit) >= 0.6 * len(others)


def test_objects_are_measured_and_sorted_by_confidence(found: FoundObjects) -> None:
    confidences = [item.confidence for item in found.objects]
    assert confidences == sorted(confidences, reverse=True)
    for item in found.objects:
        mask = found.labels == item.label
        assert item.voxels == np.count_nonzero(mask)
        assert item.volume_ml == pytest.approx(item.voxels * 1.5 / 1000)
        assert item.longest_diameter_mm**3 >= item.volume_ml * 1000


def test_what_is_rejected_is_not_found_again(
    segmenter: Segmenter, found: FoundObjects, lesions: LesionPhantom, drawn: np.ndarray
) -> None:
    surest = next(item.label for item in found.objects if not item.example)
    again = segmenter.find(lesions.volume, drawn, found.labels == surest)
    assert not again.labels[found.labels == surest].any()


def test_more_than_254_objects_keep_their_own_numbers(segmenter: Segmenter) -> None:
    labels = np.zeros((48, 168, 168), np.uint8)
    for k in range(6, 44, 9):
        for j in range(8, 164, 19):
            for i in range(8, 164, 19):
                labels[k - 2 : k + 3, j - 3 : j + 4, i - 3 : i + 4] = 1
    noise = np.random.default_rng(0).normal(0, 10, labels.shape)
    drawn = labels.copy()
    drawn[:, 20:] = 0
    drawn[:, :, 40:] = 0
    drawn[10:] = 0
    volume = lesion_phantom(0, 1, labels.shape).volume
    scan = type(volume)((noise + 100 * labels).astype(np.int16), volume.geometry)
    result = segmenter.find(scan, drawn)
    assert result.labels.dtype == np.uint16
    assert len(result.objects) > 254
    assert result.labels.max() == len(result.objects)


def test_no_example_is_refused() -> None:
    with pytest.raises(InputError, match="no example is drawn"):
        refused(np.zeros((20, 20, 20), np.uint8))


def test_an_object_that_fills_the_volume_is_refused() -> None:
    drawn = np.zeros((20, 20, 20), np.uint8)
    drawn[2:-2, 2:-2, 2:-2] = 1
    with pytest.raises(InputError, match="fills 51% of the volume"):
        refused(drawn)


def test_examples_that_are_all_cut_by_the_edge_are_refused() -> None:
    drawn = np.zeros((20, 20, 20), np.uint8)
    drawn[:4, 4:8, 4:8] = 1
    with pytest.raises(InputError, match="cut by the image's edge"):
        refused(drawn)


def test_an_example_drawn_on_one_slice_only_is_refused() -> None:
    drawn = np.zeros((20, 20, 20), np.uint8)
    drawn[10, 5:13, 5:13] = 1
    with pytest.raises(InputError, match="on one slice only"):
        refused(drawn)


def test_each_part_of_a_label_is_an_example_but_for_specks() -> None:
    drawn = np.zeros((20, 20, 20), np.uint8)
    drawn[2:6, 2:6, 2:6] = 1
    drawn[10:14, 10:14, 10:14] = 1
    drawn[18, 18, 18] = 1
    drawn[2:6, 12:16, 2:6] = 7
    drawn[0] = 255
    assert [int(example.mask.sum()) for example in examples_in(drawn)] == [64, 64, 64]


def refused(drawn: np.ndarray) -> None:
    refuse_unusable(examples_in(drawn), drawn.shape, (1.0, 1.0, 1.0))
