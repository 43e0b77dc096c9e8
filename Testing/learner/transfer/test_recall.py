"""What a task recalls is corrected by the network: how that is practised, trained, saved and used."""

from __future__ import annotations

import dataclasses
import math
from pathlib import Path

import numpy as np
import pytest
import torch
from helpers.organs import scan_of
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Generator, Tensor

from metasegment.cli import main
from metasegment.episodes.episode import Episode, Mixture, make_episode
from metasegment.episodes.labelled import Bank, LabelledVolume
from metasegment.episodes.pairs import paired
from metasegment.episodes.recall import recollected
from metasegment.episodes.rendering import render
from metasegment.episodes.shapes import procedural_labels
from metasegment.episodes.sources import Sample
from metasegment.errors import InputError
from metasegment.fields.chance import draws
from metasegment.grid import Box, Grid, to_voxels
from metasegment.measures.dice import dice
from metasegment.network.channels import CHANNELS
from metasegment.network.engine import Engine
from metasegment.network.meta_parameters import load_learnt, save_learnt
from metasegment.network.unet import RELEASED, build_network, load_network, save_weights
from metasegment.prompts import prior_box, prior_channels
from metasegment.segmenter.answer import Answer
from metasegment.segmenter.correct import LEARNT, corrected
from metasegment.training import read_config
from metasegment.volume import Volume

EDGE = 36
SHOWN = [CHANNELS.index(name) for name in ("structure", "background")]
PREVIOUS = CHANNELS.index("previous")
EVERY_SOURCE = Mixture(recall=1.0)


def ball(shape: tuple[int, int, int], centre: tuple[float, ...], radius: float) -> Tensor:
    axes = torch.meshgrid(*(torch.arange(n) + 0.5 for n in shape), indexing="ij")
    return sum((a - c) ** 2 for a, c in zip(axes, centre, strict=True)) < radius**2  # type: ignore[return-value]


def a_volume(case: int, labels: Tensor, spacing: tuple[float, float, float]) -> LabelledVolume:
    image = (300 * render(labels, draws("cpu", case), spacing)).short()
    targets = tuple(v for v in labels.unique().tolist() if v)
    return LabelledVolume("ct", str(case), image, labels.short(), spacing, targets)


@pytest.fixture(scope="module")
def bank() -> Bank:
    """Two volumes and two label maps of synthetic anatomy."""
    volumes = [a_volume(n, procedural_labels((EDGE,) * 3, draws("cpu", n)), (1.0, 1.0, 1.0)) for n in range(4)]
    return Bank({"ct": volumes[:2]}, [dataclasses.replace(volume, image=None) for volume in volumes[2:]])


@pytest.fixture(scope="module")
def episodes(bank: Bank) -> list[Episode]:
    return [make_episode(bank, EVERY_SOURCE, 1, index) for index in range(24)]


# --- episodes ------------------------------------------------------------------------------------------------------


def test_no_slice_is_visible_and_every_cell_is_scored(episodes: list[Episode]) -> None:
    for episode in episodes:
        assert episode.recalled
        assert not episode.channels[SHOWN].any()
        assert float(episode.weight.min()) >= 1
        assert bool(episode.channels.isfinite().all())
    assert {episode.source for episode in episodes} == {"labelled", "supervoxels", "brain_maps", "procedural"}


def test_priors_are_as_good_as_in_use_and_never_the_truth(episodes: list[Episode]) -> None:
    scores = [dice(e.channels[PREVIOUS] > 0, e.target > 0.5) for e in episodes]
    assert max(scores) < 1
    assert 0.35 < sum(scores) / len(scores) < 0.8


def test_an_episode_follows_from_seed_and_number(bank: Bank, episodes: list[Episode]) -> None:
    again = make_episode(bank, EVERY_SOURCE, 1, 7)
    assert torch.equal(again.channels, episodes[7].channels)
    assert torch.equal(again.target, episodes[7].target)


def test_some_tasks_recall_and_others_show_slices_as_the_share_says(bank: Bank) -> None:
    kinds = [make_episode(bank, Mixture(recall=0.5), 3, index).recalled for index in range(16)]
    assert 2 < sum(kinds) < 14


def test_the_shape_of_another_volume_says_nothing_of_the_structures_own() -> None:
    image = torch.randn(24, 24, 24, generator=Generator().manual_seed(1))
    elsewhere = ball((24, 24, 24), (12, 12, 12), 5)
    found = [
        recollected(Sample(image, ball((24, 24, 24), centre, 6), (1.0, 1.0, 1.0)), elsewhere, draws("cpu", 4))
        for centre in ((12, 12, 12), (10, 14, 12))
    ]
    assert found[0] is not None
    assert found[1] is not None
    assert found[0].grid == found[1].grid
    assert torch.equal(found[0].prior, found[1].prior)


