"""A run that can be stopped at any time: its rate, its running average, and going on from released weights."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest
import torch
from torch import Tensor

from metasegment.episodes.bank import load_bank
from metasegment.network.precision import Precision
from metasegment.network.unet import RELEASED, load_network
from metasegment.network.weights_file import read_facts
from metasegment.training import Config, read_config, train
from metasegment.training.checkpoint import latest_checkpoint
from metasegment.training.feed import batches
from metasegment.training.ranks import Ranks
from metasegment.training.state import initial_state
from metasegment.training.step import Trainee, learning_rate, optimise


@pytest.fixture
def from_released(a_config: Path) -> Config:
    """Six tasks in three steps, from the released weights; the rate falls over the last two."""
    config = read_config(str(a_config))
    assert isinstance(config, Config)
    return dataclasses.replace(
        config,
        network=dataclasses.replace(config.network, start="released"),
        optimiser=dataclasses.replace(config.optimiser, tasks=6, warmup=2, decay=2),
    )


def writing_to(config: Config, output: Path) -> Config:
    return dataclasses.replace(config, run=dataclasses.replace(config.run, output=str(output)))


def tensors_of(folder: Path) -> dict[str, Tensor]:
    found = latest_checkpoint(folder)
    assert found is not None
    return {**found[0], "tasks": torch.tensor(found[1]["tasks"])}


def test_the_rate_stays_until_the_last_tasks_and_ends_at_zero() -> None:
    config = read_config("long")
    assert isinstance(config, Config)
    settings = config.optimiser
    last = settings.tasks - settings.decay
    assert learning_rate(config, 0) < learning_rate(config, settings.warmup - 1) <= settings.learning_rate
    assert {learning_rate(config, n) for n in (settings.warmup, last // 2, last)} == {settings.learning_rate}
    assert learning_rate(config, last + settings.decay // 2) == pytest.approx(settings.learning_rate / 2)
    assert learning_rate(config, settings.tasks) == 0


def test_the_running_average_moves_its_share_of_the_way_to_each_step(from_released: Config) -> None:
    config = dataclasses.replace(from_released, optimiser=dataclasses.replace(from_released.optimiser, averaging=0.75))
    state = initial_state(config, "cpu")
    before = {name: tensor.clone() for name, tensor in state.average.items()}
    batch = next(batches(config, load_bank(Path(config.data.root), {}), 0, Ranks(), "cpu"))
    optimise(config, state, batch, Trainee(state.network, Precision(), "cpu", False), Ranks())
    for name, parameter in state.network.named_parameters():
        torch.testing.assert_close(state.average[name], 0.75 * before[name] + 0.25 * parameter.detach())
    assert not torch.equal(state.average["output_block.conv.conv.weight"], before["output_block.conv.conv.weight"])


@pytest.mark.usefixtures("one_thread")
def test_a_run_from_released_weights_goes_on_exactly_where_it_was_stopped(
    from_released: Config, tmp_path: Path
) -> None:
    whole, stopped = tmp_path / "whole", tmp_path / "stopped"
    train(writing_to(from_released, whole))
    for tasks in (2, 4, 6):
        train(writing_to(from_released, stopped), minutes=0)
        assert int(tensors_of(stopped)["tasks"]) == tasks
    one, other = tensors_of(whole), tensors_of(stopped)
    assert one.keys() == other.keys()
    assert all(torch.equal(tensor, other[name]) for name, tensor in one.items())

    average = load_network(stopped / "weights.safetensors")
    assert read_facts(stopped / "weights.safetensors")["tasks"] == "6"
    begun = dict(load_network(RELEASED).named_parameters())
    moved = [n for n, p in average.named_parameters() if n in begun and p.shape == begun[n].shape]
    assert moved
    assert not any(torch.equal(begun[n], average.get_parameter(n)) for n in moved)
