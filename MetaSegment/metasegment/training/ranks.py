"""The processes that train together: one, or as many as torchrun started, on one host or several.

Knows torch.distributed and nothing of networks.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import torch
import torch.distributed as dist
from torch import Tensor, nn


@dataclass(frozen=True)
class Ranks:
    """This process is number `rank` of `size`. Alone, everything below does nothing."""

    rank: int = 0
    size: int = 1

    @property
    def first(self) -> bool:
        """Whether this is the process that writes."""
        return self.rank == 0

    def total(self, values: Tensor) -> Tensor:
        """Returns the sum of a tensor over all processes; it is changed in place."""
        if self.size > 1:
            dist.all_reduce(values)
        return values

    def from_first(self, value: float, device: str) -> float:
        """Returns what the first process says, so that all decide alike."""
        if self.size == 1:
            return value
        return float(self.total(torch.tensor(value if self.first else 0.0, dtype=torch.float64, device=device)))

    def add_gradients(self, parameters: Iterable[nn.Parameter]) -> None:
        """Replaces the gradients by their sum over all processes, in one message; one that is missing counts as 0."""
        if self.size == 1:
            return
        listed = list(parameters)
        gradients = [torch.zeros_like(p) if p.grad is None else p.grad for p in listed]
        summed = self.total(torch.cat([g.flatten() for g in gradients]))
        for parameter, part in zip(listed, summed.split([p.numel() for p in listed]), strict=True):
            parameter.grad = part.view(parameter.shape).clone(memory_format=torch.preserve_format)


@contextmanager
def joined_ranks(device: str) -> Iterator[Ranks]:
    """Returns the processes of a torchrun (which says so in the environment), or this one alone."""
    if int(os.environ.get("WORLD_SIZE", "1")) == 1:
        yield Ranks()
        return
    dist.init_process_group("nccl" if torch.device(device).type == "cuda" else "gloo")
    try:
        yield Ranks(dist.get_rank(), dist.get_world_size())
        dist.barrier()  # torchrun ends all when one fails, even at its very end: none may be writing then
    finally:
        dist.destroy_process_group()


def own_device(device: str) -> str:
    """Of several GPUs on a host the one that is this process's own."""
    return f"cuda:{os.environ.get('LOCAL_RANK', '0')}" if device == "cuda" else device
