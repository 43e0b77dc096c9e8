"""Training tasks: repeatable, drawn as users draw, scored where nothing was drawn, never on a withheld structure."""

from __future__ import annotations

import dataclasses
import json
import math
from pathlib import Path
from typing import Any

import pytest
import SimpleITK as sitk
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Generator, Tensor
from torch.overrides import TorchFunctionMode
from torch.utils._device import _device_constructors
from torch.utils._pytree import tree_leaves

from metasegment.annotation import BACKGROUND
from metasegment.episodes import sources
from metasegment.episodes.bank import Bank, LabelledVolume, load_bank
from metasegment.episodes.chance import choose, integer, uniform
from metasegment.episodes.episode import BORDER_WEIGHT, Episode, Mixture, make_episode
from metasegment.episodes.held_out import UNSEEN, held_out_tasks
from metasegment.episodes.intensity import random_contrast
from metasegment.episodes.rendering import render
from metasegment.episodes.shapes import procedural_labels
from metasegment.episodes.slices import STRUCTURE, annotate
from metasegment.episodes.supervoxels import slic
from metasegment.episodes.targets import eroded, labelled_target, redrawn
from metasegment.episodes.warp import random_view
from metasegment.errors import InputError
from metasegment.losses import dice
from metasegment.prompts import CHANNELS, annotated_extent
from metasegment.prompts.interpolation import annotated_planes
from metasegment.roi import resample
from metasegment.training.config import read_config

#: The names in the data folder's README of what no training label may be called. "Cord" is not "accord".
NEVER_A_TARGET = [
    "hippocampus",
    "liver",
    "spleen",
    "lung",
    "lungs",
    "heart",
    "atrium",
    "ventricle_left",
    "ventricle_right",
    "myocardium",
    "disc",
    "discs",
    "prostate",
    "mandible",
    "larynx",
    "cord",
    "portal",
    "kidney",
    "stomach",
]
EDGE = 36
FIELDS = [CHANNELS.index(name) for name in ("interpolation", "distance", "geodesic")]
MASKS = [CHANNELS.index(name) for name in ("structure", "background")]


def seeded(seed: int) -> Generator:
    return Generator().manual_seed(seed)


def synthetic_volume(group: str, seed: int, spacing: tuple[float, float, float]) -> LabelledVolume:
    generator = seeded(seed)
    labels = procedural_labels((EDGE, EDGE, EDGE), generator).short()
    image = (300 * render(labels, generator, spacing)).short()
    targets = tuple(v for v in labels.unique().tolist() if v)
    return LabelledVolume(group, str(seed), image, labels, spacing, targets)


@pytest.fixture(scope="module")
def bank() -> Bank:
    thick, thin = (3.0, 1.0, 1.0), (1.0, 1.0, 1.0)
    volumes = {
        "ct": [synthetic_volume("ct", 0, thick), synthetic_volume("ct", 1, thin)],
        "mr": [synthetic_volume("mr", 2, thin)],
    }
    label_map = dataclasses.replace(synthetic_volume("maps", 3, thin), image=None)
    return Bank(volumes, [label_map])


@pytest.fixture(scope="module")
def episodes(bank: Bank) -> list[Episode]:
    return [make_episode(bank, Mixture(), 1, index) for index in range(32)]


@pytest.fixture(scope="module")
def a_blob() -> Tensor:
    """An irregular structure that spans 20 voxels of each axis and more."""
    generator = seeded(5)
    k, j, i = torch.meshgrid(*(torch.arange(32) - 15.5 for _ in range(3)), indexing="ij")
    dents = torch.nn.functional.interpolate(torch.randn(1, 1, 5, 5, 5, generator=generator), size=(32, 32, 32))[0, 0]
    return (k**2 + j**2 + i**2).sqrt() + dents < 12


@pytest.fixture(scope="module")
def drawings(a_blob: Tensor) -> list[Tensor]:
    """What 400 users draw on the blob."""
    return [annotate(a_blob, seeded(seed)) for seed in range(400)]


