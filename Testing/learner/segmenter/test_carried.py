"""Where the answer is averaged with slice propagation."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from metasegment.annotation import BACKGROUND
from metasegment.grid import Box, Grid
from metasegment.prompts import Scene, make_prompt
from metasegment.segmenter.answer import Answer
from metasegment.segmenter.carried import SHARE, with_carried
from metasegment.strategies import Query

SHAPE = (24, 32, 32)


def a_query(*planes: int) -> tuple[Query, Tensor]:
    """A bright cylinder along k, annotated on planes across k; and its mask."""
    rows = torch.arange(32)
    disc = ((rows[:, None] - 16) ** 2 + (rows - 16) ** 2).sqrt() < 8
    mask = disc.expand(SHAPE)
    labels = torch.zeros(SHAPE, dtype=torch.uint8)
    labels[list(planes)] = torch.where(mask[list(planes)], 1, BACKGROUND).to(torch.uint8)
    image = 3.0 * mask + torch.rand(SHAPE, generator=torch.Generator().manual_seed(0))
    scene = Scene(image, labels, (1.0, 1.0, 1.0))
    grid = Grid(Box((0, 0, 0), (24, 32, 32)), SHAPE)
    return Query(scene, 1, make_prompt(scene, 1, grid), grid), mask


def nothing_on(grid: Grid) -> Answer:
    return Answer(grid, torch.zeros(grid.shape))


def test_between_slices_what_is_carried_counts_and_beyond_them_it_does_not() -> None:
    query, mask = a_query(6, 16)
    found = with_carried(nothing_on(query.grid), query).probability
    inside = found[:, mask[0]]
    assert (found[:6] == 0).all() and (found[17:] == 0).all()
    assert float(inside[7:16].mean()) > 0.2
    assert float(found.max()) <= SHARE


def test_with_one_slice_it_counts_everywhere_and_less_with_the_way() -> None:
    query, mask = a_query(12)
    means = with_carried(nothing_on(query.grid), query).probability[:, mask[0]].mean(1)
    assert (means > 0).all()
    assert float(means[12]) > float(means[18]) > float(means[23])


def test_the_answer_stays_on_its_own_grid() -> None:
    query, _ = a_query(6, 16)
    coarse = Grid(query.grid.box, (16, 16, 16))
    answer = Answer(coarse, torch.full(coarse.shape, 0.9))
    found = with_carried(answer, query)
    assert found.grid == coarse
    assert found.probability.shape == coarse.shape


@pytest.mark.parametrize("planes", [(), (5,)])
def test_without_a_slice_that_shows_the_structure_nothing_changes(planes: tuple[int, ...]) -> None:
    query, _ = a_query(12)
    labels = torch.zeros(SHAPE, dtype=torch.uint8)
    labels[list(planes)] = BACKGROUND
    scene = Scene(query.scene.image, labels, (1.0, 1.0, 1.0))
    empty = Query(scene, 1, make_prompt(scene, 1, query.grid), query.grid)
    answer = Answer(query.grid, torch.rand(SHAPE))
    assert torch.equal(with_carried(answer, empty).probability, answer.probability)
