"""Tasks as methods see them, and what perturbations do to them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from helpers.benchmark_cases import labelled, task_with
from hypothesis import given
from hypothesis import strategies as st

from metasegment.annotation import AnnotatedSlice
from metasegment.benchmark import perturb
from metasegment.benchmark.cases import Case, load_case, make_case
from metasegment.benchmark.freeze import LEVELS
from metasegment.benchmark.protocol import Task
from metasegment.errors import InputError
from metasegment.volume import Geometry, Volume

MakeTask = Callable[..., Task]
Built = tuple[Volume, np.ndarray]


@pytest.fixture(scope="module")
def toy() -> Built:
    return labelled(0)


def made(toy: Built, task: Task) -> Case:
    return make_case(*toy, task)


def test_a_method_sees_the_annotated_slices_and_no_more(toy: Built) -> None:
    case = made(toy, task_with([(0, 12), (1, 8)]))
    labels = case.study.annotation.labels
    assert case.study.annotation.slices == (AnnotatedSlice(0, 12), AnnotatedSlice(1, 8))
    assert np.array_equal(labels[12] == 1, toy[1][12] == 1)
    assert (labels[12] != 0).all()
    labels = labels.copy()
    labels[12], labels[:, 8] = 0, 0
    assert not labels.any()


def test_a_case_is_read_with_the_geometry_of_its_file(small_data: Path) -> None:
    case = load_case(small_data / "validation", task_with([(0, 12)], case="two"))
    assert case.study.volume.geometry.origin == pytest.approx((-5.0, 3.0, 40.0))
    assert case.study.volume.geometry.spacing_kji == pytest.approx((2.0, 1.0, 1.0))


def test_data_that_do_not_fit_the_protocol_are_refused(small_data: Path) -> None:
    with pytest.raises(InputError, match="no such structure on slice 0"):
        load_case(small_data / "validation", task_with([(0, 0)]))
    with pytest.raises(InputError, match="no image and labels of case 'three'"):
        load_case(small_data / "validation", task_with([(0, 12)], case="three"))


@pytest.mark.parametrize("name", perturb.IMAGE)
def test_image_changes_keep_type_shape_and_truth_and_follow_the_seed(name: str, toy: Built) -> None:
    level = dict(LEVELS)[name]
    intact, changed = made(toy, task_with()), made(toy, task_with(name=name, level=level))
    image, before = changed.study.volume.array, intact.study.volume.array
    assert (image.dtype, image.shape) == (before.dtype, before.shape)
    assert not np.array_equal(image, before)
    assert np.array_equal(changed.truth, intact.truth)
    assert np.array_equal(changed.study.annotation.labels, intact.study.annotation.labels)
    assert np.array_equal(image, made(toy, task_with(name=name, level=level)).study.volume.array)
    ball, rest = image[changed.truth].mean(), image[~changed.truth].mean()
    assert ball > rest + 50  # it can still be seen


def test_noise_is_as_strong_as_it_says() -> None:
    image = np.linspace(0, 1000, 40**3, dtype=np.float32).reshape(40, 40, 40)
    added = perturb.noise(image, 0.1, 0) - image
    assert added.std() == pytest.approx(99, rel=0.03)
    assert not np.array_equal(perturb.noise(image, 0.1, 0), perturb.noise(image, 0.1, 1))


def test_a_bias_field_is_smooth_and_within_its_bounds() -> None:
    image = np.full((24, 24, 24), 100, np.float32)
    image[0] = 0
    factor = perturb.bias_field(image, 0.4, 3)[1:] / 100
    assert np.abs(factor - 1).max() == pytest.approx(0.4, abs=0.05)
    assert np.abs(np.diff(factor, axis=2)).max() < 0.1


def test_gamma_bends_the_range_and_leaves_what_is_beyond() -> None:
    image = np.tile(np.arange(1001, dtype=np.float32), (4, 4, 1))
    bent = perturb.gamma(image, 2.0, 0)
    low, high = perturb.intensity_range(image)
    assert bent[0, 0, 500] == pytest.approx(low + 0.25 * (high - low), rel=0.01)
    assert bent[0, 0, [0, 1000]] == pytest.approx([0, 1000])
    assert (np.diff(bent[0, 0]) >= 0).all()


def test_low_dose_is_noisiest_behind_most_tissue_and_has_few_grey_values() -> None:
    image = np.zeros((4, 64, 64), np.float32)
    image[:, 24:40, 24:40] = 1000
    noisy = perturb.low_dose(image, 0.02, 0)
    assert noisy[:, 24:40, 24:40].std() > 3 * noisy[:, :16, :16].std()
    assert len(np.unique(noisy)) < 200


def test_motion_makes_ghosts_along_one_axis_only() -> None:
    image = np.zeros((2, 64, 64), np.float32)
    image[:, 28:36, 28:36] = 1000
    ghosts = perturb.motion(image, 3.0, 1)
    assert np.abs(ghosts[:, :20, 28:36]).max() > 20
    assert np.abs(ghosts[:, :, :28]).max() < 1
    assert np.array_equal(perturb.motion(image, 0.0, 1).round(), image)


def test_thicker_slices_average_and_stay_where_they_were(awkward_geometry: Geometry) -> None:
    k, j, i = awkward_geometry.shape
    ramp = np.broadcast_to(np.arange(k, dtype=np.float32)[:, None, None], (k, j, i)).copy()
    thick = perturb.thicker_volume(Volume(ramp, awkward_geometry), 2)
    assert thick.array[:, 0, 0].tolist() == [0.5 + 2 * n for n in range(k // 2)]
    assert thick.geometry.spacing_kji[0] == pytest.approx(2 * awkward_geometry.spacing_kji[0])
    middle = (awkward_geometry.index_to_world @ [3, 2, 0.5, 1], thick.geometry.index_to_world @ [3, 2, 0, 1])
    assert middle[1] == pytest.approx(middle[0])


def test_truth_of_thicker_slices_is_what_fills_half_of_them(toy: Built, thick: str) -> None:
    case = made(toy, task_with([(0, 3)], name=thick, level=4))
    assert case.truth.shape == case.study.volume.array.shape == (6, 20, 22)
    share = (toy[1] == 1).reshape(6, 4, 20, 22).mean(axis=1)
    assert np.array_equal(case.truth, share >= 0.5)


@given(level=st.sampled_from([1, -1]), axis=st.sampled_from([0, 1, 2]))
def test_contours_move_by_one_voxel_in_their_plane(level: int, axis: int, toy: Built) -> None:
    index = (12, 8, 7)[axis]
    case = made(toy, task_with([(axis, index)], name="contour", level=level))
    drawn = case.study.annotation.labels.swapaxes(0, axis)[index] == 1
    truth = case.truth.swapaxes(0, axis)[index]
    smaller, larger = (truth, drawn) if level > 0 else (drawn, truth)
    assert smaller.sum() < larger.sum()
    assert not (smaller & ~larger).any()
    rim = np.argwhere(larger & ~smaller)
    inside = np.argwhere(smaller)
    assert np.abs(rim[:, None] - inside[None]).sum(axis=2).min(axis=1).max() <= 2
    assert np.array_equal(case.truth, toy[1] == 1)


def test_a_section_that_would_vanish_stays() -> None:
    labels = np.zeros((3, 5, 5), np.uint8)
    labels[1, 2, 2] = 1
    drawn = labels == 1
    perturb.contour(drawn, labels, 1, [(0, 1)], -1, 0)
    assert drawn[1, 2, 2]


def test_one_slice_carries_its_neighbours_annotation(toy: Built) -> None:
    slices = [(0, 8), (0, 12), (0, 16)]
    drawn = made(toy, task_with(slices, name="wrong_slice")).study.annotation.labels == 1
    truth = toy[1] == 1
    wrong = [k for _, k in slices if not np.array_equal(drawn[k], truth[k])]
    assert len(wrong) == 1
    assert np.array_equal(drawn[wrong[0]], truth[wrong[0] + 1])


def test_on_one_slice_another_structure_carries_the_name(toy: Built) -> None:
    slices = [(0, 8), (0, 12), (0, 16)]
    drawn = made(toy, task_with(slices, name="mislabelled")).study.annotation.labels == 1
    wrong = [k for _, k in slices if not np.array_equal(drawn[k], toy[1][k] == 1)]
    assert len(wrong) == 1
    assert np.array_equal(drawn[wrong[0]], toy[1][wrong[0]] == 2)


@pytest.mark.parametrize("first", [1, 12])
def test_without_another_structure_the_own_section_lies_aside(first: int) -> None:
    labels = np.zeros((3, 6, 20), np.uint8)
    labels[1, 2:4, first : first + 5] = 1
    drawn = labels == 1
    perturb.mislabelled(drawn, labels, 1, [(0, 1)], 1, 0)
    assert drawn.sum() == 10
    assert not (drawn & (labels == 1)).any()
