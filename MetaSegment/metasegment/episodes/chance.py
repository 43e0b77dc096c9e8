"""Small draws from a torch generator, as Python numbers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeVar

import torch
from torch import Generator

T = TypeVar("T")


def uniform(generator: Generator, low: float, high: float) -> float:
    return low + (high - low) * float(torch.rand((), generator=generator, device=generator.device))


def happens(generator: Generator, probability: float) -> bool:
    return uniform(generator, 0, 1) < probability


def integer(generator: Generator, low: int, high: int) -> int:
    """A whole number, low…high, both possible."""
    return int(torch.randint(low, high + 1, (), generator=generator, device=generator.device))


def choose(generator: Generator, options: Sequence[T], weights: Sequence[float] | None = None) -> T:
    chances = torch.ones(len(options)) if weights is None else torch.tensor(weights, dtype=torch.float)
    return options[int(torch.multinomial(chances.to(generator.device), 1, generator=generator))]
