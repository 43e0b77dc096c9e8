"""The random walker: what scikit-image finds, and an earlier answer carried to the image's edges."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from skimage.segmentation import random_walker
from torch import Generator, Tensor

from metasegment.grid import Box, Grid
from metasegment.prompts import Scene
from metasegment.prompts.appearance import Appearance, learn_appearance
from metasegment.prompts.random_walker import AVOIDANCE, walk

STRUCTURE, BACKGROUND = 1, 255
SHAPE = (20, 24, 28)
GRID = Grid(Box((0.0, 0.0, 0.0), (20.0, 24.0, 28.0)), SHAPE)


@pytest.fixture
def a_noisy_ball() -> tuple[Scene, Tensor]:
    """A bright ball, annotated on its middle slice alone, and where it is."""
    k, j, i = torch.meshgrid(*(torch.arange(n) for n in SHAPE), indexing="ij")
    ball = (k - 10) ** 2 + (j - 12) ** 2 + (i - 14) ** 2 < 49
    labels = torch.zeros(SHAPE, dtype=torch.uint8)
    labels[10] = torch.where(ball[10], STRUCTURE, BACKGROUND)
    image = 3.0 * ball + 0.4 * torch.randn(SHAPE, generator=Generator().manual_seed(1))
    return Scene(image, labels, (2.0, 1.0, 1.0)), ball


def appearance_of(scene: Scene) -> Appearance:
    return learn_appearance(scene.image, (scene.labels == STRUCTURE).float(), (scene.labels == BACKGROUND).float())


def test_it_finds_what_scikit_image_finds(a_noisy_ball: tuple[Scene, Tensor]) -> None:
    scene, _ = a_noisy_ball
    appearance = appearance_of(scene)
    image = appearance.standardise(scene.image).double().numpy()
    seeds = np.select([scene.labels.numpy() == STRUCTURE, scene.labels.numpy() == BACKGROUND], [1, 2], 0)
    # scikit-image divides by ten standard deviations.
    beta = AVOIDANCE * 10 * image.std()
    theirs = random_walker(image, seeds, beta=beta, mode="cg_j", tol=1e-6, spacing=(2, 1, 1), return_full_prob=True)[0]
    ours = walk(scene, STRUCTURE, appearance, GRID, None)
    assert np.abs(ours.numpy() - theirs).mean() < 0.02
    assert ((ours.numpy() > 0.5) != (theirs > 0.5)).mean() < 0.01


def test_an_earlier_answer_is_carried_to_the_edges_of_the_image(a_noisy_ball: tuple[Scene, Tensor]) -> None:
    scene, ball = a_noisy_ball
    k, j, i = torch.meshgrid(*(torch.arange(n) for n in SHAPE), indexing="ij")
    shifted = ((k - 11) ** 2 + (j - 14) ** 2 + (i - 14) ** 2 < 49).float()
    found = walk(scene, STRUCTURE, appearance_of(scene), GRID, shifted) > 0.5
    assert (found != ball).sum() < 0.2 * ((shifted > 0.5) != ball).sum()


def test_the_faces_of_the_grid_say_what_the_earlier_answer_says(a_noisy_ball: tuple[Scene, Tensor]) -> None:
    scene, _ = a_noisy_ball
    earlier = torch.rand(SHAPE, generator=Generator().manual_seed(2))
    found = walk(scene, STRUCTURE, appearance_of(scene), GRID, earlier)
    unknown = scene.labels[:, 0] == 0
    torch.testing.assert_close(found[:, 0][unknown], earlier[:, 0][unknown])


def test_annotated_cells_keep_their_side(a_noisy_ball: tuple[Scene, Tensor]) -> None:
    scene, ball = a_noisy_ball
    for earlier in (None, torch.zeros(SHAPE)):
        found = walk(scene, STRUCTURE, appearance_of(scene), GRID, earlier)
        assert torch.equal(found[10] > 0.5, ball[10])


def test_without_anything_known_every_cell_is_even_odds() -> None:
    scene = Scene(torch.rand(SHAPE), torch.zeros(SHAPE, dtype=torch.uint8), (1.0, 1.0, 1.0))
    assert (walk(scene, STRUCTURE, appearance_of(scene), GRID, None) == 0.5).all()
