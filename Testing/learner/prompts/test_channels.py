"""What the network is told: the visible slices, the intensities and classical answers made of them, nothing else."""

from __future__ import annotations

import itertools
from dataclasses import replace

import pytest
import torch
from helpers.masks import ORGAN, annotated, ellipsoid, index_of, voxel_grid
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Generator, Tensor

from metasegment.annotation import BACKGROUND
from metasegment.grid import Box, Grid, Resampled, resample
from metasegment.network.channels import CHANNELS, PREVIOUS
from metasegment.prompts import Scene, known_fractions, make_channels, make_prompt
from metasegment.prompts.appearance import learn_appearance
from metasegment.strategies.base import Support

OTHER = 2
IMAGE, STRUCTURE, OUTSIDE, SURFACE, DISTANCE, LIKELIHOOD, _, COMPETITION = range(8)
PROPAGATED = [CHANNELS.index(name) for name in ("carried", "change")]
OWN = [n for n in range(len(CHANNELS)) if n not in PROPAGATED]


def channels_of(scene: Scene, grid: Grid | None = None, structure: int = ORGAN) -> Tensor:
    grid = grid or voxel_grid(scene.image.shape)
    return make_channels(scene, structure, make_prompt(scene, structure, grid), grid)


@pytest.fixture
def a_scan_of_it(an_organ: Tensor) -> Tensor:
    """The organ is bright, with smooth noise and a gradient that has no symmetry."""
    noise = torch.randn(an_organ.shape, generator=Generator().manual_seed(4))
    smooth = torch.nn.functional.avg_pool3d(noise[None, None], 5, stride=1, padding=2)[0, 0]
    k, j, i = index_of(an_organ.shape)
    return 100 * an_organ + 60 * smooth + 0.5 * k + 0.2 * j + 0.1 * i


# --- intensities ---------------------------------------------------------------------------------------------------


def test_the_likelihood_ratio_is_high_where_the_structures_intensities_are() -> None:
    generator = Generator().manual_seed(1)
    organ = ellipsoid((24, 32, 32), (12, 16, 16), (6, 8, 8))
    lookalike = ellipsoid((24, 32, 32), (4, 6, 6), (3, 4, 4))
    image = 40 * (organ | lookalike) + 5 * torch.randn(organ.shape, generator=generator)
    labels = annotated(organ, (0, 12))
    ratio = channels_of(Scene(image, labels, (1, 1, 1)))[LIKELIHOOD]
    assert ratio.abs().max() <= 1
    assert ratio[organ].mean() > 0.5
    assert ratio[lookalike].mean() > 0.5  # intensity alone cannot tell it from the organ
    assert ratio[~(organ | lookalike)].mean() < -0.5


def test_an_image_of_equal_intensities_says_nothing() -> None:
    image = torch.full((16, 16, 16), 7.0)
    fg = torch.zeros(16, 16, 16)
    fg[8, 4:8] = 1
    appearance = learn_appearance(image, fg, 1 - fg)
    assert appearance.likelihood_ratio(image).abs().max() < 0.05
    assert appearance.standardise(image).isfinite().all()


@settings(max_examples=15, deadline=None)
@given(st.floats(-9, 3), st.floats(-3, 3))
def test_scale_and_offset_of_the_scanner_do_not_matter(decades: float, offset: float) -> None:
    gain = 10**decades  # diffusion in m²/s is a few 1e-9
    organ = ellipsoid((16, 16, 16), (8, 8, 8), (4, 4, 4))
    image = 30 * organ + torch.randn(organ.shape, generator=Generator().manual_seed(2))
    labels = annotated(organ, (0, 8))
    plain, other = (channels_of(Scene(x, labels, (1, 1, 1))) for x in (image, gain * (image + offset)))
    # A voxel at the border of two histogram bins may change sides by rounding; optical flow sees 8 bits.
    torch.testing.assert_close(plain[OWN], other[OWN], atol=0.05, rtol=0)
    assert float((plain - other)[PROPAGATED].abs().mean()) < 0.01


