"""Gradient-based meta-learning: the meta-gradients are those of the papers, taken on slices that are not shown."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import pytest
import torch
from torch import Generator, Tensor, nn
from torch.func import functional_call

from metasegment.errors import InputError
from metasegment.network.channels import CHANNELS
from metasegment.network.engine import Engine
from metasegment.network.unet import build_network
from metasegment.strategies import MetaTask, TrainingSlice, all_meta_strategies
from metasegment.strategies.base import OFFSET
from metasegment.strategies.gradient import (
    LOG_RATE,
    MOST_STEPS,
    STEP_SIZE,
    TRAINED_STEPS,
    GradientStrategy,
    query_loss,
    starting_point,
)
from metasegment.strategies.inner_loop import SLAB, adaptable_parameters, in_turn, slab, training_loss

EDGE = 16
FAMILY = ("anil", "fomaml", "maml", "meta_sgd", "reptile")
HEAD = "output_block."


class Exact(Engine):
    """An engine in float64, for derivatives by differences."""

    def __init__(self) -> None:
        torch.manual_seed(3)
        super().__init__(build_network(), "cpu")
        self.network.double()

    def forward(self, channels: Tensor, parameters: Mapping[str, Tensor] | None = None) -> Tensor:
        out: Tensor = functional_call(self.network, dict(parameters or {}), (channels[None],), tie_weights=False)
        return out[0, 0]


@pytest.fixture(scope="module")
def exact() -> Exact:
    return Exact()


@pytest.fixture(scope="module")
def task() -> MetaTask:
    """Noise with a target that part of it predicts, and three training slices of one plane each."""
    generator = Generator().manual_seed(0)

    def example() -> tuple[Tensor, Tensor]:
        channels = torch.randn(len(CHANNELS), EDGE, EDGE, EDGE, generator=generator, dtype=torch.float64)
        return channels, (channels[0] + channels[3] > 0.5).double()

    slices = []
    for plane in (3, 8, 12):
        cells = torch.zeros(EDGE, EDGE, EDGE, dtype=torch.bool)
        cells[plane] = True
        slices.append(TrainingSlice(*example(), cells))
    channels, target = example()
    return MetaTask(tuple(slices), channels, target, torch.ones_like(target))


def strategy(name: str) -> GradientStrategy:
    found = all_meta_strategies()[name]
    assert isinstance(found, GradientStrategy)
    return found


def leaves(strategy: GradientStrategy, network: nn.Module, scale: float = 0.0) -> dict[str, Tensor]:
    """Initial meta-parameters, moved by a little noise, in float64."""
    generator = Generator().manual_seed(1)
    return {
        name: (p.double() + scale * torch.randn(p.shape, generator=generator, dtype=torch.float64)).requires_grad_()
        for name, p in strategy.initial(network).items()
    }


def test_the_second_order_meta_gradient_is_the_derivative_through_the_real_network(
    exact: Exact, task: MetaTask
) -> None:
    member = strategy("maml")
    meta = leaves(member, exact.network, scale=0.01)
    generator = Generator().manual_seed(2)
    direction = {n: torch.randn(p.shape, generator=generator, dtype=torch.float64) for n, p in meta.items()}
    length = torch.stack([d.norm() for d in direction.values()]).norm()
    direction = {n: d / length for n, d in direction.items()}

    def loss_at(step: float) -> float:
        moved = {n: (p.detach() + step * direction[n]).requires_grad_() for n, p in meta.items()}
        return float(query_loss(member.adapted(moved, task, exact), task, exact).detach())

    def along(member: GradientStrategy) -> float:
        gradient = member.meta_gradient(meta, task, exact)[1]
        return float(sum((gradient[n] * direction[n]).sum() for n in meta))

    step = 1e-6
    expected = (loss_at(step) - loss_at(-step)) / (2 * step)
    assert along(member) == pytest.approx(expected, rel=1e-4)
    error, other = (abs(along(m) - expected) for m in (member, replace(member, second_order=False)))
    assert error < other / 3


def descended(meta: Mapping[str, Tensor], task: MetaTask, engine: Engine) -> dict[str, Tensor]:
    """Plain gradient descent, written out: parameters that know nothing of where they came from."""
    parameters = starting_point(meta, engine.network)
    for training_slice in in_turn(task.slices, TRAINED_STEPS, seed=0):
        parameters = {n: p.detach().requires_grad_() for n, p in parameters.items()}
        gradients = torch.autograd.grad(training_loss(parameters, training_slice, engine), list(parameters.values()))
        parameters = {n: p - STEP_SIZE * g for (n, p), g in zip(parameters.items(), gradients, strict=True)}
    return {n: p.detach().requires_grad_() for n, p in parameters.items()}


def test_first_order_maml_is_the_querys_gradient_at_the_end_of_the_inner_loop(exact: Exact, task: MetaTask) -> None:
    member = strategy("fomaml")
    meta = leaves(member, exact.network, scale=0.01)
    loss, gradient = member.meta_gradient(meta, task, exact)
    end = descended(meta, task, exact)
    there = query_loss(end, task, exact)
    expected = torch.autograd.grad(there, list(end.values()))
    assert loss == pytest.approx(float(there.detach()))
    for name, value in zip(end, expected, strict=True):
        torch.testing.assert_close(gradient[OFFSET + name], value)


def test_the_gradient_of_a_last_step_size_is_minus_the_product_of_inner_and_outer_gradients(
    exact: Exact, task: MetaTask
) -> None:
    member = strategy("meta_sgd")
    meta = leaves(member, exact.network)
    _, gradient = member.meta_gradient(meta, task, exact)
    *first, last = in_turn(task.slices, TRAINED_STEPS, seed=0)
    before = starting_point(meta, exact.network)
    for training_slice in first:
        before = member.stepped(before, training_slice, 0, meta, exact, second_order=False)
    before = {n: p.detach().requires_grad_() for n, p in before.items()}
    inner = torch.autograd.grad(training_loss(before, last, exact), list(before.values()))
    end = descended(meta, task, exact)
    outer = torch.autograd.grad(query_loss(end, task, exact), list(end.values()))
    for name, i, o in zip(before, inner, outer, strict=True):
        torch.testing.assert_close(gradient[LOG_RATE + name][-1], -STEP_SIZE * (i * o).sum())


def test_reptile_goes_from_the_start_to_the_end_of_the_inner_loop_whatever_the_query(
    exact: Exact, task: MetaTask
) -> None:
    member = strategy("reptile")
    meta = leaves(member, exact.network, scale=0.01)
    _, gradient = member.meta_gradient(meta, task, exact)
    start, end = starting_point(meta, exact.network), descended(meta, task, exact)
    for name in end:
        torch.testing.assert_close(gradient[OFFSET + name], (start[name] - end[name]).detach())
    other = member.meta_gradient(meta, replace(task, target=1 - task.target), exact)[1]
    assert all(torch.equal(other[name], value) for name, value in gradient.items())


@pytest.mark.parametrize("name", FAMILY)
def test_every_meta_parameter_gets_a_gradient(name: str, exact: Exact, task: MetaTask) -> None:
    member = strategy(name)
    meta = leaves(member, exact.network)
    loss, gradient = member.meta_gradient(meta, task, exact)
    assert loss > 0
    assert gradient.keys() == meta.keys()
    assert all(g.shape == meta[n].shape and bool(g.isfinite().all()) for n, g in gradient.items())
    moving = [n for n in meta if n.startswith((OFFSET + HEAD, LOG_RATE + HEAD)) or name not in ("anil", "reptile")]
    assert all(bool((gradient[n] != 0).any()) for n in moving)


def as_floats(task: MetaTask) -> tuple[TrainingSlice, ...]:
    return tuple(TrainingSlice(x.channels.float(), x.target.float(), x.cells) for x in task.slices)


@pytest.mark.parametrize("name", FAMILY)
def test_what_adapts_starts_at_the_networks_own_parameters(name: str, released_engine: Engine, task: MetaTask) -> None:
    member = strategy(name)
    own = adaptable_parameters(released_engine.network)
    start = starting_point(released_engine.learnt(name), released_engine.network)
    assert start.keys() == own.keys()
    assert all(torch.equal(start[n], p) for n, p in own.items())
    state = member.fit(as_floats(task), released_engine, 1, 0, lambda: True)
    adapted = {n for n in own if not torch.equal(state[n], own[n])}
    assert adapted <= {n for n in own if name != "anil" or n.startswith(HEAD)}
    assert any(n.startswith(HEAD) for n in adapted)


@pytest.mark.parametrize("name", FAMILY)
def test_without_time_or_lessons_the_answer_is_the_in_context_one(
    name: str, released_engine: Engine, task: MetaTask
) -> None:
    member = strategy(name)
    assert member.fit(as_floats(task), released_engine, 5, 0, lambda: False) == {}
    assert member.fit((), released_engine, 5, 0, lambda: True) == {}


def test_no_more_steps_are_taken_than_asked_for_nor_than_are_known_to_help(
    released_engine: Engine, task: MetaTask
) -> None:
    for asked, taken in ((2, 2), (1000, MOST_STEPS)):
        beats: list[int] = []
        strategy("anil").fit(as_floats(task), released_engine, asked, 0, lambda: not beats.append(1))  # noqa: B023
        assert len(beats) == taken


def test_steps_beyond_those_trained_are_as_long_as_the_last_of_them(released_engine: Engine, task: MetaTask) -> None:
    member = strategy("meta_sgd")
    meta = member.initial(released_engine.network)
    for name in meta:
        if name.startswith(LOG_RATE):
            meta[name][-1] = -100.0  # no step at all
    engine = Engine(released_engine.network, "cpu", {"meta_sgd": meta})
    short, long = (member.fit(as_floats(task), engine, steps, 0, lambda: True) for steps in (TRAINED_STEPS - 1, 6))
    assert all(torch.equal(short[name], long[name]) for name in short)


@pytest.mark.parametrize("name", sorted(all_meta_strategies()))
def test_a_strategy_that_was_not_meta_trained_says_so(name: str, released_engine: Engine, task: MetaTask) -> None:
    bare = Engine(released_engine.network, "cpu")
    with pytest.raises(InputError, match=f"strategy {name} was not meta-trained with these weights"):
        all_meta_strategies()[name].fit(as_floats(task), bare, 3, 0, lambda: True)


def test_a_step_looks_at_a_slab_around_its_slice_wherever_that_is() -> None:
    target = torch.arange(48 * 24 * 32).view(48, 24, 32).float()
    channels = target.expand(len(CHANNELS), -1, -1, -1)
    for axis, plane in ((0, 0), (0, 23), (0, 47), (1, 20), (2, 1)):
        cells = torch.zeros(48, 24, 32, dtype=torch.bool)
        cells.movedim(axis, 0)[plane] = True
        near = slab(TrainingSlice(channels, target, cells))
        assert near.cells.shape == tuple(SLAB if a == axis else n for a, n in enumerate(cells.shape))
        assert torch.equal(near.target[near.cells], target[cells])
        assert torch.equal(near.channels[5], near.target)


def test_an_oblique_slice_is_looked_at_in_all_of_the_grid() -> None:
    cells = torch.eye(24, dtype=torch.bool)[:, :, None].expand(24, 24, 16).contiguous()
    training_slice = TrainingSlice(torch.zeros(len(CHANNELS), 24, 24, 16), torch.zeros(24, 24, 16), cells)
    assert slab(training_slice).cells.shape == (24, 24, 16)