def slices_of(labels: Tensor) -> list[list[int]]:
    return [planes.tolist() for planes in annotated_planes(labels != 0)]


def same(one: Episode, other: Episode) -> bool:
    if one.source != other.source or one.window != other.window or one.channels.shape != other.channels.shape:
        return False
    pairs = [(one.channels, other.channels), (one.target, other.target), (one.weight, other.weight)]
    if one.overview is not None and other.overview is not None:
        pairs.append((one.overview, other.overview))
    return all(torch.equal(a, b) for a, b in pairs)


# --- the sequence --------------------------------------------------------------------------------------------------


def test_an_episode_is_the_same_bit_for_bit_whatever_was_drawn_before_it(bank: Bank, episodes: list[Episode]) -> None:
    torch.manual_seed(123)
    for index in (31, 8, 17, 3, 9, 14, 5):
        assert same(make_episode(bank, Mixture(), 1, index), episodes[index])


def test_other_numbers_and_other_seeds_give_other_episodes(bank: Bank, episodes: list[Episode]) -> None:
    assert not any(same(a, b) for n, a in enumerate(episodes) for b in episodes[:n])
    assert not any(same(make_episode(bank, Mixture(), 2, index), episodes[index]) for index in range(4))


def test_all_sources_take_part(episodes: list[Episode]) -> None:
    assert {e.source for e in episodes} == {"labelled", "supervoxels", "brain_maps", "procedural"}


def test_a_source_without_a_share_takes_no_part(bank: Bank) -> None:
    only = Mixture(labelled=0, supervoxels=0, brain_maps=1, procedural=0)
    assert {make_episode(bank, only, 1, index).source for index in range(6)} == {"brain_maps"}


# --- what is shown and what is scored ------------------------------------------------------------------------------


def test_episodes_are_finite_and_in_range(episodes: list[Episode]) -> None:
    for episode in episodes:
        assert episode.channels.shape == (len(CHANNELS), *episode.target.shape)
        assert episode.channels.dtype == episode.target.dtype == torch.float32
        assert episode.channels.isfinite().all()
        assert 0 <= float(episode.target.min()) < float(episode.target.max()) < 1 + 1e-5


def test_annotated_cells_weigh_nothing_and_all_others_something(episodes: list[Episode]) -> None:
    for episode in episodes:
        annotated = episode.channels[MASKS].sum(0) > 0
        assert torch.equal(episode.weight == 0, annotated)
        assert set(episode.weight.unique().tolist()) <= {0.0, 1.0, BORDER_WEIGHT}


def test_copying_the_structure_channel_earns_nothing(episodes: list[Episode]) -> None:
    for episode in episodes:
        copied = episode.channels[CHANNELS.index("structure")] - 0.5
        assert ((episode.target > 0.5) & (episode.weight > 0)).any()
        assert dice(copied, episode.target, episode.weight) == 0


def test_cells_at_the_border_of_the_structure_weigh_more(episodes: list[Episode]) -> None:
    for episode in episodes:
        inside = episode.target[1:-1, 1:-1, 1:-1]
        steps = (episode.target[2:, 1:-1, 1:-1] > 0.5) != (episode.target[:-2, 1:-1, 1:-1] > 0.5)
        weight = episode.weight[1:-1, 1:-1, 1:-1]
        assert (weight[steps & (weight > 0)] == BORDER_WEIGHT).all()
        assert (weight[(inside == 0) & (weight > 0)] == 1).any()


def test_some_episodes_are_tiles_that_know_where_they_lie_in_their_overview(episodes: list[Episode]) -> None:
    tiles = [e for e in episodes if e.overview is not None]
    assert 2 <= len(tiles) < len(episodes) / 2
    for tile in tiles:
        assert tile.overview is not None and tile.window is not None
        assert tile.window.shape == tile.target.shape
        for axis in range(3):
            assert tile.window.box.start[axis] >= -1e-4
            assert tile.window.box.stop[axis] <= tile.overview.shape[axis + 1] + 1e-4
        # The hints of the tile are the overview's own, seen through the window.
        torch.testing.assert_close(resample(tile.overview[FIELDS], tile.window), tile.channels[FIELDS])
    assert any(tile.window is not None and min(tile.window.step) < 0.9 for tile in tiles)
    assert all(e.window is None for e in episodes if e.overview is None)


