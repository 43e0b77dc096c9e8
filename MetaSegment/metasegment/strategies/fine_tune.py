"""Fine-tuning: a few of Adam's steps on few parameters, the loss taken on slices hidden from the prompts."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from ..network.engine import Engine
from .base import Query, State, TimeLeft, TrainingSlice
from .inner_loop import adaptable_parameters, in_turn, training_loss

#: Adam's step size. On the validation structures 1e-4 was neutral on average, larger ones a loss with three slices.
LEARNING_RATE = 1e-4
#: Pull towards the meta-trained parameters (L2-SP, Li et al. 2018).
ANCHOR = 1e-2


class FineTune:
    """Learns new values for the norm affines, the last decoder levels and the head."""

    name = "fine_tune"

    def fit(self, slices: Sequence[TrainingSlice], engine: Engine, steps: int, seed: int, time_left: TimeLeft) -> State:
        if not slices:
            return {}
        start = adaptable_parameters(engine.network)
        tuned = {name: p.detach().clone().requires_grad_() for name, p in start.items()}
        optimiser = torch.optim.Adam(tuned.values(), lr=LEARNING_RATE)
        for training_slice in in_turn(slices, steps, seed):
            if not time_left():
                break
            loss = training_loss(tuned, training_slice, engine)
            loss = loss + ANCHOR * sum(((tuned[n] - start[n].detach()) ** 2).sum() for n in tuned)
            gradients = torch.autograd.grad(loss, list(tuned.values()))
            for parameter, gradient in zip(tuned.values(), gradients, strict=True):
                parameter.grad = gradient
            optimiser.step()
        return {name: p.detach() for name, p in tuned.items()}

    def predict(self, state: State, query: Query, engine: Engine) -> Tensor:
        return engine.logits(query.channels, state)


STRATEGY = FineTune()
