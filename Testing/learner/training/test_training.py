"""Training: a kill at any moment costs nothing but time, what is written is whole, and wrong configurations say why."""

from __future__ import annotations

import csv
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors.torch import load_file
from torch import Generator, Tensor

import metasegment
from metasegment.errors import InputError
from metasegment.network.losses import dice_of_logits, segmentation_loss
from metasegment.network.unet import build_network, load_network
from metasegment.network.weights_file import read_tensors
from metasegment.training.checkpoint import latest_checkpoint, save_checkpoint
from metasegment.training.config import read_config
from metasegment.training.curves import Curves

#: Of the tiny run of conftest.py.
SEED, TASKS = 5, 10
#: A machine that takes files of this size must take every file of a checkpoint.
LARGEST_FILE = 16 * 2**20


# --- a run, killed and resumed -------------------------------------------------------------------------------------


def started(config: Path, output: Path, cache: Path, workers: int = 0) -> subprocess.Popen[bytes]:
    """`metasegment train` in a process of its own, on one thread."""
    own = config.with_name(f"{output.name}-{workers}.toml")
    own.write_text(config.read_text().replace("OUTPUT", str(output)).replace("workers = 0", f"workers = {workers}"))
    paths = [str(Path(metasegment.__file__).parent.parent), os.environ.get("PYTHONPATH", "")]
    settings = {"OMP_NUM_THREADS": "1", "XDG_CACHE_HOME": str(cache), "PYTHONPATH": os.pathsep.join(paths)}
    command = [sys.executable, "-m", "metasegment", "train", str(own)]
    with (output.parent / f"{output.name}.log").open("ab") as log:
        return subprocess.Popen(command, env={**os.environ, **settings}, stdout=log, stderr=log)


def finished(run: subprocess.Popen[bytes], output: Path) -> None:
    log = output.parent / f"{output.name}.log"
    assert run.wait(timeout=300) == 0, log.read_text()


def wait_until(happened: Callable[[], bool], what: str, seconds: float = 300) -> None:
    end = time.monotonic() + seconds
    while not happened():
        assert time.monotonic() < end, what
        time.sleep(0.01)


def processes_with(text: str) -> list[str]:
    """Processes that have a text in their environment (Linux only; elsewhere none are found)."""
    found = []
    for environment in Path("/proc").glob("[0-9]*/environ"):
        try:
            if text.encode() in environment.read_bytes():
                found.append(environment.parent.name)
        except OSError:  # of another user, or just ended
            continue
    return found


def test_a_killed_run_goes_on_as_if_nothing_had_happened(a_config: Path, a_settled_cache: Path, tmp_path: Path) -> None:
    whole, broken = tmp_path / "whole", tmp_path / "broken"
    undisturbed = started(a_config, whole, a_settled_cache)
    victim = started(a_config, broken, a_settled_cache, workers=1)
    wait_until(lambda: any(broken.glob("tasks-*")) or victim.poll() is not None, "no checkpoint was written")
    victim.send_signal(signal.SIGKILL)
    assert victim.wait() == -signal.SIGKILL, (tmp_path / "broken.log").read_text()
    found = latest_checkpoint(broken)
    assert found is not None
    assert 0 < found[1]["tasks"] < TASKS
    finished(undisturbed, whole)
    wait_until(lambda: not processes_with(str(a_settled_cache)), "the killed run left its workers behind", 60)
    # What a kill while writing leaves behind.
    (broken / "incomplete").mkdir(exist_ok=True)
    (broken / "incomplete" / "state-0.safetensors").write_bytes(b"half")
    finished(started(a_config, broken, a_settled_cache), broken)
    assert "resumed at task" in (tmp_path / "broken.log").read_text()

    one, other = (latest_checkpoint(folder) for folder in (whole, broken))
    assert one is not None and other is not None
    assert one[1] == other[1]
    assert one[1] == {"tasks": TASKS, "seed": SEED}
    assert one[0].keys() == other[0].keys()
    assert {name.split("/")[0] for name in one[0]} == {"network", "average", "exp_avg", "exp_avg_sq", "step"}
    assert all(torch.equal(tensor, other[0][name]) for name, tensor in one[0].items())
    weights = [load_file(folder / "weights.safetensors") for folder in (whole, broken)]
    assert all(torch.equal(tensor, weights[1][name]) for name, tensor in weights[0].items())
    torch.manual_seed(SEED)
    untrained = dict(build_network().named_parameters())
    assert not any(torch.equal(parameter, weights[0][name]) for name, parameter in untrained.items())
    load_network(broken / "weights.safetensors")
    milestones = [sorted(folder.glob("average-*.safetensors")) for folder in (whole, broken)]
    assert [path.name for path in milestones[0]] == ["average-000000004.safetensors", "average-000000008.safetensors"]
    for path, again in zip(*milestones, strict=True):
        kept, facts = read_tensors(path)
        assert (facts["tasks"], facts["seed"]) == (path.stem.removeprefix("average-").lstrip("0"), str(SEED))
        assert all(torch.equal(tensor, read_tensors(again)[0][name]) for name, tensor in kept.items())
    assert milestones[0][0].stat().st_size < LARGEST_FILE / 2
    load_network(milestones[0][0])

    curves = [read_curves(folder) for folder in (whole, broken)]
    assert curves[0] == curves[1]
    points = [(tasks, name) for tasks, name, _ in curves[1]]
    assert len(points) == len(set(points))
    assert {tasks for tasks, _ in points} == {"4", "8"}
    assert {name for _, name in points} == {
        f"withheld/{method}_{n}" for method in ("in_context", "interpolation") for n in (1, 3, 5)
    }


