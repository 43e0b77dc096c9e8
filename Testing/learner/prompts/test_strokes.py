"""Strokes of a simulated user, and a body whose open space is filled."""

from __future__ import annotations

import torch
from torch import Generator

from metasegment.episodes.body import filled_body
from metasegment.episodes.strokes import draw_strokes


def test_strokes_lie_on_wrong_cells_and_say_what_is_true() -> None:
    truth = torch.zeros(12, 12, 12, dtype=torch.bool)
    truth[3:9, 3:9, 3:9] = True
    answer = truth.roll(3, 0)
    open_cells = torch.ones_like(truth)
    open_cells[4] = False
    drawn = 0
    for seed in range(30):
        inside, outside = draw_strokes(answer, truth, open_cells, Generator().manual_seed(seed)) > 0
        assert not (inside & ~(truth & ~answer & open_cells)).any()
        assert not (outside & ~(answer & ~truth & open_cells)).any()
        drawn += int(inside.sum()) + int(outside.sum())
    assert drawn > 30


def test_nothing_is_stroked_where_nothing_is_wrong() -> None:
    truth = torch.rand(8, 8, 8, generator=Generator().manual_seed(0)) > 0.5
    assert not draw_strokes(truth, truth, torch.ones_like(truth), Generator().manual_seed(1)).any()


def test_the_same_seed_draws_the_same_strokes() -> None:
    truth = torch.rand(8, 8, 8, generator=Generator().manual_seed(0)) > 0.5
    one, two = (draw_strokes(~truth, truth, truth | True, Generator().manual_seed(5)) for _ in range(2))
    assert torch.equal(one, two)


def test_open_space_in_a_body_becomes_tissue_and_air_stays_air() -> None:
    labels = torch.zeros(40, 60, 60, dtype=torch.int16)
    rows = torch.arange(60)
    body = ((rows[:, None] - 30) ** 2 + (rows - 30) ** 2).sqrt() < 25
    skin = body & ~(((rows[:, None] - 30) ** 2 + (rows - 30) ** 2).sqrt() < 22)
    labels[:, skin] = 1
    labels[10:30, 25:35, 25:35] = 2
    filled = filled_body(labels, Generator().manual_seed(2))
    gaps = (labels == 0) & body
    assert (filled[gaps] > 2).float().mean() > 0.5
    assert torch.equal(filled[labels > 0], labels[labels > 0])
    assert not filled[:, :2].any() and not filled[:, :, -2:].any()