# --- slices as users draw them -------------------------------------------------------------------------------------


def test_one_to_seven_slices_are_drawn_and_few_more_often(drawings: list[Tensor]) -> None:
    counts = [sum(map(len, slices_of(labels))) for labels in drawings]
    assert set(counts) >= {1, 2, 3, 4, 5, 6, 7}
    assert max(counts) <= 9  # seven, and one without the structure at either end
    assert sum(c <= 3 for c in counts) > 0.6 * len(counts)


def test_slices_lie_in_every_plane_and_sometimes_cross(drawings: list[Tensor]) -> None:
    used = [tuple(bool(planes) for planes in slices_of(labels)) for labels in drawings]
    for axis in range(3):
        assert sum(axes == tuple(a == axis for a in range(3)) for axes in used) > 0.08 * len(used)
    assert 0.05 < sum(sum(axes) > 1 for axes in used) / len(used) < 0.25


def test_a_few_slices_are_oblique(drawings: list[Tensor]) -> None:
    oblique = [labels for labels in drawings if not any(slices_of(labels))]
    assert 0.02 < len(oblique) / len(drawings) < 0.12
    for labels in oblique:
        # A sheet as a digital plane without tunnels is: at most three voxels along the axis it crosses most steeply.
        thickness = min(int((labels != 0).sum(axis).max()) for axis in range(3))
        assert thickness <= 3
        assert (labels != 0).sum() > 300


def test_some_users_say_where_the_structure_is_absent(a_blob: Tensor, drawings: list[Tensor]) -> None:
    low, high = a_blob.nonzero().amin(0).tolist(), a_blob.nonzero().amax(0).tolist()
    beyond = 0
    for labels in drawings:
        extent = annotated_extent(labels, STRUCTURE)
        assert extent is not None
        ends = [p for a in range(3) for p in extent.empty[a] if p < low[a] or p > high[a]]
        assert len(ends) <= 2
        beyond += bool(ends)
    assert 0.1 < beyond / len(drawings) < 0.3


def test_what_is_drawn_is_the_structure_apart_from_a_hands_error(a_blob: Tensor, drawings: list[Tensor]) -> None:
    exact = 0
    for labels in drawings:
        known = labels != 0
        assert set(labels.unique().tolist()) <= {0, STRUCTURE, BACKGROUND}
        wrong = int(((labels == STRUCTURE) != a_blob)[known].sum())
        exact += wrong == 0
        # Next to the outline, never elsewhere.
        far = known & (eroded(a_blob, 1) | eroded(~a_blob, 1))
        assert torch.equal((labels == STRUCTURE)[far], a_blob[far])
    assert 0.6 < exact / len(drawings) < 0.9


# --- devices -------------------------------------------------------------------------------------------------------


class SeparateDevices(TorchFunctionMode):
    """Keeps the host and the device apart where both are the CPU: a tensor made for "cpu", in so many words, is the
    host's; every other creation must name the device of a generator or tensor. The two never meet, numbers apart.
    """

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        given = [t for t in tree_leaves((args, kwargs)) if isinstance(t, Tensor)]
        out = func(*args, **kwargs)
        if func in _device_constructors():
            assert kwargs.get("device") is not None, f"{func.__name__} does not say on which device"
            on_host = kwargs["device"] == "cpu" and isinstance(kwargs["device"], str)
        elif func is Tensor.to:
            return out.detach()  # another object, without the mark
        else:
            on_host = any(getattr(t, "on_host", False) for t in given)
            fields = [t for t in given if t.dim() and not getattr(t, "on_host", False)]
            assert not (on_host and fields), f"{func} mixes the host and the device"
        if on_host:
            for tensor in tree_leaves(out):
                if isinstance(tensor, Tensor):
                    tensor.on_host = True  # type: ignore[attr-defined]
        return out


