"""Meta-training of the in-context network: episodes in, checkpoints and curves out, the same after a kill as without
one, and the same on several processes as on one.

Everything random follows from the seed and the number of the task, so a resumed run continues exactly where the
checkpoint was. No adaptation inside: the network amortises it.
"""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from ..episodes.bank import Bank, load_bank
from ..episodes.withheld import withheld_tasks
from ..errors import InputError
from ..network.devices import choose_device
from ..network.meta_parameters import learnt_path, save_learnt
from ..network.precision import fastest_precision
from ..network.unet import build_network, save_weights, set_parameters
from .checkpoint import MAX_FILE_BYTES, latest_checkpoint, save_checkpoint
from .config import Config
from .curves import Curves
from .feed import batches
from .ranks import Ranks, joined_ranks, own_device
from .state import State, initial_state
from .step import Trainee, learning_rate, optimise
from .throughput import Meter
from .validation import SLICE_COUNTS, validate

#: Optimiser steps between two lines of the curves.
REPORT_STEPS = 25


def train(config: Config, minutes: float | None = None) -> Path:
    """Runs or resumes a configuration until all its tasks are done, or for so many minutes. Returns the file
    it writes at the end. Under torchrun all processes share the tasks of each batch, and the first one writes.
    """
    # Episodes come in some hundred grid shapes of a hundred primitives each; oneDNN's own limit of 1024 would thrash.
    os.environ.setdefault("ONEDNN_PRIMITIVE_CACHE_CAPACITY", "16384")
    device = own_device(choose_device(config.run.device))
    on_gpu = torch.device(device).type == "cuda"
    if on_gpu:
        _repeatable_on_gpu(device)
    else:
        # Measured on two cores: a network thread beside each worker is faster than two that wait for each other.
        torch.set_num_threads(max(1, torch.get_num_threads() - config.run.workers))
    folder = Path(config.run.output)
    folder.mkdir(parents=True, exist_ok=True)
    with joined_ranks(device) as ranks:
        state = _begun(config, folder, device, ranks)
        precision = fastest_precision(build_network(config.network.size).to(device), device, training=True)
        precision.lay_out(state.network)
        bank = load_bank(Path(config.data.root), config.data.withheld)
        if config.episodes.brain_maps and not bank.label_maps:
            raise InputError(f"no label maps in {config.data.root}: add some or set brain_maps = 0 in [episodes]")
        _run(config, state, bank, Trainee(state.network, precision, device, together=on_gpu), ranks, minutes)
        output = _output(config, state)
        if ranks.first:
            _write(config, state, output)
    return output


def _repeatable_on_gpu(device: str) -> None:
    """Same numbers, same result: without it a resumed run would drift from one that was never stopped."""
    os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
    torch.backends.cudnn.deterministic = True
    torch.cuda.set_device(device)


def _begun(config: Config, folder: Path, device: str, ranks: Ranks) -> State:
    state = initial_state(config, device)
    found = latest_checkpoint(folder)
    if found:
        state.restore(found[0], found[1]["tasks"])
    if state.tasks != ranks.from_first(state.tasks, device):
        raise InputError(
            f"process {ranks.rank} finds another checkpoint in {folder} than the first process: "
            "all hosts must share that folder"
        )
    if found and ranks.first:
        print(f"resumed at task {state.tasks} of {config.optimiser.tasks}", file=sys.stderr, flush=True)
    return state


def _output(config: Config, state: State) -> Path:
    """What is learnt on top of other weights comes to lie beside them, but not before it is finished."""
    start, learnt = config.network.first_weights, config.network.learnt
    if start and learnt and state.tasks >= config.optimiser.tasks:
        return learnt_path(start, learnt)
    return Path(config.run.output) / "weights.safetensors"


def _write(config: Config, state: State, output: Path) -> None:
    facts = _facts(config, state)
    start, learnt = config.network.first_weights, config.network.learnt
    if start and output == learnt_path(start, learnt):
        save_learnt(start, learnt, {name: t.half() for name, t in state.average.items()}, facts)
    else:
        save_weights(output, config.network.size, _small(state.average), facts)


def _keep_average(config: Config, state: State) -> None:
    """Keeps the running average as weights that can be released: a run may be stopped, or lost, at any time."""
    path = Path(config.run.output) / f"average-{state.tasks:09d}.safetensors"
    save_weights(path, config.network.size, _small(state.average), _facts(config, state))


def _facts(config: Config, state: State) -> dict[str, str]:
    return {"tasks": str(state.tasks), "seed": str(config.run.seed)}


def _small(tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    """In half precision where a file in single would be too large to move; loading gives single precision again."""
    large = sum(t.nbytes for t in tensors.values()) > MAX_FILE_BYTES
    return {name: t.half() for name, t in tensors.items()} if large else tensors


def _run(config: Config, state: State, bank: Bank, trainee: Trainee, ranks: Ranks, minutes: float | None) -> None:
    folder = Path(config.run.output)
    curves = Curves(folder, state.tasks) if ranks.first else None
    meter = Meter(config, trainee, ranks)
    started = saved = time.monotonic()
    for batch in batches(config, bank, state.tasks, ranks, trainee.device):
        before = state.tasks
        meter.outcomes.append(optimise(config, state, batch, trainee, ranks))
        expired = minutes is not None and time.monotonic() - started > 60 * minutes
        out_of_time = bool(ranks.from_first(expired, trainee.device))
        if len(meter.outcomes) == REPORT_STEPS:
            _publish(curves, state.tasks, {**meter.read(), "rate": learning_rate(config, before)})
        if curves and _passed(config.run.milestone_tasks, before, state.tasks):
            _keep_average(config, state)
            _publish(curves, state.tasks, _validated(state, bank, trainee))
        if ranks.first and (time.monotonic() - saved > config.run.checkpoint_seconds or out_of_time):
            save_checkpoint(folder, state.tasks, state.tensors(), {"seed": config.run.seed})
            saved = time.monotonic()
        if out_of_time:
            return
    if ranks.first:
        save_checkpoint(folder, state.tasks, state.tensors(), {"seed": config.run.seed})


def _passed(interval: int, before: int, after: int) -> bool:
    return after // interval > before // interval


def _validated(state: State, bank: Bank, trainee: Trainee) -> dict[str, float]:
    trained = {name: p.detach().clone() for name, p in state.network.named_parameters()}
    set_parameters(state.network, state.average)
    tasks = withheld_tasks(bank, SLICE_COUNTS)
    values: dict[str, Any] = validate(state.network, tasks, trainee.precision, trainee.device)
    set_parameters(state.network, trained)
    return values


def _publish(curves: Curves | None, tasks: int, values: dict[str, float]) -> None:
    if curves and values:
        curves.add(tasks, values)
        line = " ".join(f"{name} {value:.3g}" for name, value in values.items())
        print(f"task {tasks} {line}", file=sys.stderr, flush=True)
