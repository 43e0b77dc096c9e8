"""Measures against small cases counted by hand, and against MONAI's own metrics."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from monai.metrics.hausdorff_distance import HausdorffDistanceMetric
from monai.metrics.surface_dice import SurfaceDiceMetric

from metasegment.benchmark.measures import NEAR, calibration_error, measured
from metasegment.benchmark.method import Prediction

SHAPE = (20, 24, 24)
SPACING = (3.0, 1.0, 0.5)  # mm along k, j, i
NOTHING = np.zeros(SHAPE, bool)


def block(k: slice, j: slice, i: slice) -> np.ndarray:
    mask = np.zeros(SHAPE, bool)
    mask[k, j, i] = True
    return mask


TRUTH = block(slice(5, 15), slice(6, 18), slice(6, 18))


def test_a_perfect_prediction_is_perfect() -> None:
    found = measured(Prediction(TRUTH), TRUTH, NOTHING, SPACING)
    assert (found.dice, found.nsd, found.hd95, found.ece) == (1, 1, 0, None)


def test_dice_is_counted_on_voxels_that_were_not_annotated() -> None:
    annotated = block(slice(9, 10), slice(None), slice(None))
    half = TRUTH & block(slice(0, 10), slice(None), slice(None))  # slices 5…9 of 5…14
    assert measured(Prediction(half), TRUTH, annotated, SPACING).dice == pytest.approx(2 * 4 / (4 + 9))


def test_what_is_said_of_annotated_voxels_does_not_count() -> None:
    annotated = block(slice(8, 10), slice(None), slice(None))
    wrong_there = np.where(annotated, ~TRUTH, TRUTH)
    found = measured(Prediction(wrong_there), TRUTH, annotated, SPACING)
    assert (found.dice, found.nsd, found.hd95) == (1, 1, 0)


def test_surfaces_on_annotated_slices_are_not_counted() -> None:
    annotated = block(slice(5, 14), slice(None), slice(None))  # all but the last slice of the truth
    beside = np.roll(TRUTH, 6, axis=2)  # 3 mm to the side
    strict = measured(Prediction(beside), TRUTH, annotated, (30.0, 1.0, 0.5))
    # Each surface is the one slice that was not annotated, 12 x 12 voxels; 6 columns of 12 lie on the other's, and of
    # the rest those within 2 mm (4 columns) are near.
    assert strict.nsd == pytest.approx(10 / 12)


def test_distances_are_in_millimetres_along_each_axis() -> None:
    for axis, voxels in ((0, 1), (1, 3), (2, 6)):  # 3 mm each
        moved = np.roll(TRUTH, voxels, axis)
        assert measured(Prediction(moved), TRUTH, NOTHING, SPACING).hd95 == pytest.approx(3.0)


def test_within_two_millimetres_surfaces_are_the_same() -> None:
    near = measured(Prediction(np.roll(TRUTH, 2, 1)), TRUTH, NOTHING, SPACING)
    assert near.nsd == 1
    assert measured(Prediction(np.roll(TRUTH, 2, 1)), TRUTH, NOTHING, (3.0, 4.0, 0.5)).nsd < 1


def test_finding_nothing_is_as_far_as_the_box_is_wide() -> None:
    found = measured(Prediction(NOTHING), TRUTH, NOTHING, SPACING)
    box = [(10 + 4) * 3.0, (12 + 4) * 1.0, (12 + 4) * 0.5]  # truth and a margin of 2
    assert (found.dice, found.nsd) == (0, 0)
    assert found.hd95 == pytest.approx(math.hypot(*box))


def test_finding_something_where_nothing_is_left_to_find_is_wrong() -> None:
    found = measured(Prediction(np.ones(SHAPE, bool)), TRUTH, TRUTH, SPACING)
    assert (found.dice, found.nsd) == (0, 0)
    assert found.hd95 > 0
    assert measured(Prediction(NOTHING), TRUTH, TRUTH, SPACING).nsd == 1


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 10_000), spacing=st.tuples(*[st.sampled_from([0.14, 0.8, 1.0, 3.5])] * 3))
def test_without_annotated_voxels_the_measures_are_monais(seed: int, spacing: tuple[float, float, float]) -> None:
    rng = np.random.default_rng(seed)
    low = rng.integers(0, 8, 3)
    found = block(*(slice(int(a), int(a + n)) for a, n in zip(low, rng.integers(2, 12, 3), strict=True)))
    found ^= rng.random(SHAPE) < 0.01
    one, other = (torch.from_numpy(mask)[None, None].float() for mask in (found, TRUTH))
    here = measured(Prediction(found), TRUTH, NOTHING, spacing)
    nsd = SurfaceDiceMetric([2.0], include_background=True)(one, other, spacing=spacing)
    hd95 = HausdorffDistanceMetric(include_background=True, percentile=95)(one, other, spacing=spacing)
    assert here.nsd == pytest.approx(float(nsd), abs=1e-5)
    assert here.hd95 == pytest.approx(float(hd95), rel=1e-4)


def test_calibration_is_the_gap_between_promise_and_frequency() -> None:
    truth = np.array([True] * 7 + [False] * 3)
    assert calibration_error(np.full(10, 0.7), truth) == pytest.approx(0, abs=1e-6)
    assert calibration_error(np.full(10, 0.9), truth) == pytest.approx(0.2, abs=1e-6)
    assert calibration_error(truth.astype(float), truth) == 0
    assert calibration_error((~truth).astype(float), truth) == 1
    # Two bins of five: gaps of 0.4 and 0.2, half of the voxels each.
    assert calibration_error(np.repeat([0.6, 0.4], 5), truth[:10] | True) == pytest.approx(0.5, abs=1e-6)
    assert calibration_error(np.array([]), np.array([], bool)) == 0


def test_calibration_looks_near_the_truth_and_off_the_annotated_slices() -> None:
    truth = block(slice(9, 11), slice(11, 13), slice(11, 13))
    probability = truth.astype(np.float16)
    probability[:, :, 12 + NEAR + 2 :] = 1  # wrong, but far away
    annotated = block(slice(9, 10), slice(None), slice(None))
    probability[9] = 0.5  # wrong, but annotated
    assert measured(Prediction(truth, probability=probability), truth, annotated, SPACING).ece == 0
    probability[10] = 0.5
    assert measured(Prediction(truth, probability=probability), truth, annotated, SPACING).ece > 0
