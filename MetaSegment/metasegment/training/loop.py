"""Meta-training of the in-context network: episodes in, checkpoints and curves out, the same after a kill as without
one.

Everything random follows from the seed and the number of the task, so a resumed run continues exactly where the
checkpoint was. No adaptation inside: the network amortises it.
"""

from __future__ import annotations

import math
import multiprocessing
import os
import sys
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Generator, Tensor, nn
from torch.utils.data import DataLoader, Dataset

from ..episodes.bank import Bank, load_bank
from ..episodes.chance import happens, uniform
from ..episodes.episode import Episode, make_episode
from ..errors import InputError
from ..losses import dice, segmentation_loss
from ..network import build_network, save_weights, set_parameters
from ..precision import Precision, fastest_precision
from ..prompts import OPTIONAL, PREVIOUS
from ..roi import resample
from .checkpoint import latest_checkpoint, save_checkpoint
from .config import Config
from .curves import Curves
from .validation import validate

#: Chance that an optional channel is blanked, and that an earlier answer is given.
DROP, REPEAT, OVERVIEW = 0.1, 0.25, 0.9
#: Weight of the running average of parameters, per optimiser step; the average is what is released.
AVERAGING = 0.998
GRADIENT_NORM = 1.0
#: Optimiser steps between two lines of the curves.
REPORT_STEPS = 25


class EpisodeSequence(Dataset[Episode]):
    """The episodes of a configuration by number; made in worker processes of one thread each."""

    def __init__(self, bank: Bank, config: Config) -> None:
        self._bank, self._config = bank, config

    def __len__(self) -> int:
        return self._config.optimiser.tasks

    def __getitem__(self, index: int) -> Episode:
        return make_episode(self._bank, self._config.episodes, self._config.run.seed, index)


@dataclass
class State:
    """All that a checkpoint holds."""

    network: nn.Module
    average: dict[str, Tensor]
    optimiser: torch.optim.AdamW
    tasks: int = 0

    def tensors(self) -> dict[str, Tensor]:
        named = dict(self.network.named_parameters())
        moments = {
            f"{kind}/{name}": self.optimiser.state[parameter][kind]
            for name, parameter in named.items()
            for kind in ("exp_avg", "exp_avg_sq", "step")
            if parameter in self.optimiser.state
        }
        averages = {f"average/{name}": value for name, value in self.average.items()}
        return {**{f"network/{name}": p.data for name, p in named.items()}, **averages, **moments}

    def restore(self, tensors: dict[str, Tensor], tasks: int) -> None:
        for name, parameter in self.network.named_parameters():
            parameter.data.copy_(tensors[f"network/{name}"])
            self.average[name].copy_(tensors[f"average/{name}"])
            if f"step/{name}" in tensors:
                self.optimiser.state[parameter] = {
                    kind: tensors[f"{kind}/{name}"].to(parameter.device if kind != "step" else "cpu")
                    for kind in ("exp_avg", "exp_avg_sq", "step")
                }
        self.tasks = tasks


def train(config: Config, minutes: float | None = None) -> Path:
    """Runs or resumes a configuration until all its tasks are done, or for so many minutes. Returns the weights
    file.
    """
    # Episodes come in some hundred grid shapes of a hundred primitives each; oneDNN's own limit of 1024 would thrash.
    os.environ.setdefault("ONEDNN_PRIMITIVE_CACHE_CAPACITY", "16384")
    # Measured on two cores: a network thread beside each worker is faster than two that wait for each other.
    torch.set_num_threads(max(1, torch.get_num_threads() - config.run.workers))
    folder = Path(config.run.output)
    folder.mkdir(parents=True, exist_ok=True)
    device = ("cuda" if torch.cuda.is_available() else "cpu") if config.run.device == "auto" else config.run.device
    state = _initial_state(config, device)
    found = latest_checkpoint(folder)
    if found:
        state.restore(found[0], found[1]["tasks"])
        print(f"resumed at task {state.tasks} of {config.optimiser.tasks}", file=sys.stderr, flush=True)
    precision = fastest_precision(build_network(config.network.size).to(device), device, training=True)
    precision.lay_out(state.network)
    bank = load_bank(Path(config.data.root), config.data.withheld)
    if config.episodes.brain_maps and not bank.label_maps:
        raise InputError(f"no label maps in {config.data.root}/labelmaps: add some or set brain_maps = 0 in [episodes]")
    curves = Curves(folder, state.tasks)
    _run(config, state, bank, precision, device, curves, folder, minutes)
    weights = folder / "weights.safetensors"
    save_weights(weights, config.network.size, state.average, {"tasks": str(state.tasks), "seed": str(config.run.seed)})
    return weights


def _initial_state(config: Config, device: str) -> State:
    torch.manual_seed(config.run.seed)
    network = build_network(config.network.size).to(device)
    average = {name: p.detach().clone() for name, p in network.named_parameters()}
    settings = config.optimiser
    optimiser = torch.optim.AdamW(network.parameters(), lr=settings.learning_rate, weight_decay=settings.weight_decay)
    return State(network, average, optimiser)


