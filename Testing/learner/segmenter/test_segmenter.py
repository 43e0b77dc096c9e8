"""From annotated slices to a 3D segmentation: what the released weights make of two organs, and what is told of it."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import pytest
from helpers.organs import draw, ellipsoid, scan_of

from metasegment.annotation import BACKGROUND, Annotation, annotation_from_labels
from metasegment.errors import InputError
from metasegment.measures.dice import dice
from metasegment.segmentation import Budget, Segmentation
from metasegment.segmenter import Segmenter
from metasegment.strategies import all_strategies
from metasegment.volume import Volume

#: Axial slices (axis, index) through both of the two organs.
AXIAL = ((0, 14), (0, 20), (0, 26))

Draw = Callable[..., np.ndarray]
Scan = Callable[..., Volume]
Dice = Callable[[np.ndarray, np.ndarray], float]
Ellipsoid = Callable[[Sequence[int], Sequence[float], Sequence[float]], np.ndarray]


@pytest.fixture(scope="module")
def result(segmenter: Segmenter, organs: tuple[Volume, Annotation]) -> Segmentation:
    """What the gate makes of the two organs, with a little time to adapt."""
    return segmenter.segment(*organs, Budget(seconds=60, steps=4))


def test_the_organs_are_found(result: Segmentation, two_organs: np.ndarray) -> None:
    assert dice(result.labels == 1, two_organs == 1) > 0.9
    assert dice(result.labels == 2, two_organs == 2) > 0.85


def test_voxels_stay_as_drawn(result: Segmentation, organs: tuple[Volume, Annotation]) -> None:
    drawn = organs[1].labels
    known = drawn != 0
    np.testing.assert_array_equal(result.labels[known], np.where(drawn == BACKGROUND, 0, drawn)[known])
    assert set(np.unique(result.labels)) == {0, 1, 2}


def test_a_structure_is_reported_as_it_is_in_the_labels(
    result: Segmentation, organs: tuple[Volume, Annotation]
) -> None:
    assert [(s.label, s.name) for s in result.structures] == [(1, "liver"), (2, "cyst")]
    voxel_ml = 0.9 * 0.9 * 1.5 / 1000
    for structure in result.structures:
        assert structure.voxels == np.count_nonzero(result.labels == structure.label)
        assert structure.volume_ml == pytest.approx(structure.voxels * voxel_ml)
        assert 0 <= structure.estimated_dice <= 1
        assert structure.strategy
    assert result.labels.shape == organs[0].array.shape
    assert set(result.seconds) == {"first answer", "adapting", "composing"}
    assert result.peak_memory_mb > 100


def test_uncertainty_is_none_where_drawn_and_highest_at_the_border(
    result: Segmentation, organs: tuple[Volume, Annotation]
) -> None:
    uncertainty = result.map.uncertainty
    assert uncertainty.min() >= 0
    assert uncertainty.max() <= 1
    known = organs[1].labels[result.map.region] != 0
    assert not uncertainty[known].any()
    inside = result.labels[result.map.region] > 0
    border = np.zeros_like(inside)
    border[:, :, 1:] = inside[:, :, 1:] != inside[:, :, :-1]
    assert uncertainty[border & ~known].mean() > 3 * uncertainty[~border & ~known].mean()


def test_the_next_slice_is_new_and_shows_a_structure(result: Segmentation, organs: tuple[Volume, Annotation]) -> None:
    suggestion = result.next_slice
    assert suggestion is not None
    assert (suggestion.axis, suggestion.index) not in AXIAL
    assert result.labels.take(suggestion.index, suggestion.axis).any()
    assert suggestion.plane in ("axial", "coronal", "sagittal")


def test_the_same_seed_gives_the_same_labels(
    segmenter: Segmenter, organs: tuple[Volume, Annotation], result: Segmentation
) -> None:
    again = segmenter.segment(*organs, Budget(seconds=60, steps=4))
    np.testing.assert_array_equal(again.labels, result.labels)
    np.testing.assert_array_equal(again.map.uncertainty, result.map.uncertainty)
    assert [s.strategy for s in again.structures] == [s.strategy for s in result.structures]


def test_a_volume_before_changes_nothing(segmenter: Segmenter, organs: tuple[Volume, Annotation]) -> None:
    before = segmenter.segment(*organs, strategy="in_context")
    other = ellipsoid((32, 32, 32), (16, 16, 16), (8, 9, 10)).astype(np.uint8)
    volume = scan_of(other)
    labels = annotation_from_labels(draw(other, (0, 12), (0, 16), (0, 20)), volume.geometry)
    segmenter.segment(volume, labels, Budget(seconds=60, steps=3), strategy="fine_tune")
    after = segmenter.segment(*organs, strategy="in_context")
    np.testing.assert_array_equal(after.labels, before.labels)


def test_an_unknown_strategy_is_refused_with_the_known_ones(
    segmenter: Segmenter, organs: tuple[Volume, Annotation]
) -> None:
    known = ", ".join(sorted(all_strategies()))
    with pytest.raises(InputError, match=f"no strategy 'magic': use auto or one of {known}"):
        segmenter.segment(*organs, strategy="magic")