@pytest.mark.parametrize("recall", [0.0, 1.0])
@pytest.mark.parametrize("source", range(4))
def test_an_episode_is_made_on_one_device(source: int, recall: float, bank: Bank) -> None:
    mixture = Mixture(*(float(n == source) for n in range(4)), recall=recall)
    for index in range(8):
        with SeparateDevices():
            made = make_episode(bank, mixture, 4, index)
        assert same(made, make_episode(bank, mixture, 4, index))


def test_a_tensor_in_the_wrong_place_would_be_noticed() -> None:
    field = torch.zeros(3)
    with SeparateDevices():
        with pytest.raises(AssertionError, match="does not say"):
            torch.zeros(3)
        with pytest.raises(AssertionError, match="mixes"):
            field + torch.ones(3, device="cpu") * 2
        assert torch.equal(field + torch.ones(3, device="cpu").to(field.device), field + 1)


# --- targets -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("source", ["volumes", "label_maps"])
def test_a_withheld_structure_is_never_a_target_not_even_in_a_union(bank: Bank, source: str) -> None:
    volume = bank.volumes["ct"][0] if source == "volumes" else bank.label_maps[0]
    withheld = volume.targets[1]
    volume = dataclasses.replace(volume, targets=tuple(t for t in volume.targets if t != withheld))
    generator = seeded(0)
    drawn = torch.zeros_like(volume.labels, dtype=torch.bool)
    for _ in range(150):
        drawn |= labelled_target(volume, generator)
    assert not drawn[volume.labels == withheld].any()
    assert set(volume.labels[drawn].unique().tolist()) == set(volume.targets)


def test_structures_that_touch_are_sometimes_united(bank: Bank) -> None:
    volume = bank.volumes["ct"][0]
    parts = []
    for seed in range(100):
        mask = labelled_target(volume, seeded(seed))
        labels = volume.labels[mask].unique().tolist()
        parts.append(len(labels))
        for label in labels:
            own, others = volume.labels == label, mask & (volume.labels != label)
            assert len(labels) == 1 or (~eroded(~own, 1) & others).any()
    assert 0.08 < sum(n > 1 for n in parts) / len(parts) < 0.35


def test_a_target_is_now_and_then_cut_hollowed_widened_or_tightened(a_blob: Tensor) -> None:
    image = torch.randn(a_blob.shape, generator=seeded(0))
    masks = [redrawn(a_blob, image, seeded(seed)) for seed in range(200)]
    shares = torch.tensor([float(m.sum() / a_blob.sum()) for m in masks])
    as_it_is = torch.tensor([torch.equal(m, a_blob) for m in masks])
    assert 0.5 < as_it_is.float().mean() < 0.7
    assert ((shares > 0.45) & (shares < 0.55)).float().mean() > 0.06  # cut in two
    assert any(torch.equal(m, eroded(a_blob, 1)) for m in masks)
    assert any(torch.equal(m, ~eroded(~a_blob, 1)) for m in masks)
    assert any(torch.equal(m, a_blob & ~eroded(a_blob, 3)) for m in masks)


def test_erosion_takes_whole_layers() -> None:
    cube = torch.zeros(12, 12, 12, dtype=torch.bool)
    cube[2:10, 2:10, 2:10] = True
    smaller = torch.zeros_like(cube)
    smaller[4:8, 4:8, 4:8] = True
    assert torch.equal(eroded(cube, 2), smaller)


def test_supervoxel_tasks_do_not_look_at_labels(bank: Bank) -> None:
    blind = {
        name: [dataclasses.replace(v, labels=torch.zeros_like(v.labels), targets=()) for v in volumes]
        for name, volumes in bank.volumes.items()
    }
    for seed in range(4):
        one, other = (sources.supervoxels(b, 40**3, seeded(seed)) for b in (bank, Bank(blind, [])))
        assert torch.equal(one.mask, other.mask)
        assert torch.equal(one.image, other.image)


