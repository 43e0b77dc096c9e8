"""Training tasks: repeatable, scored where nothing was drawn, and made on one device."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor
from torch.overrides import TorchFunctionMode
from torch.utils._device import _device_constructors
from torch.utils._pytree import tree_leaves

from metasegment.episodes.bank import Bank
from metasegment.episodes.episode import BORDER_WEIGHT, Episode, Mixture, make_episode
from metasegment.grid import resample
from metasegment.network.channels import CHANNELS
from metasegment.network.losses import dice_of_logits

FIELDS = [CHANNELS.index(name) for name in ("interpolation", "distance", "geodesic")]
MASKS = [CHANNELS.index(name) for name in ("structure", "background")]


@pytest.fixture(scope="module")
def episodes(bank: Bank) -> list[Episode]:
    return [make_episode(bank, Mixture(), 1, index) for index in range(32)]


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
        assert dice_of_logits(copied, episode.target, episode.weight) == 0


def test_cells_at_the_border_of_the_structure_weigh_more(episodes: list[Episode]) -> None:
    for episode in episodes:
        inside = episode.target[1:-1, 1:-1, 1:-1]
        steps = (episode.target[2:, 1:-1, 1:-1] > 0.5) != (episode.target[:-2, 1:-1, 1:-1] > 0.5)
        weight = episode.weight[1:-1, 1:-1, 1:-1]
        at_border = weight[steps & (weight > 0)]
        assert len(at_border) and (at_border == BORDER_WEIGHT).all()
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