def test_another_volumes_structure_is_laid_over_this_ones_whatever_the_spacing() -> None:
    here = a_volume(0, 3 * ball((32, 32, 32), (14, 18, 16), 7).int(), (1.0, 1.0, 1.0))
    there = a_volume(1, 3 * ball((16, 40, 40), (8, 14, 25), 7).int(), (2.0, 1.0, 1.0))
    bank = Bank({"ct": [here, there]}, [])
    scores = []
    for seed in range(12):
        made = paired(bank, "labelled", 32**3, draws("cpu", seed))
        assert made is not None
        scores.append(dice(made[0].mask, made[1]))
    assert min(scores) > 0.4
    assert 0.6 < sum(scores) / len(scores) < 1


def test_volumes_without_a_common_structure_make_no_pair() -> None:
    one, other = (a_volume(n, (n + 1) * ball((24,) * 3, (12, 12, 12), 6).int(), (1.0, 1.0, 1.0)) for n in range(2))
    assert paired(Bank({"ct": [one, other]}, []), "labelled", 24**3, draws("cpu", 0)) is None
    assert paired(Bank({"ct": [one]}, []), "labelled", 24**3, draws("cpu", 0)) is None
    assert paired(Bank({"ct": [one, one]}, []), "procedural", 24**3, draws("cpu", 0)) is None


# --- channels ------------------------------------------------------------------------------------------------------


def test_channels_say_what_the_prior_says() -> None:
    inside = ball((24, 24, 24), (12, 12, 12), 6)
    image = 100.0 * inside + torch.randn(24, 24, 24, generator=Generator().manual_seed(2))
    channels = dict(zip(CHANNELS, prior_channels(image, inside * 0.9 + 0.02, (1.0, 1.0, 1.0)), strict=True))
    for name in ("interpolation", "likelihood", "previous", "geodesic"):
        assert bool((channels[name][inside] > 0).all())
        assert bool((channels[name][~inside] < 0).all())


def test_a_prior_that_is_nowhere_sure_starts_no_competition() -> None:
    channels = prior_channels(torch.zeros(16, 16, 16), torch.full((16, 16, 16), 0.3), (1.0, 1.0, 1.0))
    assert not channels[CHANNELS.index("geodesic")].any()
    assert bool(channels.isfinite().all())


@settings(max_examples=40, deadline=None)
@given(
    st.tuples(*[st.integers(1, 9)] * 3),
    st.tuples(*[st.floats(-20, 20)] * 3),
    st.floats(0.1, 3),
    st.integers(0, 2**31),
)
def test_a_box_lies_in_the_volume_and_holds_what_is_probable(
    shape: tuple[int, int, int], start: tuple[float, float, float], step: float, seed: int
) -> None:
    prior = torch.rand(shape, generator=Generator().manual_seed(seed)) ** 4
    k, j, i = (a + step * n for a, n in zip(start, shape, strict=True))
    limits = Box((0.0, 0.0, 0.0), (15.0, 15.0, 15.0))
    box = prior_box(prior, Grid(Box(start, (k, j, i)), shape), limits)
    if box is None:
        return
    assert min(box.extent) > 0
    assert box.clipped(limits) == box
    for cell in (prior > 0.3).nonzero().tolist():  # fewer cells than a hundred: none is a stray
        middle = [a + step * (n + 0.5) for a, n in zip(start, cell, strict=True)]
        if all(0 < m < 15 for m in middle):
            assert all(a <= m <= b for a, m, b in zip(box.start, middle, box.stop, strict=True))


def test_there_is_no_box_around_nothing() -> None:
    grid = Grid(Box((0.0, 0.0, 0.0), (4.0, 4.0, 4.0)), (4, 4, 4))
    assert prior_box(torch.zeros(4, 4, 4), grid, grid.box) is None


# --- training ------------------------------------------------------------------------------------------------------


@pytest.fixture
def weights(tmp_path: Path) -> Path:
    """The released weights in a folder of their own."""
    path = tmp_path / "net.safetensors"
    save_weights(path, "M", dict(load_network(RELEASED).named_parameters()), {})
    return path


@pytest.fixture
def a_recall_config(a_config: Path, weights: Path, tmp_path: Path) -> Path:
    """The tiny run, with recalled structures only, on top of the weights."""
    added = f"""
        [network]
        start = '{weights}'
        learnt = "recall"
        [episodes]
        recall = 1.0
    """
    text = a_config.read_text().replace("OUTPUT", str(tmp_path / "run"))
    a_config.write_text(text.replace("tasks = 10", "tasks = 4").replace("milestone_tasks = 4", "") + added)
    return a_config