def test_metal_does_not_set_the_scale() -> None:
    organ = ellipsoid((32, 32, 32), (16, 16, 16), (6, 6, 6))
    image = 30 * organ + torch.randn(organ.shape, generator=Generator().manual_seed(2))
    labels = annotated(organ, (0, 16))
    metal = image.clone()
    metal[2, 2, 2:8] = 30000
    plain, other = (channels_of(Scene(x, labels, (1, 1, 1)))[LIKELIHOOD] for x in (image, metal))
    assert (plain - other).abs()[organ].max() < 0.2


# --- channels ------------------------------------------------------------------------------------------------------


def test_the_masks_say_what_is_structure_background_and_unknown(an_organ: Tensor, a_scan_of_it: Tensor) -> None:
    labels = annotated(an_organ, (0, 11), (2, 13))
    labels[0, 0, :10] = OTHER  # of another structure: known not to be this one
    channels = channels_of(Scene(a_scan_of_it, labels, (1, 1, 1)))
    assert torch.equal(channels[STRUCTURE], (labels == ORGAN).float())
    assert torch.equal(channels[OUTSIDE], ((labels == OTHER) | (labels == BACKGROUND)).float())
    assert channels.shape == (len(CHANNELS), *labels.shape)
    assert channels.isfinite().all()


def test_known_cells_share_out_one_whole_on_a_coarse_grid(an_organ: Tensor, a_scan_of_it: Tensor) -> None:
    scene = Scene(a_scan_of_it, annotated(an_organ, (0, 11)), (1, 1, 1))
    fg, bg = known_fractions(scene, ORGAN, Grid(Box((0, 0, 0), (24, 32, 28)), (8, 9, 7)))
    known = fg + bg > 0
    assert known.flatten(1).all(1).tolist() == [n == 3 for n in range(8)]
    torch.testing.assert_close((fg + bg)[known], torch.ones(9 * 7))
    assert ((fg > 0) & (fg < 1)).any()


def test_an_earlier_answer_is_passed_on_as_minus_one_to_one(an_organ: Tensor, a_scan_of_it: Tensor) -> None:
    scene = Scene(a_scan_of_it, annotated(an_organ, (0, 11)), (1, 1, 1))
    grid = voxel_grid(an_organ.shape)
    prompt = make_prompt(scene, ORGAN, grid)
    without = make_channels(scene, ORGAN, prompt, grid)
    earlier = make_channels(scene, ORGAN, prompt, grid, an_organ.float())
    assert (without[PREVIOUS] == 0).all()
    assert torch.equal(earlier[PREVIOUS], 2.0 * an_organ - 1)
    others = [n for n in range(len(CHANNELS)) if n != PREVIOUS]
    assert torch.equal(earlier[others], without[others])


def test_a_finer_part_shows_what_the_whole_shows_there(an_organ: Tensor, a_scan_of_it: Tensor) -> None:
    scene = Scene(a_scan_of_it, annotated(an_organ, (0, 11)), (1, 1, 1))
    whole = Grid(Box((0, 0, 0), (24, 32, 28)), (12, 16, 14))
    prompt = make_prompt(scene, ORGAN, whole)
    part = Grid(Box((6, 8, 6), (18, 24, 22)), (12, 16, 16))
    fine = make_channels(scene, ORGAN, prompt, part)
    coarse = make_channels(scene, ORGAN, prompt, whole)
    shown = torch.nn.functional.avg_pool3d(fine[None], 2)[0]
    # Linear sampling a quarter of a cell to either side, averaged again.
    line = torch.tensor([0.125, 0.75, 0.125])
    kernel = torch.einsum("k,j,i->kji", line, line, line)[None, None]
    for channel in (SURFACE, DISTANCE, COMPETITION):
        expected = torch.nn.functional.conv3d(coarse[channel][None, None], kernel)[0, 0, 2:8, 3:11, 2:10]
        torch.testing.assert_close(shown[channel], expected, atol=1e-4, rtol=0)
    assert torch.equal(fine[STRUCTURE], (scene.labels[6:18, 8:24, 6:22] == ORGAN).float())