def read_curves(folder: Path) -> list[list[str]]:
    with (folder / "curves.csv").open(newline="") as file:
        header, *rows = csv.reader(file)
    assert header == ["tasks", "name", "value"]
    return rows


# --- checkpoints ---------------------------------------------------------------------------------------------------


def state(seed: int, size: str = "M") -> dict[str, Tensor]:
    """Tensors as a run has them: several of each parameter's shape."""
    torch.manual_seed(seed)
    parameters = dict(build_network(size).named_parameters())
    return {f"{kind}/{n}": torch.randn_like(p) for kind in ("network", "exp_avg") for n, p in parameters.items()}


@pytest.mark.parametrize("size", ["M", "L0"])
def test_a_checkpoint_comes_back_bit_for_bit_from_files_below_16_mib(size: str, tmp_path: Path) -> None:
    tensors = state(0, size)
    save_checkpoint(tmp_path, 128, tensors, {"seed": 3})
    found = latest_checkpoint(tmp_path)
    assert found is not None
    assert found[1] == {"tasks": 128, "seed": 3}
    assert found[0].keys() == tensors.keys()
    assert all(torch.equal(found[0][name], tensor) for name, tensor in tensors.items())
    files = list(tmp_path.glob("tasks-000000128/state-*.safetensors"))
    assert max(file.stat().st_size for file in files) < LARGEST_FILE
    assert len(files) > 1 or size == "M"


def test_without_a_checkpoint_there_is_nothing_to_resume(tmp_path: Path) -> None:
    assert latest_checkpoint(tmp_path) is None
    assert latest_checkpoint(tmp_path / "absent") is None


def test_a_half_written_checkpoint_does_not_count(tmp_path: Path) -> None:
    tensors = {"network/w": torch.ones(3)}
    save_checkpoint(tmp_path, 8, tensors, {})
    (tmp_path / "incomplete").mkdir()
    (tmp_path / "incomplete" / "state-0.safetensors").write_bytes(b"half")
    (tmp_path / "tasks-12.part").mkdir()
    found = latest_checkpoint(tmp_path)
    assert found is not None
    assert found[1]["tasks"] == 8
    save_checkpoint(tmp_path, 16, tensors, {})
    found = latest_checkpoint(tmp_path)
    assert found is not None
    assert found[1]["tasks"] == 16
    assert torch.equal(found[0]["network/w"], torch.ones(3))


def test_the_newest_checkpoint_replaces_the_older_ones(tmp_path: Path) -> None:
    for tasks in (900, 1000, 10000):
        save_checkpoint(tmp_path, tasks, {"w": torch.tensor(float(tasks))}, {})
    assert [p.name for p in tmp_path.iterdir()] == ["tasks-000010000"]


def test_a_checkpoint_that_is_complete_is_not_touched_again(tmp_path: Path) -> None:
    save_checkpoint(tmp_path, 8, {"w": torch.ones(3)}, {})
    file = tmp_path / "tasks-000000008" / "state-0.safetensors"
    written = file.stat().st_ino, file.stat().st_mtime_ns
    save_checkpoint(tmp_path, 8, {"w": torch.ones(3)}, {})
    assert (file.stat().st_ino, file.stat().st_mtime_ns) == written


# --- curves --------------------------------------------------------------------------------------------------------


def test_after_a_resume_the_curves_go_on_from_the_checkpoint_without_repeats(tmp_path: Path) -> None:
    curves = Curves(tmp_path, 0)
    for tasks in (100, 200, 300):
        curves.add(tasks, {"loss": 1 / tasks, "dice": tasks / 400})
    resumed = Curves(tmp_path, 200)
    assert [row[:2] for row in read_curves(tmp_path)] == [
        ["100", "loss"],
        ["100", "dice"],
        ["200", "loss"],
        ["200", "dice"],
    ]
    resumed.add(300, {"loss": 0.25})
    assert read_curves(tmp_path)[-1] == ["300", "loss", "0.25"]
    assert [row[:2] for row in read_curves(tmp_path)].count(["300", "loss"]) == 1
    assert list(tmp_path.glob("events.out.tfevents.*"))


