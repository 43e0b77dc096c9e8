"""What the network is told: the visible slices, the classical answers made of them, and nothing else."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Generator, Tensor

from metasegment.annotation import BACKGROUND
from metasegment.prompts import (
    CHANNELS,
    PREVIOUS,
    Scene,
    annotated_extent,
    box_limits,
    known_fractions,
    make_channels,
    make_prompt,
    sharpened,
    structure_box,
)
from metasegment.prompts.appearance import learn_appearance
from metasegment.prompts.geodesic import (
    FADE_DIAMETERS,
    UNREACHED,
    faded,
    margin,
    sweep_by_planes,
    sweep_by_scan,
)
from metasegment.prompts.interpolation import annotated_planes, distance_to_known, interpolate
from metasegment.roi import Box, Grid, to_voxels, working_grid
from metasegment.strategies.base import Support

ORGAN, OTHER = 1, 2
#: Two axial slices and two coronal ones (axis, index) on either side of the middle of a ball at 15.
PAIR, CROSSING = ((0, 12), (0, 18)), ((1, 12), (1, 18))
IMAGE, STRUCTURE, OUTSIDE, SURFACE, DISTANCE, LIKELIHOOD, _, COMPETITION = range(len(CHANNELS))


def index_of(shape: Sequence[int]) -> Tensor:
    """Voxel indices (3, k, j, i)."""
    return torch.stack(torch.meshgrid(*(torch.arange(n) for n in shape), indexing="ij"))


def ellipsoid(shape: Sequence[int], centre: Sequence[float], radii: Sequence[float]) -> Tensor:
    off = (index_of(shape) - torch.tensor(centre)[:, None, None, None]) / torch.tensor(radii)[:, None, None, None]
    return (off**2).sum(0) <= 1


def disc(shape: Sequence[int], radius: float, centre: tuple[float, float] | None = None) -> Tensor:
    rows, columns = torch.meshgrid(*(torch.arange(n) for n in shape), indexing="ij")
    row, column = centre or ((shape[0] - 1) / 2, (shape[1] - 1) / 2)
    return (rows - row) ** 2 + (columns - column) ** 2 <= radius**2


def annotated(mask: Tensor, *slices: tuple[int, int]) -> Tensor:
    """Labels of the given slices (axis, index) of a mask."""
    labels = torch.zeros(mask.shape, dtype=torch.uint8)
    for axis, index in slices:
        plane = mask.movedim(axis, 0)[index]
        labels.movedim(axis, 0)[index] = torch.where(plane, ORGAN, BACKGROUND).to(torch.uint8)
    return labels


def annotated_obliquely(mask: Tensor, normal: Sequence[float], through: Sequence[float], thin: bool = True) -> Tensor:
    """Labels of the voxels that a slanted plane passes through: one on each line along its steepest axis, or all."""
    off = index_of(mask.shape) - torch.tensor(through)[:, None, None, None]
    height = torch.tensordot(torch.tensor(normal), off, 1)
    reach = 0.5 * (max if thin else sum)(abs(n) for n in normal)
    sheet = (height > -reach) & (height <= reach)
    labels = torch.zeros(mask.shape, dtype=torch.uint8)
    labels[sheet] = torch.where(mask[sheet], ORGAN, BACKGROUND).to(torch.uint8)
    return labels


def interpolated(labels: Tensor, spacing: Sequence[float] = (1, 1, 1)) -> Tensor:
    return interpolate(labels == ORGAN, labels != 0, spacing)


def voxel_grid(shape: Sequence[int]) -> Grid:
    k, j, i = shape
    return Grid(Box((0, 0, 0), (k, j, i)), (k, j, i))


def channels_of(scene: Scene, grid: Grid | None = None, structure: int = ORGAN) -> Tensor:
    grid = grid or voxel_grid(scene.image.shape)
    return make_channels(scene, structure, make_prompt(scene, structure, grid), grid)


def dice(a: Tensor, b: Tensor) -> float:
    return float(2 * (a & b).sum() / (a.sum() + b.sum()))


@pytest.fixture
def an_organ() -> Tensor:
    return ellipsoid((24, 32, 28), (11, 15, 13), (7, 9, 8))


@pytest.fixture
def a_scan_of_it(an_organ: Tensor) -> Tensor:
    """The organ is bright, with smooth noise and a gradient that has no symmetry."""
    noise = torch.randn(an_organ.shape, generator=Generator().manual_seed(4))
    smooth = torch.nn.functional.avg_pool3d(noise[None, None], 5, stride=1, padding=2)[0, 0]
    k, j, i = index_of(an_organ.shape)
    return 100 * an_organ + 60 * smooth + 0.5 * k + 0.2 * j + 0.1 * i


# --- shape interpolation -------------------------------------------------------------------------------------------


@settings(max_examples=15, deadline=None)
@given(st.integers(3, 12), st.integers(3, 12), st.integers(2, 8), st.sampled_from([0.5, 1.0, 3.0]))
def test_half_way_between_two_discs_lies_the_disc_of_mean_radius(
    first: int, last: int, half_gap: int, spacing: float
) -> None:
    mask = torch.zeros(2 * half_gap + 1, 33, 33, dtype=torch.bool)
    mask[0], mask[-1] = disc((33, 33), first), disc((33, 33), last)
    middle = interpolated(annotated(mask, (0, 0), (0, 2 * half_gap)), (spacing, 1, 1))[half_gap] > 0
    radius = math.sqrt(int(middle.sum()) / math.pi)
    assert radius == pytest.approx((first + last) / 2, abs=0.75)


@pytest.mark.parametrize("axis", [0, 1, 2])
def test_the_drawn_slices_themselves_come_back_unchanged(axis: int, an_organ: Tensor) -> None:
    field = interpolated(annotated(an_organ, (axis, 8), (axis, 14)), (2.0, 1.0, 0.5))
    for index in (8, 14):
        assert torch.equal(field.movedim(axis, 0)[index] > 0, an_organ.movedim(axis, 0)[index])


def test_a_structure_vanishes_half_way_to_a_slice_without_it() -> None:
    mask = torch.zeros(21, 33, 33, dtype=torch.bool)
    mask[0] = disc((33, 33), 10)
    field = interpolated(annotated(mask, (0, 0), (0, 20)))
    areas = (field > 0).flatten(1).sum(1)
    assert (areas[:9] > 0).all()
    assert (areas[11:] == 0).all()
    assert (areas.diff() <= 0).all()


def test_beyond_the_last_slice_a_structure_tapers_off_by_a_mm_a_mm() -> None:
    mask = torch.zeros(16, 41, 41, dtype=torch.bool)
    mask[4] = disc((41, 41), 12)
    field = interpolated(annotated(mask, (0, 4)), (2, 1, 1))
    torch.testing.assert_close(field[9], field[4] - 10)
    assert (field[9] > 0).any()
    assert not (field[12] > 0).any()


def test_every_plane_of_slices_adds_to_the_answer() -> None:
    ball = ellipsoid((32, 32, 32), (15, 15, 15), (9, 9, 9))
    single = [dice(interpolated(annotated(ball, *((a, 15) for a in range(n)))) > 0, ball) for n in (1, 2, 3)]
    assert single == sorted(single)
    pairs = [dice(interpolated(annotated(ball, *slices)) > 0, ball) for slices in (PAIR, PAIR + CROSSING)]
    assert pairs[1] > pairs[0] > single[2]
    assert pairs[1] > 0.9


@pytest.mark.parametrize("normal", [(1.0, 0.6, 0.0), (1.0, 1.0, 1.0), (0.2, -1.0, 0.7), (1.0, 0.2, 0.1)])
@pytest.mark.parametrize("thin", [True, False])
@pytest.mark.parametrize("cells", [32, 24, 48])
def test_one_oblique_slice_is_extruded_along_its_own_normal(
    normal: tuple[float, float, float], thin: bool, cells: int
) -> None:
    shape, middle = (32, 32, 32), (15.5, 15.5, 15.5)
    ball = ellipsoid(shape, middle, (10, 10, 10))
    scene = Scene(ball.float(), annotated_obliquely(ball, normal, middle, thin), (1, 1, 1))
    grid = Grid(voxel_grid(shape).box, (cells, cells, cells))
    answer = to_voxels(make_prompt(scene, ORGAN, grid).interpolation, grid, shape)[0] > 0
    off = index_of(shape) - 15.5
    unit = torch.tensor(normal) / math.hypot(*normal)
    height = torch.tensordot(unit, off, 1)
    across = (off - height * unit[:, None, None, None]).norm(dim=0)
    # A disc of radius 10 that shrinks by the distance to the slice: two cones.
    cones = across + height.abs() < 10
    assert dice(answer, cones) > 0.9
    assert (answer & ~ball).sum() < 0.05 * answer.sum()


def test_an_oblique_slice_beside_a_straight_one_helps() -> None:
    ball = ellipsoid((32, 32, 32), (15, 15, 15), (9, 9, 9))
    straight = annotated(ball, (0, 15))
    slanted = annotated_obliquely(ball, (0.3, 1.0, 0.4), (15.0, 15.0, 15.0))
    both = torch.where(straight != 0, straight, slanted)
    assert dice(interpolated(both) > 0, ball) > dice(interpolated(straight) > 0, ball) + 0.02


def test_without_annotation_nothing_is_inside() -> None:
    labels = torch.zeros(8, 8, 8, dtype=torch.uint8)
    assert not (interpolated(labels) > 0).any()


def test_planes_are_found_along_each_axis_and_nowhere_else(an_organ: Tensor) -> None:
    labels = annotated(an_organ, (0, 3), (0, 9), (2, 20))
    assert [p.tolist() for p in annotated_planes(labels != 0)] == [[3, 9], [], [20]]
    slanted = annotated_obliquely(an_organ, (1.0, 1.0, 0.0), (11.0, 15.0, 13.0))
    assert [p.tolist() for p in annotated_planes(slanted != 0)] == [[], [], []]


# --- distance to what is known -------------------------------------------------------------------------------------


@settings(max_examples=15, deadline=None)
@given(
    st.lists(st.tuples(st.integers(0, 2), st.integers(0, 11)), min_size=1, max_size=4),
    st.booleans(),
    st.tuples(*[st.sampled_from([0.5, 1.0, 2.5])] * 3),
)
def test_the_distance_is_that_to_the_nearest_known_voxel(
    slices: list[tuple[int, int]], oblique: bool, spacing: tuple[float, float, float]
) -> None:
    empty = torch.zeros(12, 13, 14, dtype=torch.bool)
    labels = annotated(empty, *slices)
    if oblique:
        slanted = annotated_obliquely(empty, (1.0, 0.5, 0.25), (6.0, 6.0, 6.0))
        labels = torch.where(labels != 0, labels, slanted)
    scale = torch.tensor(spacing)
    cells, known = index_of(empty.shape).flatten(1).T * scale, (labels != 0).nonzero() * scale
    expected = torch.cdist(cells, known, compute_mode="donot_use_mm_for_euclid_dist").amin(1).reshape(empty.shape)
    torch.testing.assert_close(distance_to_known(labels != 0, spacing), expected, atol=1e-3, rtol=0)


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
    # A voxel at the border of two histogram bins may change sides by rounding.
    torch.testing.assert_close(plain, other, atol=0.05, rtol=0)


def test_metal_does_not_set_the_scale() -> None:
    organ = ellipsoid((32, 32, 32), (16, 16, 16), (6, 6, 6))
    image = 30 * organ + torch.randn(organ.shape, generator=Generator().manual_seed(2))
    labels = annotated(organ, (0, 16))
    metal = image.clone()
    metal[2, 2, 2:8] = 30000
    plain, other = (channels_of(Scene(x, labels, (1, 1, 1)))[LIKELIHOOD] for x in (image, metal))
    assert (plain - other).abs()[organ].max() < 0.2


# --- geodesic competition ------------------------------------------------------------------------------------------


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
    sheets = tuple((annotated(truth, s) != 0).flatten().nonzero()[:, 0] for s in slices)
    # A voxel on which slices cross is known from either; elsewhere on the hidden slice anything may be drawn.
    hidden = set(sheets[-1].tolist()).difference(*(s.tolist() for s in sheets[:-1]))
    lied = truth.clone()
    lied.view(-1)[torch.tensor(sorted(hidden))] ^= True
    seen = [Support(Scene(image, annotated(m, *slices), (2, 1, 1)), ORGAN, sheets) for m in (truth, lied)]
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
    paths, others = [COMPETITION], [n for n in range(len(CHANNELS)) if n != COMPETITION]
    torch.testing.assert_close(found[others], straight[others], atol=1e-4, rtol=0)
    # The sweeps go along k, j, i in turn: a few winding paths are not yet the shortest when they stop.
    torch.testing.assert_close(found[paths], straight[paths], atol=0.1, rtol=0)
    assert float((found - straight)[paths].abs().mean()) < 1e-3


# --- the working box -----------------------------------------------------------------------------------------------


def test_an_unannotated_structure_has_no_extent() -> None:
    assert annotated_extent(annotated(torch.zeros(8, 8, 8, dtype=torch.bool), (0, 3)), ORGAN) is None


def test_the_extent_tells_slices_with_the_structure_from_those_without(an_organ: Tensor) -> None:
    extent = annotated_extent(annotated(an_organ, (0, 1), (0, 11), (0, 20), (2, 13)), ORGAN)
    assert extent is not None
    assert extent.filled == ((11,), (), (13,))
    assert extent.empty == ((1, 20), (), ())
    low, high = an_organ.nonzero().amin(0), an_organ.nonzero().amax(0) + 1
    # The largest slices were drawn, so together they show the whole length of each axis.
    assert (extent.low, extent.high) == (tuple(low.tolist()), tuple(high.tolist()))


def test_one_slice_gives_the_unseen_axis_the_mean_length_seen_in_it() -> None:
    mask = torch.zeros(100, 100, 100, dtype=torch.bool)
    mask[50, 30:70, 40:60] = True
    spacing = (2.0, 1.0, 1.5)
    extent = annotated_extent(annotated(mask, (0, 50)), ORGAN)
    assert extent is not None
    box = structure_box(extent, spacing, mask.shape)
    seen_mm = (40 * 1.0 + 20 * 1.5) / 2
    assert box.extent == pytest.approx((1.6 * seen_mm / 2, 1.6 * 40, 1.6 * 20))
    assert [(a + b) / 2 for a, b in zip(box.start, box.stop, strict=True)] == [50.5, 50, 50]


def test_crossing_slices_show_the_length_of_every_axis() -> None:
    mask = torch.zeros(60, 60, 60, dtype=torch.bool)
    mask[25:35, 10:50, 10:50] = True
    extent = annotated_extent(annotated(mask, (0, 30), (1, 30)), ORGAN)
    assert extent is not None
    # 10 voxels and the least margin, not the mean of the 40 seen in plane.
    assert structure_box(extent, (1, 1, 1), mask.shape).extent == pytest.approx((18, 60, 60))


def test_an_empty_annotated_slice_ends_the_box_and_what_it_may_grow_to(an_organ: Tensor) -> None:
    extent = annotated_extent(annotated(an_organ, (0, 2), (0, 11), (0, 19), (0, 22)), ORGAN)
    assert extent is not None
    box, limits = structure_box(extent, (1, 1, 1), an_organ.shape), box_limits(extent, an_organ.shape)
    assert (limits.start[0], limits.stop[0]) == (2, 20)
    assert (limits.start[1:], limits.stop[1:]) == ((0, 0), an_organ.shape[1:])
    assert box.start[0] >= 2
    assert box.stop[0] <= 20


def test_a_tiny_structure_gets_context_on_every_side() -> None:
    mask = torch.zeros(40, 40, 40, dtype=torch.bool)
    mask[20, 20, 20] = True
    extent = annotated_extent(annotated(mask, (0, 20)), ORGAN)
    assert extent is not None
    box = structure_box(extent, (1, 1, 1), mask.shape)
    assert box == Box((16, 16, 16), (25, 25, 25))


@settings(max_examples=40, deadline=None)
@given(
    st.tuples(*[st.integers(4, 40)] * 3),
    st.tuples(*[st.floats(0, 1)] * 3),
    st.tuples(*[st.floats(1, 15)] * 3),
    st.tuples(*[st.floats(0.2, 6)] * 3),
    st.integers(0, 2),
)
def test_the_box_holds_what_was_drawn_and_stays_in_the_volume(
    shape: tuple[int, int, int],
    at: tuple[float, float, float],
    radii: tuple[float, float, float],
    spacing: tuple[float, float, float],
    axis: int,
) -> None:
    centre = [round(a * (n - 1)) for a, n in zip(at, shape, strict=True)]
    labels = annotated(ellipsoid(shape, centre, radii), (axis, centre[axis]))
    extent = annotated_extent(labels, ORGAN)
    assert extent is not None
    box = structure_box(extent, spacing, shape)
    for a in range(3):
        assert 0 <= box.start[a] <= extent.low[a]
        assert extent.high[a] <= box.stop[a] <= shape[a]
