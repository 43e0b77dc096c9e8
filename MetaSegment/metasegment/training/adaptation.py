"""Meta-training of strategies on top of fixed weights: each its meta-parameters, for the same time on the same tasks.

Everything random follows from the seed and the number of the task, so a resumed run continues exactly where the
checkpoint was. The network's own weights are never touched.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from statistics import mean

import torch
from torch import Tensor

from ..episodes.adaptation import make_adaptation
from ..episodes.bank import load_bank
from ..episodes.labelled import Bank
from ..errors import InputError
from ..network.devices import choose_device
from ..network.engine import Engine
from ..network.losses import segmentation_loss
from ..network.meta_parameters import save_learnt
from ..network.unet import load_network
from ..strategies import MetaStrategy, MetaTask, all_meta_strategies
from ..strategies.base import OFFSET
from .checkpoint import latest_checkpoint, save_checkpoint
from .config import AdaptationConfig
from .curves import Curves
from .state import restore, saved

GRADIENT_NORM = 1.0
#: Weight of the running average of meta-parameters, per step; the average is what is saved. A few hundred steps are
#: all there is time for.
AVERAGING = 0.98
#: Optimiser steps between two lines of the curves.
REPORT_STEPS = 10
#: Share of the learning rate for offsets of the network's own parameters, which are smaller than what a strategy adds.
OFFSET_SHARE = 0.01


class MetaState:
    """All that a checkpoint holds: meta-parameters, their running average, Adam's moments, and the time spent."""

    def __init__(self, initial: dict[str, Tensor], learning_rate: float, device: str) -> None:
        self.meta = {name: p.to(device).requires_grad_() for name, p in initial.items()}
        self.average = {name: p.detach().clone() for name, p in self.meta.items()}
        self.optimiser = torch.optim.Adam(
            [
                {"params": [p], "lr": learning_rate * (OFFSET_SHARE if name.startswith(OFFSET) else 1)}
                for name, p in self.meta.items()
            ]
        )
        self.tasks, self.seconds = 0, 0.0

    def tensors(self) -> dict[str, Tensor]:
        return saved("meta", self.meta, self.average, self.optimiser)

    def restore(self, tensors: dict[str, Tensor], tasks: int, seconds: float) -> None:
        restore("meta", self.meta, self.average, self.optimiser, tensors)
        self.tasks, self.seconds = tasks, seconds

    def learn(self, gradients: Iterable[dict[str, Tensor]]) -> bool:
        """One step on the mean of the tasks' gradients; False, and no step, where it is not finite."""
        each = list(gradients)
        for name, parameter in self.meta.items():
            parameter.grad = torch.stack([g[name] for g in each]).mean(0)
        norm = torch.nn.utils.clip_grad_norm_(self.meta.values(), GRADIENT_NORM)
        if not bool(norm.isfinite()):
            return False
        self.optimiser.step()
        for name, parameter in self.meta.items():
            self.average[name].lerp_(parameter.detach(), 1 - AVERAGING)
        return True


@dataclass(frozen=True)
class Report:
    """One step: the queries' mean loss after adapting, without adapting, and whether the step counted."""

    loss: float
    in_context: float
    finite: bool


def meta_train(config: AdaptationConfig, minutes: float | None = None) -> Iterator[Path]:
    """Trains each named strategy for its time, or goes on with it, for `minutes` in all; yields the files it writes."""
    settings = config.adaptation
    known = all_meta_strategies()
    for name in settings.strategies:
        if name not in known:
            raise InputError(f"strategy {name!r} has nothing to meta-train: use {', '.join(sorted(known))}")
    weights = Path(settings.weights)
    engine = Engine(load_network(weights), choose_device(settings.device))
    bank = load_bank(Path(config.data.root), config.data.withheld)
    end = time.monotonic() + 60 * minutes if minutes is not None else float("inf")
    for name in settings.strategies:
        folder = Path(settings.output) / name
        state = _trained(known[name], config, engine, bank, folder, end)
        facts = {"tasks": str(state.tasks), "seconds": f"{state.seconds:.0f}", "seed": str(settings.seed)}
        yield save_learnt(weights, name, state.average, facts)


def _trained(
    strategy: MetaStrategy, config: AdaptationConfig, engine: Engine, bank: Bank, folder: Path, end: float
) -> MetaState:
    settings = config.adaptation
    folder.mkdir(parents=True, exist_ok=True)
    state = MetaState(strategy.initial(engine.network), settings.learning_rate, engine.device)
    found = latest_checkpoint(folder)
    if found:
        state.restore(found[0], found[1]["tasks"], found[1]["seconds"])
    curves = Curves(folder, state.tasks)
    recent: list[Report] = []
    written = time.monotonic()
    while state.seconds < 60 * settings.minutes and time.monotonic() < end:
        started = time.monotonic()
        numbers = range(state.tasks, state.tasks + settings.batch)
        tasks = [make_adaptation(bank, config.episodes, settings.seed, number) for number in numbers]
        recent.append(meta_step(strategy, state, tasks, engine))
        state.seconds += time.monotonic() - started
        if len(recent) == REPORT_STEPS:
            _report(strategy.name, state, recent, curves)
            recent = []
        if time.monotonic() - written > settings.checkpoint_seconds:
            save_checkpoint(folder, state.tasks, state.tensors(), {"seconds": state.seconds})
            written = time.monotonic()
    save_checkpoint(folder, state.tasks, state.tensors(), {"seconds": state.seconds})
    return state


def meta_step(strategy: MetaStrategy, state: MetaState, tasks: list[MetaTask], engine: Engine) -> Report:
    """One step of the meta-parameters on a batch of tasks."""
    found = [strategy.meta_gradient(state.meta, task, engine) for task in tasks]
    finite = state.learn(gradients for _, gradients in found)
    state.tasks += len(tasks)
    return Report(mean(loss for loss, _ in found), mean(in_context_loss(task, engine) for task in tasks), finite)


@torch.no_grad()
def in_context_loss(task: MetaTask, engine: Engine) -> float:
    """The loss on a task's query without adapting: what a strategy has to beat."""
    logits = engine.forward(task.channels)
    return float(segmentation_loss(logits, task.target.to(engine.device), task.weight.to(engine.device)))


def _report(name: str, state: MetaState, recent: list[Report], curves: Curves) -> None:
    values = {
        "loss": mean(r.loss for r in recent),
        "in_context": mean(r.in_context for r in recent),
        "skipped": mean(not r.finite for r in recent),
        "seconds_per_task": state.seconds / state.tasks,
    }
    curves.add(state.tasks, values)
    line = " ".join(f"{key} {value:.4g}" for key, value in values.items())
    print(f"{name}: task {state.tasks} {line}", file=sys.stderr, flush=True)
