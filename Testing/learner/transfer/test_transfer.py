"""Tasks: what one patient teaches is found in the next, with no or few slices; small made-up patients, real weights."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
import pytest
import torch
from helpers.organs import draw, ellipsoid, scan_of
from torch import Generator

from metasegment.annotation import Annotation, annotation_from_labels, complete
from metasegment.errors import Cancelled, InputError
from metasegment.grid import Box, Grid
from metasegment.io.task_file import LARGEST, from_bytes, to_bytes
from metasegment.measures.dice import dice
from metasegment.progress import Progress
from metasegment.prompts import Scene, make_prompt
from metasegment.segmentation import Budget, Segmentation
from metasegment.segmenter import Segmenter
from metasegment.segmenter.answer import Answer
from metasegment.segmenter.case import Case
from metasegment.segmenter.fuse_prior import fuse_prior
from metasegment.segmenter.teach import MOST_SUBJECTS
from metasegment.strategies import Query, Support
from metasegment.task import Task
from metasegment.transfer.context import Context, standardised
from metasegment.transfer.delineator import FEATURES, Delineator
from metasegment.transfer.perceptron import Perceptron
from metasegment.transfer.views import random_view
from metasegment.volume import Volume

NAMES = {1: "liver", 2: "cyst"}
COLORS = {1: (0.8, 0.3, 0.2)}
#: Everything but adapting.
NO_TIME = Budget(seconds=0)

Draw = Callable[..., np.ndarray]
Scan = Callable[..., Volume]
Dice = Callable[[np.ndarray, np.ndarray], float]
Ellipsoid = Callable[[Sequence[int], Sequence[float], Sequence[float]], np.ndarray]


def organs_at(moved: Sequence[int] = (0, 0, 0), shape: Sequence[int] = (44, 56, 60), size: float = 1.0) -> np.ndarray:
    """Labels (k, j, i) of a patient whose two organs lie `moved` voxels from where the first patient's do."""
    centre = [c + m for c, m in zip((20, 26, 20), moved, strict=True)]
    large = ellipsoid(shape, centre, [size * r for r in (11, 12, 9)])
    small = ellipsoid(shape, (centre[0], centre[1] + 1, centre[2] + 22), [size * r for r in (8, 8, 7)])
    return np.where(large, 1, np.where(small, 2, 0)).astype(np.uint8)


@pytest.fixture(scope="module")
def first_patient() -> tuple[Volume, Annotation]:
    """The first patient, every voxel known."""
    labels = organs_at()
    volume = scan_of(labels, spacing=(0.9, 0.9, 1.5), angles=(25, -15, 40))
    whole = np.where(labels == 0, 255, labels)
    return volume, annotation_from_labels(whole, volume.geometry, NAMES, COLORS)


@pytest.fixture(scope="module")
def task(segmenter: Segmenter, first_patient: tuple[Volume, Annotation]) -> Task:
    return segmenter.teach(*first_patient)


@pytest.fixture(scope="module")
def second_truth() -> np.ndarray:
    return organs_at((6, -4, 5), shape=(52, 60, 60), size=1.1)


@pytest.fixture(scope="module")
def second_patient(second_truth: np.ndarray) -> Volume:
    """Another patient on another grid: organs elsewhere, larger, other voxels."""
    return scan_of(second_truth, spacing=(1.0, 1.0, 1.4), angles=(0, 10, 0))


@pytest.fixture(scope="module")
def found(segmenter: Segmenter, task: Task, second_patient: Volume) -> Segmentation:
    return segmenter.apply(task, second_patient)


def test_structures_are_found_in_the_next_patient_without_slices(found: Segmentation, second_truth: np.ndarray) -> None:
    assert dice(found.labels == 1, second_truth == 1) > 0.75
    assert dice(found.labels == 2, second_truth == 2) > 0.65
    assert [(s.label, s.name) for s in found.structures] == [(1, "liver"), (2, "cyst")]
    assert found.familiarity is not None
    assert found.familiarity > 0.5
    assert found.next_slice is not None