def test_the_image_of_a_labelled_task_belongs_to_its_mask() -> None:
    k, j, i = torch.meshgrid(*(torch.arange(EDGE) - EDGE / 2 for _ in range(3)), indexing="ij")
    ball = (k**2 + j**2 + i**2).sqrt() < 10
    volume = LabelledVolume("ct", "ball", (1000 * ball).short(), ball.short(), (2.0, 1.0, 1.0), (1,))
    samples = [sources.labelled(Bank({"ct": [volume]}, []), 40**3, seeded(seed)) for seed in range(16)]
    usable = [sample for sample in samples if sample.usable]
    assert len(usable) > 10
    for sample in usable:
        inside, outside = sample.image[sample.mask], sample.image[~sample.mask]
        assert abs(float(inside.median() - outside.median())) > outside.std()


# --- supervoxels ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("edge", "compactness"), [(6, 5.0), (10, 2.0), (10, 20.0)])
def test_supervoxels_are_as_many_and_as_large_as_itks_and_follow_the_image_as_well(
    bank: Bank, edge: int, compactness: float
) -> None:
    image = bank.volumes["ct"][1].image
    assert image is not None
    image = image.float()
    standardised = 100 * (image - image.mean()) / image.std()
    reference = sitk.SLIC(sitk.GetImageFromArray(standardised.numpy()), [edge] * 3, compactness, 3, False)
    theirs = torch.from_numpy(sitk.GetArrayFromImage(reference).astype("int64"))
    ours = slic(image, edge, compactness)
    sizes = [torch.bincount(regions.flatten()) for regions in (ours, theirs)]
    sizes = [s[s > 0].double() for s in sizes]
    assert len(sizes[0]) == pytest.approx(len(sizes[1]), rel=0.05)
    assert sizes[0].median() == pytest.approx(float(sizes[1].median()), rel=0.3)
    within = [spread_within(regions, image) for regions in (ours, theirs)]
    assert within[0] < 1.5 * within[1]


def spread_within(regions: Tensor, image: Tensor) -> float:
    """Share of the image's variance that is left within its regions."""
    index = regions.flatten()
    means = torch.bincount(index, image.flatten()) / torch.bincount(index).clamp(min=1)
    return float((image - means[regions]).square().mean() / image.var())


# --- warps and contrasts -------------------------------------------------------------------------------------------


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


@pytest.mark.parametrize(("voxels", "usable"), [(29, False), (30, True), (500, True), (501, False)])
def test_structures_too_small_or_too_large_for_their_image_are_not_used(voxels: int, usable: bool) -> None:
    mask = torch.zeros(1000, dtype=torch.bool)
    mask[:voxels] = True
    assert sources.Sample(torch.zeros(10, 10, 10), mask.view(10, 10, 10), (1, 1, 1)).usable == usable


# --- data on disk --------------------------------------------------------------------------------------------------


def write(path: Path, array: Tensor, spacing: tuple[float, float, float]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    image = sitk.GetImageFromArray(array.numpy())
    image.SetSpacing(spacing[::-1])
    sitk.WriteImage(image, str(path))


def write_case(folder: Path, volume: LabelledVolume) -> None:
    assert volume.image is not None
    write(folder / "image.nii.gz", volume.image, volume.spacing)
    write(folder / "labels.nii.gz", volume.labels.to(torch.uint8), volume.spacing)
    (folder.parent / "dataset.json").write_text(json.dumps({"name": folder.parent.name}))


def test_a_bank_is_read_as_it_lies_on_disk(bank: Bank, tmp_path: Path) -> None:
    thick, _ = bank.volumes["ct"]
    write_case(tmp_path / "train" / "ct" / "one", thick)
    write(tmp_path / "labelmaps" / "maps" / "a.nii.gz", bank.label_maps[0].labels, (1.0, 1.0, 1.0))
    (tmp_path / "labelmaps" / "maps" / "dataset.json").write_text("{}")
    withheld = {"ct": [thick.targets[0]], "maps": [2, 3]}
    found = load_bank(tmp_path, withheld)
    (volume,), (label_map,) = found.volumes["ct"], found.label_maps
    assert volume.image is not None and thick.image is not None
    assert torch.equal(volume.image, thick.image)
    assert torch.equal(volume.labels, thick.labels)
    assert volume.spacing == thick.spacing
    assert volume.targets == thick.targets[1:]
    assert label_map.image is None
    assert (label_map.labels == 2).any()
    assert not {2, 3} & set(label_map.targets)


def test_a_folder_without_training_data_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"no training data in .*train/<dataset>/dataset\.json"):
        load_bank(tmp_path, {})