def test_the_command_saves_what_was_learnt_beside_the_weights_it_starts_from(
    a_recall_config: Path, weights: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = weights.with_name("net-recall.safetensors")
    assert main(["train", str(a_recall_config), "--minutes", "0"]) == 0
    assert capsys.readouterr().out.splitlines() == [f"weights: {weights.parent / 'run' / 'weights.safetensors'}"]
    assert not path.exists()  # unfinished
    assert main(["train", str(a_recall_config)]) == 0
    assert capsys.readouterr().out.splitlines() == [f"weights: {path}"]
    assert path.stat().st_size < 0.55 * weights.stat().st_size
    learnt = load_learnt(weights)[LEARNT]
    start = dict(load_network(weights).named_parameters())
    assert {n: p.shape for n, p in learnt.items()} == {n: p.shape for n, p in start.items()}
    assert all(p.dtype == torch.float32 for p in learnt.values())
    moved = math.sqrt(sum(float((learnt[n] - p.detach()).square().sum()) for n, p in start.items()))
    length = math.sqrt(sum(float(p.detach().square().sum()) for p in start.values()))
    assert 1e-6 < moved / length < 0.1  # it went on from the weights, and on


def test_nothing_can_be_learnt_on_top_of_no_weights_or_of_another_size(a_recall_config: Path, weights: Path) -> None:
    text = a_recall_config.read_text()
    a_recall_config.write_text(text.replace("start", "# start"))
    with pytest.raises(InputError, match="needs start"):
        read_config(str(a_recall_config))
    a_recall_config.write_text(text.replace("learnt = ", 'size = "L0"\n        learnt = '))
    with pytest.raises(InputError, match="not of size L0"):
        from metasegment.training import train

        train(read_config(str(a_recall_config)))  # type: ignore[arg-type]


def test_what_was_learnt_with_other_weights_is_passed_over(weights: Path, tmp_path: Path) -> None:
    save_learnt(weights, LEARNT, {"w": torch.ones(2)}, {})
    assert LEARNT in load_learnt(weights)
    save_weights(weights, "M", dict(build_network("M").named_parameters()), {})
    assert LEARNT not in load_learnt(weights)


# --- use -----------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def correcting() -> Engine:
    """The released weights with what was learnt on top of them."""
    return Engine(load_network(), "cpu", load_learnt())


def a_prior(mask: np.ndarray, certainty: float = 0.9) -> Answer:
    k, j, i = mask.shape
    grid = Grid(Box((0.0, 0.0, 0.0), (float(k), float(j), float(i))), (k, j, i))
    return Answer(grid, torch.from_numpy(mask).float() * certainty)


def seen(scan: Volume) -> tuple[Tensor, tuple[float, float, float]]:
    return torch.from_numpy(scan.array).float(), scan.geometry.spacing_kji


def test_without_what_was_learnt_a_recalled_structure_stays_as_it_is(
    released_engine: Engine, two_organs: np.ndarray
) -> None:
    prior = a_prior(two_organs == 1)
    assert corrected(prior, *seen(scan_of(two_organs)), released_engine) is prior


def test_a_misplaced_structure_comes_closer_to_what_the_image_shows(correcting: Engine, two_organs: np.ndarray) -> None:
    for organ in (1, 2):
        truth = two_organs == organ
        moved = np.roll(truth, (2, -2, 2), (0, 1, 2))
        found = corrected(a_prior(moved), *seen(scan_of(two_organs)), correcting)
        assert 0 <= float(found.probability.min()) <= float(found.probability.max()) <= 1
        values, where = to_voxels(found.probability, found.grid, truth.shape)
        answer = np.zeros_like(truth)
        answer[where] = values.numpy() > 0.5
        assert dice(answer, truth) > dice(moved, truth)


@pytest.mark.parametrize("cells", [0, 1, 2])
def test_next_to_nothing_recalled_is_no_error(cells: int, correcting: Engine, two_organs: np.ndarray) -> None:
    mask = np.zeros_like(two_organs, dtype=bool)
    mask[0, 0, :cells] = True
    image, spacing = seen(scan_of(two_organs))
    for shown in (image, torch.zeros_like(image)):
        found = corrected(a_prior(mask), shown, spacing, correcting)
        assert found.probability.shape == found.grid.shape
        assert bool(found.probability.isfinite().all())


def test_what_is_recalled_beside_the_volume_stays_as_it_is(correcting: Engine, two_organs: np.ndarray) -> None:
    outside = Answer(Grid(Box((90.0, 0.0, 0.0), (110.0, 20.0, 20.0)), (8, 8, 8)), torch.ones(8, 8, 8))
    assert corrected(outside, *seen(scan_of(two_organs)), correcting) is outside