def test_a_slice_makes_the_answer_better(
    segmenter: Segmenter, task: Task, second_patient: Volume, second_truth: np.ndarray
) -> None:
    middle = draw(second_truth, (0, 26))
    annotation = annotation_from_labels(middle, second_patient.geometry)
    helped = segmenter.apply(task, second_patient, annotation, NO_TIME)
    assert np.array_equal(helped.labels[26], second_truth[26])
    assert dice(helped.labels == 1, second_truth == 1) > 0.85
    assert dice(helped.labels == 2, second_truth == 2) > 0.8
    assert [s.name for s in helped.structures] == ["liver", "cyst"]


def test_a_structure_that_no_slice_shows_is_still_found(
    segmenter: Segmenter, task: Task, second_patient: Volume, second_truth: np.ndarray
) -> None:
    only_liver = draw(np.where(second_truth == 1, 1, 0).astype(np.uint8), (2, 20))
    annotation = annotation_from_labels(only_liver, second_patient.geometry)
    both = segmenter.apply(task, second_patient, annotation, NO_TIME)
    assert dice(both.labels == 2, second_truth == 2) > 0.6
    assert not (both.labels[:, :, 20] == 2).any()


def test_an_unlike_volume_is_said_to_be_unlike(
    segmenter: Segmenter, task: Task, second_patient: Volume, found: Segmentation
) -> None:
    noise = np.random.default_rng(1).normal(0, 300, second_patient.array.shape).astype(np.int16)
    lost = segmenter.apply(task, replace(second_patient, array=noise))
    assert lost.familiarity is not None and found.familiarity is not None
    assert lost.familiarity < found.familiarity
    assert any("annotate one slice" in note for note in lost.notes)
    assert [s.label for s in lost.structures] == [1, 2]


@dataclass(frozen=True)
class Twins:
    """A volume with two livers: one where the liver was taught, and the one that is meant (bool, same grid)."""

    volume: Volume
    taught: np.ndarray
    meant: np.ndarray


@pytest.fixture(scope="module")
def twins() -> Twins:
    taught, meant = (organs_at((0, moved, 0), shape=(44, 110, 60)) for moved in (0, 50))
    return Twins(scan_of(np.maximum(taught, meant), spacing=(0.9, 0.9, 1.5)), taught == 1, meant == 1)


def test_slices_say_where_to_look(segmenter: Segmenter, task: Task, twins: Twins) -> None:
    annotation = annotation_from_labels(draw(twins.meant.astype(np.uint8), (0, 20)), twins.volume.geometry)
    found = segmenter.apply(task, twins.volume, annotation, NO_TIME)
    assert dice(found.labels == 1, twins.meant) > 0.8


def test_an_earlier_frame_says_where_to_look_unless_slices_do(segmenter: Segmenter, task: Task, twins: Twins) -> None:
    earlier = np.roll(twins.meant, 2, axis=1).astype(np.uint8)  # it has moved a little since
    found = segmenter.apply(task, twins.volume, None, NO_TIME, earlier=earlier)
    assert dice(found.labels == 1, twins.meant) > 0.75
    annotation = annotation_from_labels(draw(twins.taught.astype(np.uint8), (0, 20)), twins.volume.geometry)
    drawn = segmenter.apply(task, twins.volume, annotation, NO_TIME, earlier=earlier)
    assert dice(drawn.labels == 1, twins.taught) > 0.8


def test_an_earlier_frame_with_nothing_changes_nothing_and_one_of_another_grid_is_refused(
    segmenter: Segmenter, task: Task, second_patient: Volume, found: Segmentation
) -> None:
    nothing = np.zeros(second_patient.array.shape, np.uint8)
    assert np.array_equal(segmenter.apply(task, second_patient, earlier=nothing).labels, found.labels)
    with pytest.raises(InputError, match="labels have shape"):
        segmenter.apply(task, second_patient, earlier=np.ones((2, 3, 4), np.uint8))


