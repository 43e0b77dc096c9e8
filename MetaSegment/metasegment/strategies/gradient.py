"""Gradient-based meta-learning: few gradient steps from a meta-learnt start. Its members are instances, one file each.

Only the parameters that fine-tuning adapts are meta-learnt, as offsets to the network's own; the rest stays.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from ..network.engine import Engine
from ..network.losses import segmentation_loss
from .base import OFFSET, MetaTask, Query, State, TimeLeft, TrainingSlice
from .inner_loop import adaptable_parameters, in_turn, training_loss

#: Inner steps in meta-training, and at most in use, where the budget allows.
TRAINED_STEPS, MOST_STEPS = 3, 10
#: Step size of the inner loop. From the in-context weights on training tasks (12 tasks, 10 steps), Dice rose by 0.1
#: points at 1e-3, 1.0 at 1e-2 and 1.2 at 3e-2, where the loss no longer fell.
STEP_SIZE = 1e-2
#: Prefix of meta-parameters that are logarithms of step sizes.
LOG_RATE = "log_rate/"

Parameters = dict[str, Tensor]


@dataclass(frozen=True)
class GradientStrategy:
    """One member of the family.

    `adapts` says of a parameter's name whether the inner loop changes it. `second_order` differentiates through the
    inner gradients, otherwise they count as constants. `learns_rates` has a step size for each tensor and step.
    """

    name: str
    second_order: bool = False
    learns_rates: bool = False
    adapts: Callable[[str], bool] = lambda name: True

    def initial(self, network: nn.Module) -> Parameters:
        """Returns no offset, and the same step size everywhere."""
        own = adaptable_parameters(network)
        start = {OFFSET + name: torch.zeros_like(p, requires_grad=False) for name, p in own.items()}
        if not self.learns_rates:
            return start
        rates = torch.full((TRAINED_STEPS,), math.log(STEP_SIZE))
        return start | {LOG_RATE + name: rates.clone() for name in own if self.adapts(name)}

    def fit(self, slices: Sequence[TrainingSlice], engine: Engine, steps: int, seed: int, time_left: TimeLeft) -> State:
        """Adapted parameters; nothing, which is the in-context answer, where there was no training slice or no time."""
        meta = engine.learnt(self.name)
        state: State = {}
        parameters = {name: p.requires_grad_() for name, p in starting_point(meta, engine.network).items()}
        for step, training_slice in enumerate(in_turn(slices, min(steps, MOST_STEPS), seed)):
            if not time_left():
                break
            parameters = self.stepped(parameters, training_slice, step, meta, engine, second_order=False)
            state = parameters
        return {name: p.detach() for name, p in state.items()}

    def predict(self, state: State, query: Query, engine: Engine) -> Tensor:
        return engine.logits(query.channels, state)

    def meta_gradient(self, meta: Mapping[str, Tensor], task: MetaTask, engine: Engine) -> tuple[float, Parameters]:
        """Returns the query's loss after the inner loop, differentiated through it."""
        loss = query_loss(self.adapted(meta, task, engine), task, engine)
        gradients = torch.autograd.grad(loss, list(meta.values()))
        return float(loss.detach()), dict(zip(meta, gradients, strict=True))

    def adapted(self, meta: Mapping[str, Tensor], task: MetaTask, engine: Engine) -> Parameters:
        """Returns parameters after the inner loop of meta-training, as functions of the meta-parameters."""
        parameters = starting_point(meta, engine.network)
        for step, training_slice in enumerate(in_turn(task.slices, TRAINED_STEPS, seed=0)):
            parameters = self.stepped(parameters, training_slice, step, meta, engine, self.second_order)
        return parameters

    def stepped(
        self,
        parameters: Parameters,
        training_slice: TrainingSlice,
        step: int,
        meta: Mapping[str, Tensor],
        engine: Engine,
        second_order: bool,
    ) -> Parameters:
        """Returns the parameters after one gradient step on a training slice."""
        names = [name for name in parameters if self.adapts(name)]
        loss = training_loss(parameters, training_slice, engine)
        gradients = torch.autograd.grad(loss, [parameters[n] for n in names], create_graph=second_order)
        moved = {n: parameters[n] - rate_of(meta, n, step) * g for n, g in zip(names, gradients, strict=True)}
        return parameters | moved


def starting_point(meta: Mapping[str, Tensor], network: nn.Module) -> Parameters:
    """Returns the network's own parameters plus their learnt offsets."""
    return {name: p.detach() + meta[OFFSET + name] for name, p in adaptable_parameters(network).items()}


def query_loss(parameters: Mapping[str, Tensor], task: MetaTask, engine: Engine) -> Tensor:
    """Returns the outer loss: on what was not annotated, all annotated slices being shown."""
    logits = engine.forward(task.channels, parameters)
    return segmentation_loss(logits, task.target.to(engine.device), task.weight.to(engine.device))


def rate_of(meta: Mapping[str, Tensor], name: str, step: int) -> Tensor | float:
    """Returns the step size for a tensor; steps beyond those trained repeat the last one's."""
    learnt = meta.get(LOG_RATE + name)
    return STEP_SIZE if learnt is None else learnt[min(step, len(learnt) - 1)].exp()
