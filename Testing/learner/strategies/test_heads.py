"""Heads and outer networks: the solvers find what they promise, training slices matter, and copying earns nothing."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import Generator, Tensor, nn
from torch.func import functional_call

from metasegment.grid import Box, Grid
from metasegment.measures.dice import dice
from metasegment.network.channels import CHANNELS
from metasegment.network.engine import WINDOWS, Engine
from metasegment.network.unet import build_network
from metasegment.strategies import MetaStrategy, MetaTask, Query, TrainingSlice, all_meta_strategies
from metasegment.strategies import prototypes as prototypes_module
from metasegment.strategies.hyper_film import decoder_affines
from metasegment.strategies.linear_head import shares_of
from metasegment.strategies.prototypes import adapted, compared, local_means
from metasegment.strategies.ridge import ridge_weights
from metasegment.strategies.svm import svm_weights
from metasegment.strategies.training_cells import ANSWER, CONSTANT, MOST_CELLS, Cells, described, read_training_slices

NAMES = ("hyper_film", "prototypes", "ridge", "svm")
LINEAR = ("ridge", "svm")
EDGE = 16


def strategy(name: str) -> MetaStrategy:
    return all_meta_strategies()[name]


def noise(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(shape, generator=Generator().manual_seed(seed))


def a_lesson(seed: int, plane: int) -> TrainingSlice:
    """Noise in which the image and the interpolation together tell the structure; one plane is asked for."""
    channels = noise(len(CHANNELS), EDGE, EDGE, EDGE, seed=seed)
    channels[1:3] = 0
    cells = torch.zeros(EDGE, EDGE, EDGE, dtype=torch.bool)
    cells[plane] = True
    return TrainingSlice(channels, (channels[0] + channels[3] > 0.5).float(), cells)


@pytest.fixture(scope="module")
def slices() -> tuple[TrainingSlice, ...]:
    return tuple(a_lesson(seed, plane) for seed, plane in enumerate((3, 8, 12)))


@pytest.fixture(scope="module")
def task(slices: tuple[TrainingSlice, ...]) -> MetaTask:
    query = a_lesson(7, 0)
    return MetaTask(slices, query.channels, query.target, torch.ones_like(query.target))


@pytest.fixture(scope="module")
def cells(slices: tuple[TrainingSlice, ...], released_engine: Engine) -> Cells:
    found = read_training_slices(slices, released_engine, 0, lambda: True)
    assert found
    return found


def asked(channels: Tensor) -> Query:
    """A query with the given channels."""
    shape = channels.shape[1:]
    grid = Grid(Box((0.0, 0.0, 0.0), (float(shape[0]), float(shape[1]), float(shape[2]))), tuple(shape))
    query = Query(None, 1, None, grid)  # type: ignore[arg-type]
    object.__setattr__(query, "channels", channels)
    return query


def in_double(cells: Cells) -> Cells:
    return Cells(cells.features.double(), cells.sides.double(), cells.places)


def fitted(name: str, slices: Sequence[TrainingSlice], engine: Engine) -> dict[str, Tensor]:
    return dict(strategy(name).fit(slices, engine, 5, 0, lambda: True))


def test_the_last_layer_on_its_features_gives_the_logits_in_tiles_or_in_one_piece(released_engine: Engine) -> None:
    last = released_engine.network.get_submodule("output_block")
    for shape in ((16, 16, 16), (16, 16, WINDOWS[0] + 32)):
        channels = noise(len(CHANNELS), *shape)
        features, logits = released_engine.features(channels)
        assert features.shape == (16, *shape)
        again = last(features[None])[0, 0].detach()
        torch.testing.assert_close(again, logits, atol=0.1, rtol=0.02)  # bf16 keeps eight bits
        assert torch.equal(logits, released_engine.logits(channels))


def test_ridge_is_the_closed_form_solution(cells: Cells) -> None:
    x, y = cells.features.double().numpy(), cells.sides.double().numpy()
    shares = shares_of(cells.sides.double(), torch.tensor(1.0)).numpy()
    penalty, prior = np.linspace(0.1, 2, x.shape[1]), np.linspace(-1, 1, x.shape[1])
    # Ridge as least squares on more rows: one for each weight, held at its prior.
    rows = np.concatenate([x * np.sqrt(shares)[:, None], np.diag(np.sqrt(penalty))])
    expected = np.linalg.lstsq(rows, np.concatenate([y * np.sqrt(shares), np.sqrt(penalty) * prior]), rcond=None)[0]
    found = ridge_weights(*(torch.from_numpy(a) for a in (x, y, shares, penalty, prior)))
    np.testing.assert_allclose(found.numpy(), expected, rtol=1e-8)


def test_balance_moves_from_equal_cells_to_equal_sides(cells: Cells) -> None:
    equal_cells = shares_of(cells.sides, torch.tensor(0.0))
    equal_sides = shares_of(cells.sides, torch.tensor(1.0))
    torch.testing.assert_close(equal_cells, torch.full_like(equal_cells, 1 / len(equal_cells)))
    assert float(equal_sides[cells.sides > 0].sum()) == pytest.approx(0.5, abs=1e-4)
    assert float(equal_sides[cells.sides < 0].sum()) == pytest.approx(0.5, abs=1e-4)


@pytest.mark.parametrize("penalty", [0.01, 1.0])
def test_the_svm_reaches_the_optimum_of_its_squared_hinge(cells: Cells, penalty: float) -> None:
    x, y = cells.features.double(), cells.sides.double()
    shares, penalties = shares_of(y, torch.tensor(0.5)), torch.full((x.shape[1],), penalty).double()
    prior = torch.linspace(-1, 1, x.shape[1]).double()

    def objective(weights: Tensor) -> Tensor:
        return (shares * (1 - y * (x @ weights)).clamp(min=0) ** 2).sum() + (penalties * (weights - prior) ** 2).sum()

    found = svm_weights(x, y, shares, penalties, prior).requires_grad_()
    (gradient,) = torch.autograd.grad(objective(found), found)
    assert float(gradient.norm()) < 1e-8
    active = y * (x @ found.detach()) < 1
    assert 0 < int(active.sum()) < len(y)  # not a ridge regression in disguise
    for seed in range(3):
        assert objective(found + 0.01 * noise(len(found), seed=seed).double()) > objective(found)


class Exact(Engine):
    """An engine in float64, for derivatives by differences."""

    def __init__(self) -> None:
        torch.manual_seed(3)
        super().__init__(build_network(), "cpu")
        self.network.double()

    def _run(self, batch: Tensor, parameters: Mapping[str, Tensor] | None) -> Tensor:
        out: Tensor = functional_call(self.network, dict(parameters or {}), (batch.double(),), tie_weights=False)
        return out

    def _run_with_features(self, batch: Tensor, parameters: Mapping[str, Tensor] | None) -> Tensor:
        seen: list[Tensor] = []
        last = self.network.get_submodule("output_block")
        handle = last.register_forward_pre_hook(lambda _, given: seen.append(given[0]))
        out = self._run(batch, parameters)
        handle.remove()
        return torch.cat([out, seen[0]], 1)


@pytest.fixture(scope="module")
def exact() -> Exact:
    return Exact()


def leaves(name: str, network: nn.Module, scale: float) -> dict[str, Tensor]:
    """Initial meta-parameters, moved by a little noise, in float64."""
    return {
        n: (p.double() + scale * noise(*p.shape, seed=number).double()).requires_grad_()
        for number, (n, p) in enumerate(strategy(name).initial(network).items())
    }


@pytest.mark.parametrize("name", NAMES)
def test_the_meta_gradient_is_the_derivative_through_the_real_network(name: str, exact: Exact, task: MetaTask) -> None:
    meta = leaves(name, exact.network, 0.05)
    direction = {n: noise(*p.shape, seed=5 + number).double() for number, (n, p) in enumerate(meta.items())}
    length = torch.stack([d.norm() for d in direction.values()]).norm()
    exact_task = replace(task, target=task.target.double(), weight=task.weight.double())

    def loss_at(step: float) -> float:
        moved = {n: (p.detach() + step * direction[n] / length).requires_grad_() for n, p in meta.items()}
        return strategy(name).meta_gradient(moved, exact_task, exact)[0]

    _, gradient = strategy(name).meta_gradient(meta, exact_task, exact)
    along = float(sum((gradient[n] * direction[n]).sum() for n in meta) / length)
    assert along != 0
    assert along == pytest.approx((loss_at(1e-5) - loss_at(-1e-5)) / 2e-5, rel=1e-4)


@pytest.mark.parametrize("name", NAMES)
def test_every_meta_parameter_gets_a_gradient(name: str, exact: Exact, task: MetaTask) -> None:
    exact_task = replace(task, target=task.target.double(), weight=task.weight.double())
    _, gradient = strategy(name).meta_gradient(leaves(name, exact.network, 0.05), exact_task, exact)
    assert all(bool((g != 0).any()) and bool(g.isfinite().all()) for g in gradient.values())


@pytest.mark.parametrize("name", NAMES)
def test_a_few_meta_steps_on_a_repeated_task_lower_its_loss(name: str, released_engine: Engine, task: MetaTask) -> None:
    meta = {n: p.requires_grad_() for n, p in strategy(name).initial(released_engine.network).items()}
    optimiser = torch.optim.Adam(meta.values(), lr=1e-2)
    losses = []
    for _ in range(5):
        loss, gradient = strategy(name).meta_gradient(meta, task, released_engine)
        losses.append(loss)
        for n, p in meta.items():
            p.grad = gradient[n]
        optimiser.step()
    assert losses[-1] < losses[0]


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("shown", ["no training_slice", "no time", "one side"])
def test_without_lessons_that_say_anything_the_answer_is_the_in_context_one(
    name: str, shown: str, released_engine: Engine, task: MetaTask, slices: tuple[TrainingSlice, ...]
) -> None:
    empty = [replace(training_slice, target=torch.zeros_like(training_slice.target)) for training_slice in slices]
    given = {"no training_slice": (), "no time": slices, "one side": empty}[shown]
    state = strategy(name).fit(given, released_engine, 5, 0, lambda: shown != "no time")
    assert state == {}
    answer = strategy(name).predict(state, asked(task.channels), released_engine)
    assert torch.equal(answer, released_engine.logits(task.channels))
    meta = {n: p.requires_grad_() for n, p in strategy(name).initial(released_engine.network).items()}
    if shown != "no time":
        gradient = strategy(name).meta_gradient(meta, replace(task, slices=tuple(given)), released_engine)[1]
        assert not any(bool(g.any()) for g in gradient.values())


@pytest.mark.parametrize("name", NAMES)
def test_what_is_learnt_is_the_same_for_the_same_seed_and_depends_on_the_lessons(
    name: str, released_engine: Engine, slices: tuple[TrainingSlice, ...], task: MetaTask
) -> None:
    meta = {n: p + 0.05 * noise(*p.shape) for n, p in released_engine.learnt(name).items()}
    engine = Engine(released_engine.network, "cpu", {name: meta})
    mixed = [replace(x, target=x.target.flatten()[torch.randperm(x.target.numel())].view_as(x.target)) for x in slices]
    states = [fitted(name, given, engine) for given in (slices, slices, mixed)]
    first, again, other = (strategy(name).predict(state, asked(task.channels), engine) for state in states)
    assert torch.equal(first, again)
    assert not torch.equal(first, other)


@pytest.mark.parametrize("name", NAMES)
def test_a_state_is_small_and_holds_no_image(
    name: str, released_engine: Engine, slices: tuple[TrainingSlice, ...]
) -> None:
    state = fitted(name, slices, released_engine)
    assert sum(p.numel() for p in state.values()) < 20_000
    assert all(not p.requires_grad for p in state.values())


def test_a_hypernetwork_that_was_not_trained_changes_nothing(
    released_engine: Engine, slices: tuple[TrainingSlice, ...], task: MetaTask
) -> None:
    state = fitted("hyper_film", slices, released_engine)
    assert state.keys() == decoder_affines(released_engine.network).keys()
    answer = strategy("hyper_film").predict(state, asked(task.channels), released_engine)
    assert torch.equal(answer, released_engine.logits(task.channels))


def test_the_hypernetwork_is_small(released_engine: Engine) -> None:
    assert sum(p.numel() for p in strategy("hyper_film").initial(released_engine.network).values()) < 150_000


class Copying(nn.Module):
    """Answers with the structure channel, and shows its features all channels."""

    def __init__(self) -> None:
        super().__init__()
        self.upsamples = nn.ModuleDict({"norm": nn.GroupNorm(1, len(CHANNELS))})
        self.output_block = nn.Conv3d(len(CHANNELS), 1, 1)
        nn.init.zeros_(self.output_block.weight)
        nn.init.constant_(self.output_block.bias, -8.0)  # type: ignore[arg-type]
        with torch.no_grad():
            self.output_block.weight[0, 1] = 16.0

    def forward(self, batch: Tensor) -> Tensor:
        affine = self.upsamples["norm"]
        return self.output_block(batch * affine.weight.view(-1, 1, 1, 1) + affine.bias.view(-1, 1, 1, 1))


@pytest.mark.parametrize("name", NAMES)
def test_copying_the_annotation_does_not_find_a_hidden_slice(name: str, slices: tuple[TrainingSlice, ...]) -> None:
    """Where only the annotation tells the structure, and it is not shown on the hidden slice, there is nothing to
    learn: what is shown elsewhere must not teach to copy.
    """
    shown = []
    for training_slice in slices:
        channels = torch.zeros_like(training_slice.channels)
        channels[1] = torch.where(training_slice.cells, 0.0, training_slice.target)
        channels[2] = torch.where(training_slice.cells, 0.0, 1 - training_slice.target)
        shown.append(replace(training_slice, channels=channels))
    network = Copying()
    engine = Engine(network, "cpu", {name: strategy(name).initial(network)})
    state = fitted(name, shown[:2], engine)
    answer = strategy(name).predict(state, asked(shown[2].channels), engine) > 0
    hidden = shown[2].cells
    assert dice(answer[hidden], shown[2].target[hidden] > 0.5) == 0
    taught = read_training_slices(shown[:2], engine, 0, lambda: True)
    assert taught
    assert float(taught.features[:, ANSWER].max()) < 0  # what it learnt from shows no copy


def test_lessons_are_sampled_to_a_limit_by_the_seed(released_engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("metasegment.strategies.training_cells.MOST_CELLS", 100)
    assert MOST_CELLS == 50_000
    found = [read_training_slices([a_lesson(0, 5)], released_engine, seed, lambda: True) for seed in (1, 1, 2)]
    first, again, other = (cells.places for cells in found if cells)
    assert len(first) == 100
    assert torch.equal(first, again)
    assert not torch.equal(first, other)


def test_a_head_learns_from_the_cells_of_hidden_slices_alone(cells: Cells, slices: tuple[TrainingSlice, ...]) -> None:
    assert len(cells.sides) == sum(int(training_slice.cells.sum()) for training_slice in slices)
    for row in (0, 300, 700):
        number, k, j, i = cells.places[row].tolist()
        assert slices[number].cells[k, j, i]
        assert float(cells.sides[row]) == 2 * float(slices[number].target[k, j, i]) - 1
        assert float(cells.features[row, -4]) == float(slices[number].channels[0, k, j, i])
    assert bool((cells.features[:, CONSTANT] == 1).all())


@pytest.fixture
def compared_at(cells: Cells, released_engine: Engine, task: MetaTask) -> Callable[..., Tensor]:
    """Answers (k, j, i) of the prototypes' head with some meta-parameters replaced, on cells it was taught."""
    start = strategy("prototypes").initial(released_engine.network)
    features, logits = released_engine.features(task.channels)

    def answer(taught: Cells = cells, scale: float = 1.0, **changed: float) -> Tensor:
        meta = start | {n: torch.tensor(value) for n, value in changed.items()}
        return compared(adapted(meta, taught), scale * described(features, logits, task.channels), logits)

    return answer


