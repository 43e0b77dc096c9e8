"""Tubes: cross-sections between and beyond slices that lie many diameters apart."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pytest
import torch
from torch import Tensor

from metasegment.annotation import BACKGROUND
from metasegment.grid import Box, Grid
from metasegment.prompts import Scene
from metasegment.segmenter.answer import Answer
from metasegment.segmenter.cross_section import LARGEST_SHARE, regularise

STRUCTURE = 3
LENGTH, WIDTH = 80, 16
RADIUS = 2.6


@dataclass(frozen=True)
class Tube:
    """A tube along one axis of a scene, annotated across it on some planes, absent on others."""

    axis: int
    truth: Tensor
    scene: Scene

    def areas(self, answer: Answer) -> np.ndarray:
        """Voxels above one half on each plane across the tube."""
        return (answer.probability.movedim(self.axis, 0) > 0.5).flatten(1).sum(1).numpy()


def tube_along(axis: int, drawn: tuple[int, ...], absent: tuple[int, ...] = ()) -> Tube:
    i = torch.arange(WIDTH) - WIDTH / 2
    disc = i[:, None] ** 2 + i[None] ** 2 < RADIUS**2
    truth = disc.expand(LENGTH, WIDTH, WIDTH).clone()
    labels = torch.zeros(truth.shape, dtype=torch.uint8)
    for plane in drawn:
        labels[plane] = torch.where(truth[plane], STRUCTURE, BACKGROUND).to(torch.uint8)
    for plane in absent:
        labels[plane] = BACKGROUND
    truth, labels = truth.movedim(0, axis), labels.movedim(0, axis).contiguous()
    return Tube(axis, truth, Scene(torch.zeros(labels.shape), labels, (1.0, 1.0, 1.0)))


def seen_as(tube: Tube, inside: float, step: float = 1.0) -> Answer:
    """An answer about so sure inside the tube, and 0.002 outside, on a grid of the scene's voxels or coarser."""
    unlike = 1 - 0.1 * torch.rand(tube.truth.shape, generator=torch.Generator().manual_seed(0))  # no two voxels alike
    probability = torch.where(tube.truth, inside * unlike, 0.002)
    k, j, i = (round(n / step) for n in probability.shape)
    if step != 1.0:
        probability = torch.nn.functional.interpolate(probability[None, None], (k, j, i), mode="trilinear")[0, 0]
    stop = tuple(float(n) for n in tube.truth.shape)
    return Answer(Grid(Box((0.0, 0.0, 0.0), (stop[0], stop[1], stop[2])), (k, j, i)), probability)


@pytest.mark.parametrize("axis", [0, 1, 2])
def test_a_tube_that_fades_between_its_slices_and_beyond_them_is_whole(axis: int) -> None:
    tube = tube_along(axis, drawn=(22, 56))
    found = tube.areas(regularise(seen_as(tube, inside=0.2), tube.scene, STRUCTURE))
    true = int(tube.truth.movedim(axis, 0)[0].sum())
    assert set(found[5:22]) == set(found[23:56]) == set(found[57:74]) == {round(true**LARGEST_SHARE)}
    assert not found[:5].any()
    assert not found[74:].any()


def test_a_tube_that_swells_between_its_slices_is_drawn_back_to_its_most_probable_voxels() -> None:
    tube = tube_along(0, drawn=(10, 70))
    answer = seen_as(tube, inside=0.9)
    unlike = 0.1 * torch.rand((40, WIDTH - 4, WIDTH - 4), generator=torch.Generator().manual_seed(1))
    answer.probability[20:60, 2:-2, 2:-2] = answer.probability[20:60, 2:-2, 2:-2].maximum(0.6 + unlike)
    found = regularise(answer, tube.scene, STRUCTURE)
    true, seen = int(tube.truth[0].sum()), (WIDTH - 4) ** 2
    assert tube.areas(found)[40] == round(true**LARGEST_SHARE * seen ** (1 - LARGEST_SHARE))
    assert (found.probability[40][tube.truth[40]] > 0.5).all()


def test_areas_are_interpolated_between_slices_of_different_sizes() -> None:
    tube = tube_along(0, drawn=(5, 75))
    tube.scene.labels[75] = BACKGROUND
    tube.scene.labels[75, 6:9, 6:10] = STRUCTURE
    areas = tube.areas(regularise(seen_as(tube, inside=0.2), tube.scene, STRUCTURE))
    assert areas[10] > areas[70] > 1
    assert (np.diff(areas[6:75]) <= 0).all()


def test_between_slices_of_very_different_sizes_the_network_knows_better() -> None:
    alike, unlike = tube_along(0, drawn=(5, 75)), tube_along(0, drawn=(5, 75))
    unlike.scene.labels[75] = BACKGROUND
    unlike.scene.labels[75, 8, 8] = STRUCTURE
    areas = [tube.areas(regularise(seen_as(tube, inside=0.2), tube.scene, STRUCTURE)) for tube in (alike, unlike)]
    assert areas[0][10] > 5 * areas[1][10]


def test_a_slice_on_which_the_tube_is_absent_ends_it() -> None:
    tube = tube_along(0, drawn=(25, 55), absent=(60,))
    found = tube.areas(regularise(seen_as(tube, inside=0.2), tube.scene, STRUCTURE))
    assert found[26:55].all()
    assert not found[56:].any()


def test_what_is_added_gives_way_to_a_structure_that_is_surer() -> None:
    tube = tube_along(0, drawn=(22, 56))
    answer = seen_as(tube, inside=0.2)
    answer.probability[40] = seen_as(tube, inside=0.9).probability[40]
    found = regularise(answer, tube.scene, STRUCTURE).probability
    assert 0.5 < found[30].max() <= 0.6
    assert found[40].max() > 0.8


def test_what_the_network_rules_out_is_not_filled_in() -> None:
    tube = tube_along(0, drawn=(25, 55))
    found = tube.areas(regularise(seen_as(tube, inside=0.005), tube.scene, STRUCTURE))
    assert not found.any()


def test_the_answer_comes_from_a_coarser_grid_to_the_voxels() -> None:
    tube = tube_along(0, drawn=(10, 70))
    found = regularise(seen_as(tube, inside=0.9, step=2.0), tube.scene, STRUCTURE)
    assert tuple(found.probability.shape) == tuple(tube.truth.shape)
    assert found.grid.step == (1.0, 1.0, 1.0)
    assert (tube.areas(found)[11:70] > 0).all()


def test_slices_close_together_for_the_structures_width_change_nothing() -> None:
    tube = tube_along(0, drawn=(36, 44))
    answer = seen_as(tube, inside=0.2)
    assert regularise(answer, tube.scene, STRUCTURE) is answer


def test_distances_are_in_millimetres() -> None:
    tube = tube_along(0, drawn=(36, 44))
    thick = Scene(tube.scene.image, tube.scene.labels, (5.0, 1.0, 1.0))
    assert tube.areas(regularise(seen_as(tube, inside=0.2), thick, STRUCTURE))[37:44].all()