def _run(
    config: Config,
    state: State,
    bank: Bank,
    precision: Precision,
    device: str,
    curves: Curves,
    folder: Path,
    minutes: float | None,
) -> None:
    started = saved = time.monotonic()
    first = state.tasks
    recent: list[dict[str, float]] = []
    for episodes in _batches(config, bank, state.tasks):
        recent.append(_step(config, state, episodes, precision, device))
        now = time.monotonic()
        out_of_time = minutes is not None and now - started > 60 * minutes
        if len(recent) == REPORT_STEPS:
            values = {name: sum(r[name] for r in recent) / len(recent) for name in recent[0]}
            values["tasks_per_second"] = (state.tasks - first) / (now - started)
            curves.add(state.tasks, values)
            _report(state.tasks, values)
            recent = []
        if state.tasks % config.run.validation_tasks < len(episodes) and not out_of_time:
            curves.add(state.tasks, _validated(config, state, precision, device))
        if time.monotonic() - saved > config.run.checkpoint_seconds or out_of_time:
            save_checkpoint(folder, state.tasks, state.tensors(), {"seed": config.run.seed})
            saved = time.monotonic()
        if out_of_time:
            return
    save_checkpoint(folder, state.tasks, state.tensors(), {"seed": config.run.seed})


def _batches(config: Config, bank: Bank, first: int) -> Iterator[list[Episode]]:
    loader = DataLoader(
        EpisodeSequence(bank, config),
        batch_size=config.optimiser.batch,
        sampler=range(first, config.optimiser.tasks),
        collate_fn=list,
        num_workers=config.run.workers,
        prefetch_factor=8 if config.run.workers else None,
        multiprocessing_context="forkserver" if config.run.workers else None,
        worker_init_fn=_begin_worker,
    )
    yield from loader


def _begin_worker(_: int) -> None:
    """One thread a worker; and it ends when the trainer is killed, or it would wait for ever on its full queue."""
    torch.set_num_threads(1)

    def watch() -> None:
        trainer = multiprocessing.parent_process()
        if trainer is not None:
            trainer.join()
            os._exit(1)

    threading.Thread(target=watch, daemon=True).start()


def _step(config: Config, state: State, episodes: list[Episode], precision: Precision, device: str) -> dict[str, float]:
    losses, scores = [], []
    rate = _learning_rate(config, state.tasks)
    for group in state.optimiser.param_groups:
        group["lr"] = rate
    state.optimiser.zero_grad(set_to_none=True)
    for number, episode in enumerate(episodes):
        generator = Generator().manual_seed(config.run.seed * 7919 + state.tasks + number)
        channels = _with_earlier_answer(state.network, episode, precision, device, generator)
        logits = _forward(state.network, channels, precision, device)
        target, weight = episode.target.to(device), episode.weight.to(device)
        loss = segmentation_loss(logits, target, weight)
        (loss / len(episodes)).backward()
        losses.append(float(loss.detach()))
        scores.append(dice(logits.detach(), target, weight))
    norm = nn.utils.clip_grad_norm_(state.network.parameters(), GRADIENT_NORM)
    if math.isfinite(float(norm)):
        state.optimiser.step()
        for name, parameter in state.network.named_parameters():
            state.average[name].lerp_(parameter.detach(), 1 - AVERAGING)
    state.tasks += len(episodes)
    return {"loss": sum(losses) / len(losses), "dice": sum(scores) / len(scores), "rate": rate}


def _with_earlier_answer(
    network: nn.Module, episode: Episode, precision: Precision, device: str, generator: Generator
) -> Tensor:
    """The channels with an earlier answer of the network itself, where the draw says so, and some optional ones
    blanked.
    """
    channels = episode.channels.clone()
    if episode.overview is not None and episode.window is not None:
        if happens(generator, OVERVIEW):
            overview = _probability(network, episode.overview, precision, device)
            channels[PREVIOUS] = 2 * resample(overview, episode.window) - 1
    elif happens(generator, REPEAT):
        channels[PREVIOUS] = 2 * _probability(network, channels, precision, device) - 1
    for channel in OPTIONAL:
        if uniform(generator, 0, 1) < DROP:
            channels[channel] = 0
    return channels


@torch.no_grad()
def _probability(network: nn.Module, channels: Tensor, precision: Precision, device: str) -> Tensor:
    return torch.sigmoid(_forward(network, channels, precision, device)).cpu()


def _forward(network: nn.Module, channels: Tensor, precision: Precision, device: str) -> Tensor:
    batch = channels[None].to(device).contiguous(memory_format=precision.memory_format)
    with precision.autocast(device):
        logits: Tensor = network(batch)
    return logits[0, 0].float()


def _learning_rate(config: Config, tasks: int) -> float:
    settings = config.optimiser
    if tasks < settings.warmup:
        return settings.learning_rate * (tasks + 1) / settings.warmup
    share = (tasks - settings.warmup) / max(1, settings.tasks - settings.warmup)
    return settings.learning_rate * 0.5 * (1 + math.cos(math.pi * min(1.0, share)))


def _validated(config: Config, state: State, precision: Precision, device: str) -> dict[str, float]:
    root = Path(config.data.root)
    if not (root / "validation").is_dir():
        return {}
    trained = {name: p.detach().clone() for name, p in state.network.named_parameters()}
    set_parameters(state.network, state.average)
    values: dict[str, Any] = validate(state.network, root, precision, device)
    set_parameters(state.network, trained)
    _report(state.tasks, values)
    return values


def _report(tasks: int, values: dict[str, float]) -> None:
    print(f"task {tasks} " + " ".join(f"{k} {v:.3g}" for k, v in values.items()), file=sys.stderr, flush=True)