def test_a_higher_threshold_never_gives_a_cell_to_the_structure(compared_at: Callable[..., Tensor]) -> None:
    answers = [compared_at(threshold=t) for t in (-0.5, 0.0, 0.5)]
    assert bool((answers[0] >= answers[1]).all())
    assert bool((answers[1] >= answers[2]).all())
    assert bool((answers[0] > answers[2]).any())


def test_prototypes_do_not_depend_on_the_order_of_the_cells(compared_at: Callable[..., Tensor], cells: Cells) -> None:
    order = torch.randperm(len(cells.sides), generator=Generator().manual_seed(0))
    shuffled = Cells(cells.features[order], cells.sides[order], cells.places[order])
    torch.testing.assert_close(compared_at(shuffled), compared_at(), atol=1e-4, rtol=1e-4)


def test_prototypes_do_not_depend_on_the_unit_of_the_features(compared_at: Callable[..., Tensor], cells: Cells) -> None:
    scaled = Cells(3 * cells.features, cells.sides, cells.places)
    torch.testing.assert_close(compared_at(scaled, scale=3.0), compared_at(), atol=1e-4, rtol=1e-4)


def test_exchanged_sides_exchange_what_the_prototypes_say(compared_at: Callable[..., Tensor], cells: Cells) -> None:
    all_own = {"mix_logit": math.inf, "threshold": 0.0}
    exchanged = Cells(cells.features, -cells.sides, cells.places)
    one, other = compared_at(**all_own), compared_at(exchanged, **all_own)
    unsure = one != other
    torch.testing.assert_close(other[unsure], -one[unsure], atol=1e-4, rtol=1e-4)
    assert bool(unsure.any())