@settings(max_examples=10, deadline=None)
@given(
    st.lists(st.tuples(st.integers(0, 2), st.integers(2, 13)), min_size=2, max_size=4, unique=True),
    st.integers(0, 10**6),
)
def test_what_is_drawn_on_a_hidden_slice_never_shows(slices: list[tuple[int, int]], seed: int) -> None:
    generator = Generator().manual_seed(seed)
    image = torch.randn(16, 16, 16, generator=generator)
    truth = ellipsoid((16, 16, 16), (8, 8, 8), (5, 6, 4))
    annotated_slices = tuple((annotated(truth, s) != 0).flatten().nonzero()[:, 0] for s in slices)
    # A voxel on which slices cross is known from either; elsewhere on the hidden slice anything may be drawn.
    hidden = set(annotated_slices[-1].tolist()).difference(*(s.tolist() for s in annotated_slices[:-1]))
    lied = truth.clone()
    lied.view(-1)[torch.tensor(sorted(hidden))] ^= True
    seen = [Support(Scene(image, annotated(m, *slices), (2, 1, 1)), ORGAN, annotated_slices) for m in (truth, lied)]
    told = [channels_of(support.without(len(slices) - 1)) for support in seen]
    assert torch.equal(*told)
    assert not torch.equal(*(channels_of(support.scene) for support in seen))


TURNS = [
    *(("flipped", axes) for n in (1, 3) for axes in itertools.combinations(range(3), n)),
    *(("permuted", axes) for axes in itertools.permutations(range(3)) if axes != (0, 1, 2)),
]


@pytest.mark.parametrize(("way", "axes"), TURNS)
@pytest.mark.parametrize("step", [1, 2])
def test_turning_the_volume_turns_the_channels(
    way: str, axes: tuple[int, ...], step: int, an_organ: Tensor, a_scan_of_it: Tensor
) -> None:
    def turned(array: Tensor) -> Tensor:
        lead = array.dim() - 3
        if way == "flipped":
            return array.flip([lead + a for a in axes])
        return array.permute(*range(lead), *(lead + a for a in axes))

    def on_grid(scene: Scene) -> Tensor:
        k, j, i = scene.image.shape
        return channels_of(scene, Grid(Box((0, 0, 0), (k, j, i)), (k // step, j // step, i // step)))

    labels = annotated(an_organ, (0, 10), (0, 15), (1, 13))
    spacing = (2.0, 1.0, 0.7)
    own = spacing if way == "flipped" else (spacing[axes[0]], spacing[axes[1]], spacing[axes[2]])
    straight = turned(on_grid(Scene(a_scan_of_it, labels, spacing)))
    found = on_grid(Scene(turned(a_scan_of_it).contiguous(), turned(labels).contiguous(), own))
    paths, others = [COMPETITION], [n for n in OWN if n != COMPETITION]
    torch.testing.assert_close(found[others], straight[others], atol=1e-4, rtol=0)
    # The sweeps go along k, j, i in turn: a few winding paths are not yet the shortest when they stop.
    torch.testing.assert_close(found[paths], straight[paths], atol=0.1, rtol=0)
    assert float((found - straight)[paths].abs().mean()) < 1e-3
    # Optical flow looks from one corner of a slice: what it carries through noise differs a little when that is turned.
    assert float((found - straight)[PROPAGATED].abs().mean()) < 0.05


def test_an_image_is_resampled_once_for_all_labels_on_it() -> None:
    image = torch.randn(12, 10, 8, generator=torch.Generator().manual_seed(0))
    scene = Scene(image, torch.zeros(image.shape, dtype=torch.uint8), (1.0, 1.0, 2.0), resampled=Resampled(image))
    grid = Grid(Box((1.0, 1.0, 1.0), (9.0, 9.0, 7.0)), (4, 4, 3))
    seen = scene.image_on(grid)
    assert torch.equal(seen, resample(image, grid))
    assert replace(scene, labels=torch.ones(image.shape, dtype=torch.uint8)).image_on(grid) is seen
    alone = Scene(image, scene.labels, scene.spacing)
    assert alone.image_on(grid) is not seen
    assert torch.equal(alone.image_on(grid), seen)


@pytest.mark.parametrize("axis", [0, 1, 2])
def test_annotation_is_looked_for_on_its_own_planes(axis: int) -> None:
    labels = torch.zeros(9, 8, 7, dtype=torch.uint8)
    for plane in (2, 5):
        labels.select(axis, plane)[:] = 255
    scene = Scene(torch.zeros(labels.shape), labels, (1.0, 1.0, 1.0))
    found, planes = scene.annotated
    assert (found, planes.tolist()) == (axis, [2, 5])
