"""A small perceptron from features of cells to probabilities, one for each structure; learnt in seconds on a CPU."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Generator, Tensor
from torch.nn.functional import binary_cross_entropy_with_logits, relu

from ..progress import Progress

STEPS, BATCH = 300, 2048
LEARNING_RATE, WEIGHT_DECAY, DROPOUT = 3e-3, 1e-2, 0.2
#: Features that hardly vary are not blown up.
LEAST_DEVIATION = 0.05
LAYERS, MOST_HIDDEN = 3, 1024


@dataclass(frozen=True)
class Perceptron:
    """Two hidden layers. `numbers` are weights and biases of each layer, and mean and deviation of the features."""

    numbers: Mapping[str, Tensor]

    def require(self, features: int, structures: int) -> None:
        """Raises ValueError unless it takes so many features to so many structures."""
        hidden = len(self.numbers.get("bias0", ()))
        sizes = (features, hidden, hidden, structures)
        wanted: dict[str, tuple[int, ...]] = {"mean": (features,), "deviation": (features,)}
        for layer in range(LAYERS):
            wanted |= {f"weight{layer}": (sizes[layer + 1], sizes[layer]), f"bias{layer}": (sizes[layer + 1],)}
        if {name: tuple(values.shape) for name, values in self.numbers.items()} != wanted or hidden > MOST_HIDDEN:
            raise ValueError("no such perceptron")

    def probabilities(self, features: Tensor) -> Tensor:
        """For features (n, f): (n, structures), 0…1."""
        standardised = (features - self.numbers["mean"]) / self.numbers["deviation"]
        return torch.sigmoid(_logits(self.numbers, standardised))


def learn(features: Tensor, targets: Tensor, hidden: int, generator: Generator, progress: Progress) -> Perceptron:
    """Learns targets (n, structures), 0…1, from features (n, f) by AdamW on cross-entropy."""
    mean, deviation = features.mean(0), features.std(0).clamp(min=LEAST_DEVIATION)
    features = (features - mean) / deviation
    sizes = (features.shape[1], hidden, hidden, targets.shape[1])
    weights: dict[str, Tensor] = {}
    for layer in range(LAYERS):
        bound = 1 / math.sqrt(sizes[layer])
        shape = (sizes[layer + 1], sizes[layer])
        weights[f"weight{layer}"] = ((torch.rand(shape, generator=generator) * 2 - 1) * bound).requires_grad_()
        weights[f"bias{layer}"] = torch.zeros(shape[0], requires_grad=True)
    optimiser = torch.optim.AdamW(weights.values(), weight_decay=WEIGHT_DECAY)
    for step in range(STEPS):
        progress.check()
        for group in optimiser.param_groups:
            group["lr"] = LEARNING_RATE * (0.5 + 0.5 * math.cos(math.pi * step / STEPS)) + 1e-5
        chosen = torch.randint(0, len(features), (BATCH,), generator=generator)
        kept = torch.rand(BATCH, hidden, generator=generator) >= DROPOUT
        logits = _logits(weights, features[chosen], kept / (1 - DROPOUT))
        loss = binary_cross_entropy_with_logits(logits, targets[chosen])
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
    return Perceptron({"mean": mean, "deviation": deviation, **{n: w.detach() for n, w in weights.items()}})


def _logits(weights: Mapping[str, Tensor], x: Tensor, kept: Tensor | None = None) -> Tensor:
    """`kept` scales the first hidden layer (n, hidden), where some of it is dropped."""
    for layer in range(LAYERS):
        x = x @ weights[f"weight{layer}"].T + weights[f"bias{layer}"]
        if layer == 0 and kept is not None:
            x = x * kept
        if layer < LAYERS - 1:
            x = relu(x)
    return x