@pytest.fixture
def a_long_thought() -> tuple[Case, Answer]:
    """One slice of a rod, a prior that goes on to both ends of the volume, and an answer that stays near the slice."""
    shape = (40, 16, 16)
    rod = np.zeros(shape, np.uint8)
    rod[:, 6:10, 6:10] = 1
    labels = torch.from_numpy(draw(rod, (0, 20)))
    scene = Scene(torch.from_numpy(rod).float(), labels, (1.0, 1.0, 1.0))
    grid = Grid(Box((0.0, 0.0, 0.0), (40.0, 16.0, 16.0)), shape)
    prior = Answer(grid, 0.95 * torch.from_numpy(rod).float())
    near = torch.zeros(shape)
    near[14:27] = 0.9 * torch.from_numpy(rod[14:27]).float()
    near[14:27, 5] = 0.7
    query = Query(scene, 1, make_prompt(scene, 1, grid), grid)
    whole = (slice(0, 40), slice(0, 16), slice(0, 16))
    return Case(whole, Support(scene, 1, ()), query, prior, prior), Answer(grid, near)


def test_far_from_the_slices_a_thought_that_fits_them_counts(a_long_thought: tuple[Case, Answer]) -> None:
    case, answer = a_long_thought
    drawn = fuse_prior(answer, case, fit=1.0).probability > 0.5
    assert bool(drawn[[0, 39], 7, 7].all())
    assert bool(drawn[20, 5, 7])


def test_a_thought_that_does_not_fit_the_slices_is_left_out(a_long_thought: tuple[Case, Answer]) -> None:
    case, answer = a_long_thought
    assert fuse_prior(answer, case, fit=0.4) is answer
    without = replace(case, prior=None)
    assert fuse_prior(answer, without, fit=1.0) is answer


def test_a_task_is_small_and_has_no_pixels(task: Task, first_patient: tuple[Volume, Annotation]) -> None:
    assert len(to_bytes(task)) < LARGEST / MOST_SUBJECTS
    assert max(values.size for values in task.numbers.values()) < first_patient[0].array.size / 10
    liver, cyst = task.structures
    assert (liver.name, liver.color) == ("liver", COLORS[1])
    assert "10200004" in liver.terminology
    assert "367643001" in cyst.terminology


def test_the_same_volume_teaches_the_same(
    segmenter: Segmenter, task: Task, first_patient: tuple[Volume, Annotation]
) -> None:
    assert to_bytes(segmenter.teach(*first_patient)) == to_bytes(task)


def test_a_task_read_back_answers_as_before(
    segmenter: Segmenter, task: Task, second_patient: Volume, found: Segmentation
) -> None:
    again = segmenter.apply(from_bytes(to_bytes(task)), second_patient)
    assert np.array_equal(again.labels, found.labels)


def test_a_task_grows_with_a_case_up_to_a_bound(
    segmenter: Segmenter, task: Task, second_patient: Volume, second_truth: np.ndarray, found: Segmentation
) -> None:
    accepted = annotation_from_labels(np.where(second_truth == 0, 255, second_truth), second_patient.geometry, NAMES)
    crowded = task
    for _ in range(MOST_SUBJECTS - 1):
        crowded = replace(crowded, numbers=_with_another_lesson(crowded))
    grown = segmenter.teach(second_patient, accepted, crowded)
    assert grown.provenance.volumes == 2
    assert sum(name.endswith("/cell_mm") for name in grown.numbers) == MOST_SUBJECTS
    assert len(to_bytes(grown)) < LARGEST
    both = segmenter.teach(second_patient, accepted, task)
    better = segmenter.apply(both, second_patient)
    assert dice(better.labels == 1, second_truth == 1) > 0.85


def test_an_answer_completes_an_annotation(second_patient: Volume, second_truth: np.ndarray) -> None:
    annotation = annotation_from_labels(draw(second_truth, (0, 26)), second_patient.geometry, NAMES)
    answer = np.zeros_like(second_truth)
    answer[10] = 2
    whole = complete(annotation, answer)
    assert np.array_equal(whole.labels[26] % 255, second_truth[26])
    assert (whole.labels[10] == 2).all()
    assert (whole.labels[11] == 255).all()
    assert whole.names == NAMES


def test_what_cannot_be_taught_is_refused(
    segmenter: Segmenter, task: Task, first_patient: tuple[Volume, Annotation]
) -> None:
    volume, whole = first_patient
    few = annotation_from_labels(draw(whole.labels % 255, (0, 20)), volume.geometry, NAMES)
    with pytest.raises(InputError, match="some voxels are unknown"):
        segmenter.teach(volume, few)
    with pytest.raises(InputError, match=r"the task is for liver \(1\), cyst \(2\).*teach the same"):
        segmenter.teach(volume, replace(whole, names={1: "spleen", 2: "cyst"}), task)


