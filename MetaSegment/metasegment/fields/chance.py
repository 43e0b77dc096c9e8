"""Small draws from a torch generator, as Python numbers.

They decide what is done next, so they come from the host: on a GPU no decision waits for the device.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeVar

import torch
from torch import Generator, Tensor

T = TypeVar("T")


class Draws(Generator):
    """A generator on a device for whole fields, with `host` beside it for single numbers: the same one on a CPU."""

    host: Generator


def draws(device: str, seed: int) -> Draws:
    """Returns both generators, begun from one seed."""
    generator = Draws(device=device)
    generator.manual_seed(seed)
    generator.host = generator if generator.device.type == "cpu" else Generator().manual_seed(seed)
    return generator


def uniform(generator: Generator, low: float, high: float) -> float:
    return low + (high - low) * float(torch.rand((), generator=_host(generator), device="cpu"))


def happens(generator: Generator, probability: float) -> bool:
    return uniform(generator, 0, 1) < probability


def integer(generator: Generator, low: int, high: int) -> int:
    """Returns a whole number, low…high, both possible."""
    return int(torch.randint(low, high + 1, (), generator=_host(generator), device="cpu"))


def choose(generator: Generator, options: Sequence[T], weights: Sequence[float] | None = None) -> T:
    chances = torch.tensor(weights or [1.0] * len(options), dtype=torch.float, device="cpu")
    return options[int(torch.multinomial(chances, 1, generator=_host(generator)))]


def shuffled(generator: Generator, count: int) -> list[int]:
    """Returns the numbers below `count` in random order."""
    order: list[int] = torch.randperm(count, generator=_host(generator), device="cpu").tolist()
    return order


def normal(generator: Generator, *shape: int) -> Tensor:
    """Returns standard normal deviates on the host, for matrices of a few numbers."""
    return torch.randn(shape, generator=_host(generator), device="cpu")


def _host(generator: Generator) -> Generator:
    return generator.host if isinstance(generator, Draws) else generator