def test_without_tensorboard_there_are_curves_nevertheless(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("metasegment.training.curves.importlib.util.find_spec", lambda name: None)
    Curves(tmp_path, 0).add(4, {"loss": 0.5})
    assert read_curves(tmp_path) == [["4", "loss", "0.5"]]
    assert not list(tmp_path.glob("events.*"))


# --- losses --------------------------------------------------------------------------------------------------------


def a_task(seed: int) -> tuple[Tensor, Tensor, Tensor]:
    """Logits, target and weight (k, j, i); about a third of the cells weigh nothing."""
    generator = Generator().manual_seed(seed)
    logits = 3 * torch.randn(6, 7, 8, generator=generator)
    target = torch.rand(6, 7, 8, generator=generator)
    weight = torch.randint(0, 3, (6, 7, 8), generator=generator).float()
    return logits, target, weight


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 10**6))
def test_cells_of_no_weight_change_neither_loss_nor_gradient_nor_dice(seed: int) -> None:
    logits, target, weight = a_task(seed)
    ignored = weight == 0
    other = torch.where(ignored, -5 * logits, logits).requires_grad_()
    changed = torch.where(ignored, 1 - target, target)
    loss = segmentation_loss(other, changed, weight)
    assert torch.equal(loss, segmentation_loss(logits, target, weight))
    (gradient,) = torch.autograd.grad(loss, other)
    assert (gradient[ignored] == 0).all()
    assert (gradient[~ignored] != 0).all()
    assert dice_of_logits(other, changed, weight) == dice_of_logits(logits, target, weight)


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 10**6))
def test_a_better_answer_costs_less(seed: int) -> None:
    _, target, weight = a_task(seed)
    truth = (target > 0.5).float()
    confident, hesitant, wrong = (segmentation_loss(s * (2 * truth - 1), truth, weight) for s in (20, 1, -1))
    assert 0 <= float(confident) < 0.01
    assert confident < hesitant < wrong


def test_dice_counts_the_overlap_and_calls_two_empty_masks_equal() -> None:
    target, weight = torch.tensor([1.0, 1, 0, 0, 1]), torch.tensor([1.0, 2, 1, 1, 0])
    assert dice_of_logits(torch.tensor([1.0, -1, 1, -1, -1]), target, weight) == pytest.approx(2 * 1 / 4)
    assert dice_of_logits(2 * target - 1, target, weight) == 1
    assert dice_of_logits(-torch.ones(5), torch.zeros(5), weight) == 1


# --- configuration -------------------------------------------------------------------------------------------------

SMALLEST = """
[data]
root = "data"
[optimiser]
tasks = 8
[run]
seed = 1
output = "out"
"""


def test_a_configuration_states_only_what_differs_from_the_defaults(tmp_path: Path) -> None:
    path = tmp_path / "run.toml"
    path.write_text(SMALLEST + '[episodes]\nlabelled = 1\n[network]\nsize = "L0"\n')
    config = read_config(str(path))
    assert (config.data.root, config.data.withheld) == ("data", {})
    assert (config.optimiser.tasks, config.optimiser.batch) == (8, 4)
    assert (config.episodes.labelled, config.network.size) == (1, "L0")
    assert config.run.output == "out"


@pytest.mark.parametrize(("name", "size"), [("cpu", "M"), ("long", "M"), ("gpu-m", "M"), ("gpu-l0", "L0")])
def test_the_packages_own_configurations_are_found_by_name(
    name: str, size: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / name).mkdir()  # as the output folder of that run may be called
    config = read_config(name)
    assert config.network.size == size
    assert config.data.withheld == {"synthseg_brain": [17, 53]}


@pytest.mark.parametrize(
    ("content", "complaint"),
    [
        (SMALLEST.replace("tasks = 8", 'tasks = "many"'), r"tasks in \[optimiser\] must be a whole number, not 'many'"),
        (SMALLEST + "[schedule]\n", r"unknown section \[schedule\]; known are data, network"),
        (SMALLEST.replace("tasks", "task"), r"unknown setting 'task' in \[optimiser\]; known are averaging, batch"),
        (SMALLEST.replace("tasks = 8", ""), r"\[optimiser\] is incomplete: .*tasks"),
        (SMALLEST.replace("[data]", "").replace('root = "data"', ""), r"\[data\] is incomplete: .*root"),
        ("network = 3\n" + SMALLEST, r"network must be a section"),
        (SMALLEST + '[network]\nsize = "XL"\n', r"network size 'XL' is not one of M, L0"),
        (SMALLEST + "tasks = = 3\n", "is not valid TOML"),
        (b"\xff\xfe[data]\n", "is not valid TOML"),
    ],
)
def test_a_wrong_configuration_says_what_is_wrong(content: str | bytes, complaint: str, tmp_path: Path) -> None:
    path = tmp_path / "run.toml"
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    with pytest.raises(InputError, match=complaint) as caught:
        read_config(str(path))
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("name", ["nowhere.toml", "."])
def test_an_absent_configuration_names_those_there_are(name: str) -> None:
    with pytest.raises(InputError, match=r"no training configuration .*: give a TOML file or one of .*cpu"):
        read_config(name)
