"""The peers of the benchmark, each run for real on a small anisotropic ellipsoid where its package is installed."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from helpers.grids import geometry_with

from metasegment.annotation import BACKGROUND, annotation_from_labels
from metasegment.benchmark.method import STRUCTURE, Method, Study
from metasegment.benchmark.methods import all_methods
from metasegment.benchmark.methods.nninteractive import WEIGHTS, lassos
from metasegment.benchmark.methods.random_walker import MOST_CELLS, grid_of
from metasegment.benchmark.methods.scratch_unet import trained
from metasegment.benchmark.packages import absent
from metasegment.benchmark.region import (
    closed_seeds,
    effect_region,
    in_volume,
    scene_in,
    starting_box,
    starting_region,
)
from metasegment.grid import Grid, working_grid
from metasegment.measures.dice import dice
from metasegment.network.engine import Engine
from metasegment.network.unet import load_network
from metasegment.progress import Progress
from metasegment.prompts import known_fractions
from metasegment.segmenter.locate import SegmentRequest, locate
from metasegment.strategies import all_strategies
from metasegment.volume import Volume

SHAPE = (24, 44, 40)  # k, j, i
CENTRE, RADII = (11.0, 21.0, 18.0), (7.0, 13.0, 11.0)
SPACING_IJK = (0.8, 0.8, 1.6)
HELPED = ("grow_from_seeds_roi", "random_walker", "biomedisa")


@pytest.fixture(scope="module")
def an_ellipsoid() -> np.ndarray:
    """The truth: bool (k, j, i)."""
    axes = np.ogrid[: SHAPE[0], : SHAPE[1], : SHAPE[2]]
    return np.asarray(sum(((a - c) / r) ** 2 for a, c, r in zip(axes, CENTRE, RADII, strict=True)) <= 1)


@pytest.fixture(scope="module")
def study_with(an_ellipsoid: np.ndarray) -> Callable[..., Study]:
    """Builds a study of the ellipsoid, CT-like with noise, from annotated planes (axis, index)."""

    def build(*planes: tuple[int, int], seconds: float | None = None) -> Study:
        labels = np.zeros(SHAPE, np.uint8)
        for axis, index in planes:
            truth = an_ellipsoid.swapaxes(0, axis)[index]
            labels.swapaxes(0, axis)[index] = np.where(truth, STRUCTURE, BACKGROUND)
        image = 100 * an_ellipsoid + np.random.default_rng(0).normal(0, 15, SHAPE)
        geometry = geometry_with((SHAPE[2], SHAPE[1], SHAPE[0]), SPACING_IJK)
        return Study(Volume(image.astype(np.int16), geometry), annotation_from_labels(labels, geometry), seconds)

    return build


def peer(name: str) -> Method:
    """Finds a peer by name; skips, with its own reason, where it cannot run."""
    method = all_methods()[name]
    if reason := method.missing():
        pytest.skip(f"{name} {reason}")
    return method


def dice_off_slices(mask: np.ndarray, truth: np.ndarray, study: Study) -> float:
    unknown = study.annotation.labels == 0
    return dice(mask[unknown], truth[unknown])


@pytest.mark.parametrize(
    ("name", "least"), [("fill_between_slices", 0.85), ("grow_from_seeds", 0.9), *((n, 0.95) for n in HELPED)]
)
def test_peers_find_an_ellipsoid_from_three_axial_slices(
    name: str, least: float, study_with: Callable[..., Study], an_ellipsoid: np.ndarray
) -> None:
    study = study_with((0, 6), (0, 11), (0, 16))
    found = peer(name).predict(study)
    assert found.mask.dtype == bool
    assert dice_off_slices(found.mask, an_ellipsoid, study) > least


@pytest.mark.parametrize("name", HELPED)
def test_helped_peers_take_slices_of_any_axis(
    name: str, study_with: Callable[..., Study], an_ellipsoid: np.ndarray
) -> None:
    study = study_with((2, 13), (2, 18), (2, 23))
    assert dice_off_slices(peer(name).predict(study).mask, an_ellipsoid, study) > 0.9


def test_fill_between_slices_adds_nothing_to_one_slice(study_with: Callable[..., Study]) -> None:
    study = study_with((0, 11))
    found = peer("fill_between_slices").predict(study)
    np.testing.assert_array_equal(found.mask, study.annotation.labels == STRUCTURE)


def test_the_random_walker_says_how_sure_it_is(study_with: Callable[..., Study]) -> None:
    study = study_with((0, 6), (0, 16))
    found = peer("random_walker").predict(study)
    assert found.probability is not None
    annotated = study.annotation.labels
    assert (found.probability[annotated == STRUCTURE] == 1).all()
    assert (found.probability[annotated == BACKGROUND] == 0).all()
    np.testing.assert_array_equal(found.probability > 0.5, found.mask)


def test_a_network_from_scratch_learns_the_slices_it_is_shown(study_with: Callable[..., Study]) -> None:
    study = study_with((0, 6), (0, 11), (0, 16))
    whole = (slice(0, SHAPE[0]), slice(0, SHAPE[1]), slice(0, SHAPE[2]))
    scene = scene_in(study, whole, study.annotation.labels)
    grid = working_grid(starting_box(study), scene.spacing, 16**3)  # a step takes milliseconds
    inside, outside = known_fractions(scene, STRUCTURE, grid)
    steps = iter(range(30))
    found = trained(scene, grid, lambda: next(steps) < 28)[inside + outside > 0] > 0
    assert dice(found, inside[inside + outside > 0] >= 0.5) > 0.8


def test_a_network_from_scratch_answers_within_the_roi(study_with: Callable[..., Study]) -> None:
    study = study_with((0, 11), seconds=0.1)
    found = all_methods()["scratch_unet"].predict(study)
    assert found.probability is not None
    outside = np.ones(SHAPE, bool)
    outside[starting_region(study)] = False
    assert not found.probability[outside].any()
    assert found.probability[~outside].any()


def test_the_help_is_the_box_that_the_segmenter_starts_from(study_with: Callable[..., Study]) -> None:
    study = study_with((0, 6), (0, 16))
    found = locate(
        SegmentRequest(study.volume, study.annotation),
        STRUCTURE,
        None,
        all_strategies()["in_context"],
        Engine(load_network(), "cpu"),
        Progress(),
    )
    start = starting_box(study).start
    # An ellipsoid well inside its box makes the segmenter keep it.
    origin = [part.start for part in found.region]
    assert [edge + o for edge, o in zip(found.prompt.grid.box.start, origin, strict=True)] == list(start)


def test_faces_of_the_roi_are_background_but_not_at_the_border_of_the_volume(study_with: Callable[..., Study]) -> None:
    study = study_with((0, 11))
    region = (slice(0, 20), slice(4, 40), slice(3, 40))
    seeds = closed_seeds(study, region)
    assert (seeds[:, 0] != 0).all()
    assert (seeds[:, -1] != 0).all()
    assert (seeds[-1] == BACKGROUND).all()
    assert (seeds[:, :, 0] != 0).all()
    assert (seeds[0, 1:-1, 1:] == 0).all()
    assert (seeds[1:10, 1:-1, -1] == 0).all()
    np.testing.assert_array_equal(seeds[11], study.annotation.labels[11][4:40, 3:40])


def test_the_effects_work_in_the_box_of_the_seeds_and_a_tenth_at_least_three_voxels() -> None:
    segments = np.zeros((60, 50, 40), np.uint8)
    segments[5:46, 10:12, 38:40] = 1
    assert effect_region(segments) == (slice(1, 50), slice(7, 15), slice(35, 40))


def test_a_grid_over_the_volume_gives_back_its_own_voxels(study_with: Callable[..., Study]) -> None:
    study = study_with((0, 11))
    region = (slice(2, 20), slice(4, 40), slice(3, 30))
    scene = scene_in(study, region, study.annotation.labels[region])
    grid = grid_of(scene)
    assert grid.shape == scene.image.shape
    whole = in_volume(scene.image / 1000, grid, study, region)
    np.testing.assert_allclose(whole[region], study.volume.array[region] / 1000, atol=1e-3)
    assert np.count_nonzero(whole) <= 18 * 36 * 27


def test_a_large_roi_is_walked_on_a_coarser_grid() -> None:
    shape = (60, 150, 160)
    labels = np.zeros(shape, np.uint8)
    labels[30] = BACKGROUND
    labels[30, 40:110, 40:120] = STRUCTURE
    geometry = geometry_with((160, 150, 60))
    volume = Volume(np.arange(np.prod(shape), dtype=np.float32).reshape(shape), geometry)
    study = Study(volume, annotation_from_labels(labels, geometry))
    whole = (slice(0, 60), slice(0, 150), slice(0, 160))
    grid: Grid = grid_of(scene_in(study, whole, labels))
    assert np.prod(grid.shape) <= MOST_CELLS
    assert grid.box.extent == shape


def test_nninteractive_says_what_it_lacks(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    adapter = all_methods()["nninteractive"]
    monkeypatch.delenv(WEIGHTS, raising=False)
    assert WEIGHTS in (adapter.missing() or "")
    monkeypatch.setenv(WEIGHTS, str(tmp_path))
    assert "plans.json" in (adapter.missing() or "")


def test_nninteractive_gets_one_lasso_for_each_slice_that_shows_the_structure(
    study_with: Callable[..., Study], an_ellipsoid: np.ndarray
) -> None:
    masks = lassos(study_with((0, 1), (0, 11), (2, 18)))
    assert [int(m.sum()) for m in masks] == [an_ellipsoid[11].sum(), an_ellipsoid[:, :, 18].sum()]
    assert masks[1].any(axis=(0, 1)).nonzero()[0].tolist() == [18]


def test_what_to_install_is_said_in_a_line() -> None:
    assert absent("peers", "numpy") is None
    assert absent("peers", "numpy", "no-such-package") == ("needs no-such-package: pip install 'metasegment[peers]'")
