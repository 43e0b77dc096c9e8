"""Meta-training of strategies: tasks as in use, meta-parameters that learn, a run that goes on as if never stopped."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from metasegment.cli import main
from metasegment.episodes.adaptation import annotated_slices_of, make_adaptation
from metasegment.episodes.episode import Mixture
from metasegment.episodes.labelled import Bank
from metasegment.errors import InputError
from metasegment.network.engine import Engine
from metasegment.network.meta_parameters import load_learnt
from metasegment.network.unet import RELEASED, load_network, save_weights
from metasegment.prompts import Scene
from metasegment.strategies import MetaTask, all_meta_strategies
from metasegment.training import read_config
from metasegment.training.adaptation import MetaState, in_context_loss, meta_step, meta_train
from metasegment.training.checkpoint import latest_checkpoint, save_checkpoint
from metasegment.training.config import AdaptationConfig

SEED = 11
PROCEDURAL = Mixture(labelled=0, supervoxels=0, brain_maps=0, procedural=1)
NOTHING = Bank({}, [])


@pytest.fixture(scope="module")
def tasks() -> list[MetaTask]:
    return [make_adaptation(NOTHING, PROCEDURAL, SEED, number) for number in range(4)]


@pytest.fixture(scope="module")
def small(tasks: list[MetaTask]) -> list[MetaTask]:
    """The two tasks on the smallest grids."""
    return sorted(tasks, key=lambda task: task.target.numel())[:2]


def test_a_task_is_the_same_whenever_it_is_made(tasks: list[MetaTask]) -> None:
    again = make_adaptation(NOTHING, PROCEDURAL, SEED, 3)
    assert torch.equal(again.channels, tasks[3].channels)
    assert len(again.slices) == len(tasks[3].slices)
    assert all(torch.equal(a.channels, b.channels) for a, b in zip(again.slices, tasks[3].slices, strict=True))
    assert not any(torch.equal(tasks[3].channels[0], tasks[n].channels[0]) for n in (0, 1, 2))


def test_the_query_shows_what_was_annotated_and_asks_for_the_rest(tasks: list[MetaTask]) -> None:
    for task in tasks:
        known = task.channels[1] + task.channels[2] > 0
        assert known.any()
        assert torch.equal(task.weight == 0, known)


def test_a_lesson_hides_what_it_asks_for(tasks: list[MetaTask]) -> None:
    for training_slice in (training_slice for task in tasks for training_slice in task.slices):
        assert training_slice.cells.any()
        assert not training_slice.channels[1][training_slice.cells].any()
        assert not training_slice.channels[2][training_slice.cells].any()


def test_every_annotated_voxel_is_on_a_sheet() -> None:
    labels = torch.zeros(8, 9, 10, dtype=torch.uint8)
    labels[3] = 255
    labels[:, 4] = 1
    labels[0, 0, 0] = 255
    annotated_slices = annotated_slices_of(Scene(labels.float(), labels, (1.0, 1.0, 1.0)))
    assert [len(sheet) for sheet in annotated_slices] == [90, 80, 1]
    assert torch.equal(torch.cat(annotated_slices).unique(), labels.view(-1).nonzero()[:, 0])


def stepped(state: MetaState, name: str, engine: Engine, tasks: list[MetaTask]) -> MetaState:
    for task in tasks:
        assert meta_step(all_meta_strategies()[name], state, [task], engine).finite
    return state


def fresh(name: str, engine: Engine) -> MetaState:
    return MetaState(all_meta_strategies()[name].initial(engine.network), 1e-2, engine.device)


@pytest.mark.parametrize("name", sorted(all_meta_strategies()))
def test_a_few_meta_steps_on_one_task_make_it_easier(name: str, released_engine: Engine, small: list[MetaTask]) -> None:
    state = fresh(name, released_engine)
    reports = [meta_step(all_meta_strategies()[name], state, small[:1], released_engine) for _ in range(4)]
    assert all(report.finite for report in reports)
    assert reports[-1].loss < reports[0].loss
    assert reports[0].in_context == in_context_loss(small[0], released_engine)


def test_meta_training_leaves_the_network_as_it_was(released_engine: Engine, small: list[MetaTask]) -> None:
    before = {name: p.detach().clone() for name, p in released_engine.network.named_parameters()}
    stepped(fresh("maml", released_engine), "maml", released_engine, small[:1])
    assert all(torch.equal(p, before[name]) for name, p in released_engine.network.named_parameters())


def test_a_resumed_run_has_the_same_bits_as_an_uninterrupted_one(
    released_engine: Engine, small: list[MetaTask], tmp_path: Path
) -> None:
    whole = stepped(fresh("meta_sgd", released_engine), "meta_sgd", released_engine, small * 2)
    half = stepped(fresh("meta_sgd", released_engine), "meta_sgd", released_engine, small)
    save_checkpoint(tmp_path, half.tasks, half.tensors(), {"seconds": 1.5})
    found = latest_checkpoint(tmp_path)
    assert found is not None
    resumed = fresh("meta_sgd", released_engine)
    resumed.restore(found[0], found[1]["tasks"], found[1]["seconds"])
    assert (resumed.tasks, resumed.seconds) == (2, 1.5)
    stepped(resumed, "meta_sgd", released_engine, small)
    one, other = whole.tensors(), resumed.tensors()
    assert one.keys() == other.keys()
    assert all(torch.equal(one[name], other[name]) for name in one)


def test_a_gradient_that_is_not_finite_changes_nothing() -> None:
    state = MetaState({"start/w": torch.ones(3)}, 1e-2, "cpu")
    assert not state.learn([{"start/w": torch.tensor([1.0, float("nan"), 0.0])}])
    assert torch.equal(state.meta["start/w"], torch.ones(3))
    assert state.learn([{"start/w": torch.ones(3)}])
    assert (state.meta["start/w"] < 1).all()


@pytest.fixture
def weights(released_engine: Engine, tmp_path: Path) -> Path:
    """The released weights in a folder of their own."""
    path = tmp_path / "net.safetensors"
    save_weights(path, "M", dict(load_network(RELEASED).named_parameters()), {})
    return path


@pytest.fixture
def a_config(weights: Path, a_data_folder: Path, tmp_path: Path) -> Path:
    path = tmp_path / "adapt.toml"
    path.write_text(f"""
        [data]
        root = '{a_data_folder}'
        [adaptation]
        strategies = ["anil", "meta_sgd"]
        minutes = 0.001
        batch = 1
        weights = '{weights}'
        output = '{tmp_path / "runs"}'
    """)
    return path


def test_the_command_saves_what_each_strategy_learnt_beside_the_weights(
    a_config: Path, weights: Path, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    assert main(["train", str(a_config)]) == 0
    printed = capsys.readouterr().out.splitlines()
    assert printed == [f"learnt: {weights.with_name(f'net-{name}.safetensors')}" for name in ("anil", "meta_sgd")]
    learnt = load_learnt(weights)
    network = load_network(weights)
    for name in ("anil", "meta_sgd"):
        initial = all_meta_strategies()[name].initial(network)
        assert {key: p.shape for key, p in learnt[name].items()} == {key: p.shape for key, p in initial.items()}
        assert any(not torch.equal(learnt[name][key], initial[key]) for key in initial)
    assert sorted(folder.name for folder in (tmp_path / "runs").iterdir()) == ["anil", "meta_sgd"]


def test_a_run_whose_time_is_spent_does_no_more(a_config: Path, weights: Path) -> None:
    assert main(["train", str(a_config)]) == 0
    before = {name: dict(tensors) for name, tensors in load_learnt(weights).items()}
    assert main(["train", str(a_config)]) == 0
    after = load_learnt(weights)
    assert all(torch.equal(before[name][key], after[name][key]) for name in before for key in before[name])


def test_a_strategy_with_nothing_to_meta_train_is_refused(a_config: Path) -> None:
    a_config.write_text(a_config.read_text().replace("anil", "geodesic"))
    config = read_config(str(a_config))
    assert isinstance(config, AdaptationConfig)
    with pytest.raises(InputError, match="'geodesic' has nothing to meta-train: use anil, fomaml"):
        list(meta_train(config))


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        (lambda text: text.replace("minutes = 0.001", ""), r"\[adaptation\] is incomplete: .*minutes"),
        (lambda text: text + "steps = 3\n", r"unknown setting 'steps' in \[adaptation\]"),
        (lambda text: text + "[optimiser]\ntasks = 3\n", r"unknown section \[optimiser\]; known are data, episodes"),
        (lambda text: text.replace("0.001", "'few'"), r"minutes in \[adaptation\] must be a number, not 'few'"),
    ],
)
def test_a_wrong_configuration_says_what_is_wrong(change: Callable[[str], str], complaint: str, a_config: Path) -> None:
    a_config.write_text(change(a_config.read_text()))
    with pytest.raises(InputError, match=complaint):
        read_config(str(a_config))


def test_the_packages_own_configuration_is_for_strategies() -> None:
    config = read_config("strategies")
    assert isinstance(config, AdaptationConfig)
    assert set(config.adaptation.strategies) <= set(all_meta_strategies())
