"""The geodesic competition between what was drawn inside and what outside, and how its lead fades."""

from __future__ import annotations

import math

import pytest
import torch
from helpers.masks import ORGAN, annotated, disc, ellipsoid
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Generator

from metasegment.grid import Box, working_grid
from metasegment.measures.dice import dice
from metasegment.network.channels import CHANNELS
from metasegment.prompts import Scene, make_channels, make_prompt, sharpened
from metasegment.prompts.geodesic import FADE_DIAMETERS, UNREACHED, faded, margin, sweep_by_planes, sweep_by_scan

COMPETITION = CHANNELS.index("geodesic")


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 10**6), st.integers(1, 40))
def test_a_scan_sweeps_as_planes_do(seed: int, size: int) -> None:
    generator = Generator().manual_seed(seed)
    seeds = torch.rand(size, 2, 5, 6, generator=generator) < 0.05
    cost = torch.rand(size - 1, 5, 6, generator=generator)
    one, other = (torch.where(seeds, 0.0, UNREACHED) for _ in range(2))
    sweep_by_planes(one, cost)
    sweep_by_scan(other, cost)
    torch.testing.assert_close(other, one, rtol=1e-6, atol=1e-4)


def test_the_geodesic_margin_separates_two_flat_regions() -> None:
    image = torch.zeros(16, 24, 24)
    image[:, :, 8:] = 2
    fg, bg = torch.zeros(2, *image.shape, dtype=torch.bool)
    fg[8, 12, 22] = True  # far from the border of the regions, which lies nearer to the background's seed
    bg[8, 12, 2] = True
    lead = margin(image, fg, bg, (1, 1, 1))
    assert lead.abs().max() <= 1
    assert (lead[:, :, 9:] > 0).all()
    assert (lead[:, :, :7] < 0).all()


def test_in_a_flat_image_the_nearer_seed_leads_in_mm() -> None:
    image = torch.zeros(12, 8, 20)
    fg, bg = torch.zeros(2, *image.shape, dtype=torch.bool)
    fg[0, 4, 4] = True
    bg[2, 4, 10] = True
    lead = margin(image, fg, bg, (5, 1, 1))
    # Two slices and two pixels from the structure, 12 mm; four pixels from the background, 4 mm.
    assert lead[2, 4, 6] < 0
    assert lead[0, 4, 6] > 0


def test_the_side_without_seeds_never_wins() -> None:
    image = torch.randn(12, 12, 12, generator=Generator().manual_seed(0))
    nothing, some = torch.zeros(2, 12, 12, 12, dtype=torch.bool)
    some[6] = True
    assert (margin(image, some, nothing, (1, 1, 1)) > 0.9).all()
    assert (margin(image, nothing, some, (1, 1, 1)) < -0.9).all()
    assert (margin(image, nothing, nothing, (1, 1, 1)) == 0).all()


def test_on_a_finer_part_of_the_grid_the_competition_finds_an_edge_that_was_too_thin_before() -> None:
    organ = ellipsoid((24, 48, 48), (12, 24, 24), (9, 16, 16))
    wall = ellipsoid((24, 48, 48), (12, 24, 24), (11, 18, 18)) & ~organ
    scene = Scene(100.0 * wall, annotated(organ, (0, 12)), (1, 1, 1))
    whole = Box((0, 0, 0), (24, 48, 48))
    coarse, fine = working_grid(whole, scene.spacing, 16**3), working_grid(whole, scene.spacing, 48**3)
    prompt = make_prompt(scene, ORGAN, coarse)
    found = {
        name: dice(make_channels(scene, ORGAN, p, fine)[COMPETITION] > 0, organ)
        for name, p in (("before", prompt), ("after", sharpened(prompt, scene, ORGAN, fine)))
    }
    assert found["after"] > 0.97 > 0.93 > found["before"]


def test_beyond_the_outermost_slices_the_lead_fades_by_one_over_some_diameters() -> None:
    mask = torch.zeros(60, 24, 24, dtype=torch.bool)
    mask[:] = disc((24, 24), 6)
    lead, spacing = torch.full((60, 24, 24), 0.5), (2.0, 1.0, 1.0)
    labels = annotated(mask, (0, 20), (0, 30))
    loss = (lead - faded(lead, (labels == ORGAN).float(), labels != 0, spacing)).flatten(1)
    diameter = 2 * math.sqrt(int(mask[0].sum()) / math.pi)
    assert (loss[20:31] == 0).all()
    assert loss[34].tolist() == pytest.approx([4 * 2.0 / (FADE_DIAMETERS * diameter)] * 24**2, abs=1e-5)
    assert torch.equal(loss[:20].flip(0), loss[31:51])


@pytest.mark.parametrize("slices", [[(0, 20)], [(0, 20), (0, 21)], [(0, 20), (0, 40)]])
def test_one_slice_says_nothing_about_the_end_of_a_structure(slices: list[tuple[int, int]]) -> None:
    mask = torch.zeros(60, 24, 24, dtype=torch.bool)
    mask[:30] = disc((24, 24), 6)  # absent on the slice at 40
    lead, labels = torch.full((60, 24, 24), 0.5), annotated(mask, *slices)
    assert torch.equal(faded(lead, (labels == ORGAN).float(), labels != 0, (1, 1, 1)), lead)