def test_local_means_are_those_of_windows_after_that_of_all() -> None:
    edge = prototypes_module.WINDOW
    places = torch.tensor([[0, 0, 0, n] for n in range(edge)] + [[0, 0, 0, edge + n] for n in range(edge)])
    features = torch.cat([torch.zeros(edge, 2), torch.ones(edge, 2)])
    means = local_means(Cells(features, torch.ones(2 * edge), places), 1)
    torch.testing.assert_close(means, torch.tensor([[0.5, 0.5], [0.0, 0.0], [1.0, 1.0]]))
    few = Cells(features[:2], torch.ones(2), places[:2])
    assert len(local_means(few, 1)) == 1


@pytest.mark.parametrize("name", LINEAR)
def test_a_linear_head_learns_what_the_network_did_not_see(
    name: str, released_engine: Engine, slices: tuple[TrainingSlice, ...]
) -> None:
    """The structure is where the image is bright; the network, given no prompt, does not know that."""
    bright = [replace(x, target=(x.channels[0] > 0.3).float()) for x in slices]
    meta = strategy(name).initial(released_engine.network)
    meta["log_penalty"] = torch.full_like(meta["log_penalty"], math.log(1e-3))
    engine = Engine(released_engine.network, "cpu", {name: meta})
    state = fitted(name, bright[:2], engine)
    answers = [strategy(name).predict(s, asked(bright[2].channels), engine) > 0 for s in ({}, state)]
    before, after = (dice(answer, bright[2].target > 0.5) for answer in answers)
    assert after > 0.75 > before