def test_held_out_slices_are_evenly_spaced_and_only_the_rest_is_scored(tmp_path: Path) -> None:
    labels = torch.zeros(110, 20, 20, dtype=torch.int16)
    labels[5:106, 4:14, 4:14] = 1
    volume = LabelledVolume("la", "case", torch.zeros_like(labels), labels, (1.0, 1.0, 1.0), (1,))
    write_case(tmp_path / "validation" / "la2018_left_atrium" / "case", volume)
    tasks = {task.slices: task for task in held_out_tasks(tmp_path, (1, 3, 5))}
    drawn = {n: slices_of(task.scene.labels)[0] for n, task in tasks.items()}
    assert drawn == {1: [55], 3: [17, 55, 93], 5: [17, 36, 55, 74, 93]}
    task = tasks[3]
    only_where_drawn = task.mask & (task.scene.labels != 0)
    assert task.dice(only_where_drawn) == 0
    assert task.dice(task.mask & (task.scene.labels == 0)) == 1
    half = task.mask.clone()
    half[:, :, 9:] = False
    assert task.dice(half) == pytest.approx(2 / 3)


def test_held_out_tasks_need_a_validation_folder(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no validation data"):
        next(held_out_tasks(tmp_path, (1,)))


def names_in(description: Path) -> dict[str, str]:
    found: dict[str, str] = json.loads(description.read_text())["labels"]
    return {value: name.lower().replace(" ", "_") for value, name in found.items()}


def test_no_training_label_is_a_structure_kept_for_evaluation(data_folder: Path) -> None:
    descriptions = sorted((data_folder / "train").glob("*/dataset.json"))
    assert descriptions
    evaluated = {
        names_in(data_folder / "validation" / name / "dataset.json")[str(value)]
        for name, values in UNSEEN.items()
        for value in values
    }
    assert {"left_atrium", "mandible", "larynx", "spinal_cord"} <= evaluated
    for description in descriptions:
        names = names_in(description)
        assert not evaluated & set(names.values())
        for name in names.values():
            assert not any(f"_{word}_" in f"_{name}_" for word in NEVER_A_TARGET), name
        # A value without a name could be one of them.
        for path in description.parent.glob("*/labels.nii.gz"):
            present = set(
                map(str, torch.from_numpy(sitk.GetArrayFromImage(sitk.ReadImage(str(path)))).unique().tolist())
            )
            assert present - {"0"} <= set(names), path


def test_the_hippocampi_of_the_label_maps_are_tissue_but_never_a_target(data_folder: Path, tmp_path: Path) -> None:
    for place in ("train/fetal_brain_atlas", "labelmaps/synthseg_brain"):
        (tmp_path / place).mkdir(parents=True)
        (tmp_path / place / "dataset.json").write_text("{}")
    case = next((data_folder / "train" / "fetal_brain_atlas").glob("*/labels.nii.gz")).parent
    (tmp_path / "train" / "fetal_brain_atlas" / case.name).symlink_to(case)
    brain = min((data_folder / "labelmaps" / "synthseg_brain").glob("*.nii.gz"))
    (tmp_path / "labelmaps" / "synthseg_brain" / brain.name).symlink_to(brain)
    (found,) = load_bank(tmp_path, read_config("cpu").data.withheld).label_maps
    hippocampi = {17, 53}
    assert hippocampi <= set(found.labels.unique().tolist())
    assert not hippocampi & set(found.targets)
    assert len(found.targets) > 20
