"""From annotated slices to a 3D segmentation: the released weights on small volumes that are hard in one way each."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import Tensor

from metasegment.annotation import (
    BACKGROUND,
    Annotation,
    add_oblique_slice,
    annotation_from_labels,
    empty_annotation,
)
from metasegment.engine import Engine
from metasegment.errors import Cancelled, InputError
from metasegment.prompts import structure_box
from metasegment.segmentation import Budget, Segmentation
from metasegment.segmenter import Segmenter
from metasegment.segmenter.case import extent_on_slices
from metasegment.segmenter.gate import ADAPTING
from metasegment.segmenter.locate import Question, locate
from metasegment.strategies import Lesson, Query, State, all_strategies
from metasegment.strategies.base import Heartbeat
from metasegment.volume import Geometry, Volume
from metasegment.watch import Watch

#: Axial slices (axis, index) through both of the two organs.
AXIAL = ((0, 14), (0, 20), (0, 26))
#: Everything but adapting.
NO_TIME = Budget(seconds=0)

Draw = Callable[..., np.ndarray]
Scan = Callable[..., Volume]
Dice = Callable[[np.ndarray, np.ndarray], float]
Ellipsoid = Callable[[Sequence[int], Sequence[float], Sequence[float]], np.ndarray]


@pytest.fixture(scope="module")
def organs(scan_of: Scan, two_organs: np.ndarray, draw: Draw) -> tuple[Volume, Annotation]:
    """The two organs with three slices, on an anisotropic oblique grid."""
    volume = scan_of(two_organs, spacing=(0.9, 0.9, 1.5), angles=(25, -15, 40))
    return volume, annotation_from_labels(draw(two_organs, *AXIAL), volume.geometry, {1: "liver", 2: "cyst"})


@pytest.fixture(scope="module")
def result(segmenter: Segmenter, organs: tuple[Volume, Annotation]) -> Segmentation:
    """What the gate makes of the two organs, with a little time to adapt."""
    return segmenter.segment(*organs, Budget(seconds=60, steps=4))


def test_the_organs_are_found(result: Segmentation, two_organs: np.ndarray, dice: Dice) -> None:
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


def test_a_volume_before_changes_nothing(
    segmenter: Segmenter, organs: tuple[Volume, Annotation], ellipsoid: Ellipsoid, scan_of: Scan, draw: Draw
) -> None:
    before = segmenter.segment(*organs, strategy="in_context")
    other = ellipsoid((32, 32, 32), (16, 16, 16), (8, 9, 10)).astype(np.uint8)
    volume = scan_of(other)
    labels = annotation_from_labels(draw(other, (0, 12), (0, 16), (0, 20)), volume.geometry)
    segmenter.segment(volume, labels, Budget(seconds=60, steps=3), strategy="fine_tune")
    after = segmenter.segment(*organs, strategy="in_context")
    np.testing.assert_array_equal(after.labels, before.labels)


@pytest.mark.parametrize("strategy", ["auto", *sorted(all_strategies())])
def test_one_slice_is_enough_to_answer(
    segmenter: Segmenter, scan_of: Scan, two_organs: np.ndarray, draw: Draw, dice: Dice, strategy: str
) -> None:
    volume = scan_of(two_organs)
    annotation = annotation_from_labels(draw(two_organs, (0, 20)), volume.geometry)
    found = segmenter.segment(volume, annotation, strategy=strategy)
    assert dice(found.labels == 1, two_organs == 1) > 0.6
    assert all(0 <= s.estimated_dice <= 1 for s in found.structures)


def test_slices_of_several_planes_are_used_together(
    segmenter: Segmenter, scan_of: Scan, two_organs: np.ndarray, draw: Draw, dice: Dice
) -> None:
    volume = scan_of(two_organs)
    annotation = annotation_from_labels(draw(two_organs, (0, 20), (1, 26), (2, 22)), volume.geometry)
    found = segmenter.segment(volume, annotation, NO_TIME)
    assert dice(found.labels == 1, two_organs == 1) > 0.9


def test_an_unknown_strategy_is_refused_with_the_known_ones(
    segmenter: Segmenter, organs: tuple[Volume, Annotation]
) -> None:
    known = ", ".join(sorted(all_strategies()))
    with pytest.raises(InputError, match=f"no strategy 'magic': use auto or one of {known}"):
        segmenter.segment(*organs, strategy="magic")


class Pupil:
    """A strategy that only remembers how often it was taught, and answers like in-context."""

    name = "pupil"

    def __init__(self) -> None:
        self.lessons: list[int] = []

    def fit(self, lessons: Sequence[Lesson], engine: Engine, steps: int, seed: int, heartbeat: Heartbeat) -> State:
        self.lessons.append(len(lessons))
        return {}

    def predict(self, state: State, query: Query, engine: Engine) -> Tensor:
        return engine.logits(query.channels)


@pytest.fixture
def pupil() -> Pupil:
    return Pupil()


@pytest.fixture
def teacher(released_engine: Engine, pupil: Pupil) -> Segmenter:
    """A segmenter whose one strategy that learns is the pupil."""
    return Segmenter(released_engine, {**all_strategies(), **dict.fromkeys(ADAPTING, pupil)})


def test_a_strategy_that_learns_is_judged_on_a_slice_it_was_not_taught(
    teacher: Segmenter, pupil: Pupil, organs: tuple[Volume, Annotation]
) -> None:
    teacher.segment(*organs, Budget(seconds=60))
    assert pupil.lessons == [2, 2]  # once for each organ; it does not lead, so it is not taught all three


@pytest.mark.parametrize("budget", [NO_TIME, Budget(seconds=60, quality=0.0)])
def test_without_time_or_need_nothing_is_taught(
    teacher: Segmenter, pupil: Pupil, organs: tuple[Volume, Annotation], budget: Budget
) -> None:
    teacher.segment(*organs, budget)
    assert pupil.lessons == []


def test_fine_tuning_without_time_is_the_in_context_answer(
    segmenter: Segmenter, organs: tuple[Volume, Annotation]
) -> None:
    untaught = segmenter.segment(*organs, NO_TIME, strategy="fine_tune")
    in_context = segmenter.segment(*organs, NO_TIME, strategy="in_context")
    np.testing.assert_array_equal(untaught.labels, in_context.labels)


def test_the_preview_comes_before_the_adapted_result(segmenter: Segmenter, organs: tuple[Volume, Annotation]) -> None:
    events: list[str] = []
    previews: list[np.ndarray] = []

    def preview(labels: np.ndarray) -> None:
        events.append("preview")
        previews.append(labels)

    watch = Watch(progress=lambda stage, share: events.append(stage))
    final = segmenter.segment(*organs, NO_TIME, watch=watch, preview=preview)
    assert list(dict.fromkeys(events)) == ["first answer", "preview", "adapting", "composing", "done"]
    assert previews[0].shape == final.labels.shape
    assert set(np.unique(previews[0])) == {0, 1, 2}
    known = organs[1].labels != 0
    np.testing.assert_array_equal(previews[0][known], final.labels[known])


def test_progress_goes_from_nothing_to_all_and_never_back(
    segmenter: Segmenter, organs: tuple[Volume, Annotation]
) -> None:
    shares: list[float] = []
    segmenter.segment(*organs, NO_TIME, watch=Watch(progress=lambda stage, share: shares.append(share)))
    assert shares[0] == 0
    assert shares[-1] == 1
    assert shares == sorted(shares)


def test_cancelling_takes_effect_after_the_preview(segmenter: Segmenter, organs: tuple[Volume, Annotation]) -> None:
    previews: list[np.ndarray] = []
    stages: list[str] = []
    watch = Watch(progress=lambda stage, share: stages.append(stage), cancelled=lambda: bool(previews))
    with pytest.raises(Cancelled):
        segmenter.segment(*organs, watch=watch, preview=previews.append)
    assert previews
    assert "composing" not in stages


def test_cancelling_takes_effect_within_a_step_of_learning(
    segmenter: Segmenter, organs: tuple[Volume, Annotation]
) -> None:
    asked = 0

    def cancelled() -> bool:
        nonlocal asked
        asked += 1
        return asked > 6  # within the first steps of the first organ

    with pytest.raises(Cancelled):
        segmenter.segment(
            *organs, Budget(seconds=600, steps=1000), strategy="fine_tune", watch=Watch(cancelled=cancelled)
        )
    assert asked == 7


def a_tube(shape: tuple[int, int, int] = (120, 48, 48), until: int = 112) -> np.ndarray:
    """A winding tube of 12 voxels across, from 8 to `until` along k."""
    k, j, i = np.ogrid[tuple(slice(n) for n in shape)]
    round_it = (j - 24 - 4 * np.sin(k / 15)) ** 2 + (i - 24) ** 2 <= 36
    return (round_it & (k >= 8) & (k < until)).astype(np.uint8)


def test_the_box_grows_along_a_tube_of_which_one_slice_is_drawn(
    segmenter: Segmenter, scan_of: Scan, draw: Draw, dice: Dice
) -> None:
    truth = a_tube()
    volume = scan_of(truth)
    annotation = annotation_from_labels(draw(truth, (0, 60)), volume.geometry)
    first = structure_box(extent_on_slices(annotation, 1), (1.0, 1.0, 1.0), truth.shape)
    found = segmenter.segment(volume, annotation, NO_TIME)
    lowest, highest = np.flatnonzero(found.labels.any((1, 2)))[[0, -1]]
    assert lowest < first.start[0] - 10
    assert highest > first.stop[0] + 10
    assert dice(found.labels > 0, truth > 0) > 0.8


def test_a_slice_without_the_structure_limits_it(segmenter: Segmenter, scan_of: Scan, draw: Draw) -> None:
    truth = a_tube()
    volume = scan_of(truth)
    labels = draw(truth, (0, 60))
    unlimited = segmenter.segment(volume, annotation_from_labels(labels, volume.geometry), NO_TIME)
    assert unlimited.labels[90:].any()
    labels[80] = BACKGROUND
    limited = segmenter.segment(volume, annotation_from_labels(labels, volume.geometry), NO_TIME)
    assert not limited.labels[80:].any()
    assert limited.labels[61:75].any()


def test_to_one_structure_the_other_is_background(
    released_engine: Engine, scan_of: Scan, two_organs: np.ndarray, draw: Draw
) -> None:
    volume = scan_of(two_organs)
    labels = draw(two_organs, *AXIAL)
    together = annotation_from_labels(labels, volume.geometry)
    alone = annotation_from_labels(np.where(labels == 2, BACKGROUND, labels), volume.geometry)
    in_context = all_strategies()["in_context"]
    first, second = (
        locate(Question(volume, annotation), 1, None, in_context, released_engine, Watch()).case.first.probability
        for annotation in (together, alone)
    )
    assert torch.equal(first, second)


def test_touching_structures_share_the_space_between_them(
    segmenter: Segmenter, scan_of: Scan, ellipsoid: Ellipsoid, draw: Draw, dice: Dice
) -> None:
    both = ellipsoid((40, 56, 56), (20, 28, 28), (12, 20, 20))
    truth = np.where(both, 1, 0).astype(np.uint8)
    volume = scan_of(truth)  # one intensity: only the annotation tells the halves apart
    truth[:, :, 28:][truth[:, :, 28:] > 0] = 2
    annotation = annotation_from_labels(draw(truth, *AXIAL), volume.geometry)
    found = segmenter.segment(volume, annotation, NO_TIME)
    assert sum(s.voxels for s in found.structures) == np.count_nonzero(found.labels)
    assert dice(found.labels == 1, truth == 1) > 0.8
    assert dice(found.labels == 2, truth == 2) > 0.8


def test_an_oblique_slice_is_enough_to_answer(
    segmenter: Segmenter, scan_of: Scan, two_organs: np.ndarray, dice: Dice
) -> None:
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
    segmenter: Segmenter, organs: tuple[Volume, Annotation], two_organs: np.ndarray, dice: Dice
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


@pytest.fixture(scope="module")
def plain(segmenter: Segmenter, scan_of: Scan, two_organs: np.ndarray, draw: Draw) -> Segmentation:
    """The in-context answer for the organs as they lie."""
    volume = scan_of(two_organs)
    return segmenter.segment(
        volume, annotation_from_labels(draw(two_organs, *AXIAL), volume.geometry), strategy="in_context"
    )


@pytest.mark.parametrize("axis", [0, 1, 2])
def test_a_flipped_volume_gives_the_flipped_answer(
    segmenter: Segmenter, scan_of: Scan, two_organs: np.ndarray, draw: Draw, dice: Dice, plain: Segmentation, axis: int
) -> None:
    volume = scan_of(two_organs)
    flipped = replace(volume, array=np.flip(volume.array, axis))
    annotation = annotation_from_labels(np.flip(draw(two_organs, *AXIAL), axis), volume.geometry)
    found = np.flip(segmenter.segment(flipped, annotation, strategy="in_context").labels, axis)
    for structure in (1, 2):
        assert dice(found == structure, plain.labels == structure) > 0.95


@pytest.mark.parametrize("order", [(1, 0, 2), (2, 1, 0), (1, 2, 0)])
def test_a_volume_with_other_axes_gives_the_same_answer(
    segmenter: Segmenter,
    scan_of: Scan,
    two_organs: np.ndarray,
    draw: Draw,
    dice: Dice,
    plain: Segmentation,
    order: tuple[int, int, int],
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
    segmenter: Segmenter, scan_of: Scan, two_organs: np.ndarray, draw: Draw, plain: Segmentation
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
def test_every_type_of_voxel_gives_the_same_answer(
    segmenter: Segmenter, scan_of: Scan, two_organs: np.ndarray, draw: Draw, dice: Dice, dtype: type
) -> None:
    volume = scan_of(two_organs)
    squeezed = (volume.array - volume.array.min()) // 8  # 0 … below 128
    labels = annotation_from_labels(draw(two_organs, (0, 20)), volume.geometry)
    found = segmenter.segment(Volume(squeezed.astype(dtype), volume.geometry), labels, NO_TIME)
    assert dice(found.labels == 1, two_organs == 1) > 0.8


def test_thick_slices_are_segmented_on_their_own_grid(
    segmenter: Segmenter, scan_of: Scan, ellipsoid: Ellipsoid, draw: Draw, dice: Dice
) -> None:
    truth = ellipsoid((8, 100, 100), (4, 50, 50), (3.2, 30, 30)).astype(np.uint8)
    volume = scan_of(truth, spacing=(0.5, 0.5, 6.0))
    annotation = annotation_from_labels(draw(truth, (0, 2), (0, 6)), volume.geometry)
    found = segmenter.segment(volume, annotation, NO_TIME)
    assert dice(found.labels > 0, truth > 0) > 0.9


def test_a_structure_of_a_few_voxels_is_kept(segmenter: Segmenter, scan_of: Scan, draw: Draw) -> None:
    truth = np.zeros((32, 32, 32), np.uint8)
    truth[16:18, 16:18, 16:18] = 1
    volume = scan_of(truth)
    found = segmenter.segment(volume, annotation_from_labels(draw(truth, (0, 16)), volume.geometry), NO_TIME)
    assert found.labels[16, 16:18, 16:18].all()
    assert found.structures[0].voxels >= 4


def test_a_volume_annotated_throughout_comes_back_as_drawn(
    segmenter: Segmenter, scan_of: Scan, two_organs: np.ndarray, draw: Draw
) -> None:
    volume = scan_of(two_organs)
    labels = draw(two_organs, *((0, k) for k in range(len(two_organs))))
    found = segmenter.segment(volume, annotation_from_labels(labels, volume.geometry), NO_TIME)
    np.testing.assert_array_equal(found.labels, two_organs)
    assert found.next_slice is None
