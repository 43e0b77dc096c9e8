"""What chance makes of a training volume: warps, contrasts, and the draws themselves."""

from __future__ import annotations

import math

import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Generator

from metasegment.episodes.bank import Bank
from metasegment.episodes.intensity import random_contrast
from metasegment.episodes.targets import eroded
from metasegment.episodes.warp import random_view
from metasegment.fields.chance import choose, integer, uniform


def seeded(seed: int) -> Generator:
    return Generator().manual_seed(seed)


@settings(max_examples=50, deadline=None)
@given(st.integers(0, 10**6))
def test_a_ball_is_still_about_a_ball_in_mm_after_any_warp(seed: int) -> None:
    spacing = (4.0, 1.0, 1.5)
    axes = [(torch.arange(n) - (n - 1) / 2) * s for n, s in zip((12, 80, 60), spacing, strict=True)]
    k, j, i = torch.meshgrid(*axes, indexing="ij")
    ball = ((k**2 + j**2 + i**2).sqrt() < 16).float()
    view = random_view(torch.stack([ball, ball]), spacing, 48**3, seeded(seed))
    assert torch.equal(view.values[0], view.values[1])
    points = (view.values[0] > 0.5).nonzero() * torch.tensor(view.spacing)
    # Stretched by 0.8 to 1.1 as seen from the new grid, bent by up to a few per cent, and sampled coarsely.
    volume = len(points) * math.prod(view.spacing) / (4 / 3 * math.pi * 16**3)
    assert 0.5 < volume < 2.3
    shortest, *_, longest = torch.linalg.eigvalsh(torch.cov(points.T)).sqrt().tolist()
    assert longest / shortest < 1.8


def test_views_differ_in_size_orientation_and_slice_thickness(bank: Bank) -> None:
    volume = bank.volumes["ct"][0]
    assert volume.image is not None
    views = [random_view(volume.image[None], volume.spacing, 40**3, seeded(seed)) for seed in range(30)]
    assert len({v.values.shape for v in views}) > 3
    anisotropy = [max(v.spacing) / min(v.spacing) for v in views]
    assert sum(a > 1.8 for a in anisotropy) >= 5
    assert sum(a < 1.2 for a in anisotropy) >= 5


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 10**6), st.sampled_from([1e-3, 1.0, 3000.0]))
def test_any_contrast_is_finite_and_keeps_the_anatomy(seed: int, scale: float) -> None:
    generator = seeded(1)
    image = torch.zeros(16, 16, 16)
    image[4:12, 4:12, 4:12] = 1
    image = scale * (image + 0.02 * torch.randn(image.shape, generator=generator))
    out = random_contrast(image, seeded(seed))
    assert out.isfinite().all()
    cube = image > 0.5 * scale
    assert abs(float(out[eroded(cube, 1)].mean() - out[eroded(~cube, 1)].mean())) > 0.3


@given(st.integers(0, 2**40), st.integers(-5, 5), st.integers(0, 10))
def test_whole_numbers_are_drawn_from_both_ends_on(seed: int, low: int, more: int) -> None:
    assert low <= integer(seeded(seed), low, low + more) <= low + more
    assert integer(seeded(seed), low, low) == low
    assert low <= uniform(seeded(seed), low, low + more) <= low + more


def test_every_option_is_chosen_except_those_of_no_weight() -> None:
    generator = seeded(0)
    assert {choose(generator, "abc") for _ in range(60)} == {"a", "b", "c"}
    assert {choose(generator, "abc", (1, 0, 1)) for _ in range(60)} == {"a", "c"}
    assert {integer(generator, 2, 4) for _ in range(60)} == {2, 3, 4}