def test_a_task_of_other_weights_or_labels_is_refused(
    segmenter: Segmenter, task: Task, first_patient: tuple[Volume, Annotation]
) -> None:
    volume, whole = first_patient
    foreign = replace(task, provenance=replace(task.provenance, weights="0" * 64))
    with pytest.raises(InputError, match="other weights"):
        segmenter.apply(foreign, volume)
    other = annotation_from_labels(np.where(whole.labels == 2, 9, whole.labels), volume.geometry)
    with pytest.raises(InputError, match=r"label 9 is annotated, but the task is for liver \(1\), cyst \(2\)"):
        segmenter.apply(task, volume, other)
    short = replace(task, numbers={n: v for n, v in task.numbers.items() if n != "0/1/bias0"})
    with pytest.raises(InputError, match="the task is damaged"):
        segmenter.apply(short, volume)


def test_teaching_shows_progress_and_can_be_cancelled(
    segmenter: Segmenter, first_patient: tuple[Volume, Annotation]
) -> None:
    seen: list[tuple[str, float]] = []
    progress = Progress(lambda stage, share: seen.append((stage, share)), lambda: len(seen) > 1)
    with pytest.raises(Cancelled):
        segmenter.teach(*first_patient, progress=progress)
    assert [stage for stage, _ in seen] == ["learning the task"] * 2


def test_context_is_the_image_at_and_around_a_cell() -> None:
    image = torch.arange(4 * 5 * 6, dtype=torch.float32).reshape(4, 5, 6)
    cell = (2 * 5 + 3) * 6 + 4
    near = Context(image, (1,)).of(torch.tensor([cell]))[0].reshape(3, 3, 3)
    assert torch.equal(near, image[1:4, 2:5, 3:6])
    corner = Context(image, (1,)).of(torch.tensor([0]))[0].reshape(3, 3, 3)
    assert torch.equal(corner[0, 0], torch.tensor([0.0, 0.0, 1.0]))


def test_what_is_looked_for_ever_further_on_is_not_looked_for_outside_the_volume() -> None:
    """A perceptron that sees the structure ahead along k wherever it looks."""
    ahead = torch.zeros(1, FEATURES)
    ahead[0, FEATURES - 9] = 1
    one, zero = torch.ones(1, 1), torch.zeros(1)
    layers = {"weight0": ahead, "bias0": zero, "weight1": one, "bias1": zero, "weight2": 50 * one, "bias2": zero - 20}
    perceptron = Perceptron({"mean": torch.zeros(FEATURES), "deviation": torch.ones(FEATURES), **layers})
    image = torch.randn(30, 20, 20, generator=Generator().manual_seed(0))
    grid, found = Delineator(perceptron, (6.0, 6.0, 6.0), 100.0).probability(
        image, (1.0, 1.0, 1.0), (28.0, 10.0, 10.0), Progress()
    )
    assert bool((found > 0.5).any())
    assert 28 < (grid.box.start[0] + grid.box.stop[0]) / 2 <= 31


def test_standardising_ignores_metal_gain_and_offset() -> None:
    image = torch.randn(20, 20, 20, generator=Generator().manual_seed(0))
    brighter = 40 * image + 300
    brighter[0, 0, :3] = 30000
    assert torch.allclose(standardised(brighter)[1:], standardised(image)[1:], atol=0.05)


def test_image_and_masks_move_together() -> None:
    image = torch.zeros(30, 32, 34)
    image[8:20, 10:22, 12:24] = 1
    generator = Generator().manual_seed(3)
    for _ in range(5):
        view, masks = random_view(image, image[None], generator)
        inside, outside = view[masks[0] > 0.9].mean(), view[masks[0] < 0.1].mean()
        assert inside > outside + 0.5
        assert view.shape == masks.shape[1:]


def _with_another_lesson(task: Task) -> dict[str, np.ndarray]:
    subjects = sum(name.endswith("/cell_mm") for name in task.numbers)
    first = {f"{subjects}{name[1:]}": values for name, values in task.numbers.items() if name.startswith("0/")}
    return {**task.numbers, **first}
