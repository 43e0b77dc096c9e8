"""How fast a run is, and how fast its device could be: floating-point operations a second of training beside those of
the network's convolutions alone.
"""

from __future__ import annotations

import sys
import time
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

from ..network.channels import CHANNELS
from ..network.precision import Precision
from ..network.unet import build_network
from .config import Config
from .ranks import Ranks
from .step import Outcome, Trainee

#: Edge of the cubes on which convolutions are timed: a short second on a CPU, and a batch of them fills a GPU.
EDGE = 32
#: Edge of the cube on which operations are counted; every level of the network still has more than one cell.
COUNTED_EDGE = 16
REPEATS = 3


class Meter:
    """What the steps since the last reading came to: mean loss and Dice, tasks a second, and the share of the rate
    that the device's convolutions alone reach.
    """

    def __init__(self, config: Config, trainee: Trainee, ranks: Ranks) -> None:
        self.outcomes: list[Outcome] = []
        self._ranks, self._device = ranks, trainee.device
        self._cost = count_cost(config.network.size)
        at_once = config.optimiser.batch // ranks.size if trainee.together else 1
        shape = (trainee.precision, trainee.device, max(1, at_once))
        self._rate = measure_convolutions(trainee.network, self._cost, *shape)
        self._since = time.monotonic()
        if ranks.first:
            print(
                f"{trainee.device}, {trainee.precision.dtype}, {trainee.precision.layout}: "
                f"{self._rate / 1e9:.4g} GFLOP/s in the network's convolutions alone",
                file=sys.stderr,
                flush=True,
            )

    def read(self) -> dict[str, float]:
        """The values of all processes together; the meter begins again."""
        now = time.monotonic()
        flops = sum(o.step_cells * self._cost.step + o.answer_cells * self._cost.answer for o in self.outcomes)
        own = [sum(o.loss for o in self.outcomes), sum(o.dice for o in self.outcomes)]
        own += [sum(o.tasks for o in self.outcomes), flops]
        sums = self._ranks.total(torch.tensor(own, dtype=torch.float64, device=self._device))
        loss, score, tasks, done = sums.tolist()
        seconds, rate = now - self._since, self._rate * self._ranks.size
        self.outcomes, self._since = [], now
        return {
            "loss": loss / tasks,
            "dice": score / tasks,
            "tasks_per_second": tasks / seconds,
            "conv3d_share": done / seconds / rate,
        }


@dataclass(frozen=True)
class Cost:
    """Floating-point operations for each cell of a grid: of an answer alone, and of an answer with its gradients."""

    answer: float
    step: float


def count_cost(size: str) -> Cost:
    """Counted without computing; all operations of the network grow with the number of cells."""
    with torch.device("meta"):
        network = build_network(size)
        channels = torch.zeros(1, len(CHANNELS), *[COUNTED_EDGE] * 3)
    found = []
    for with_gradients in (False, True):
        with FlopCounterMode(display=False) as counter, torch.set_grad_enabled(with_gradients):
            out = network(channels)
            if with_gradients:
                out.sum().backward()
        found.append(counter.get_total_flops() / COUNTED_EDGE**3)
    return Cost(found[0], found[1])


def measure_convolutions(network: nn.Module, cost: Cost, precision: Precision, device: str, batch: int) -> float:
    """Operations a second of the network's own convolutions, forwards and backwards, at the shapes that they have
    for a batch of cubes.
    """
    layers = _layers(network, precision, device, batch)
    seconds = min(_timed(layers, precision, device) for _ in range(REPEATS))
    return cost.step * batch * EDGE**3 / seconds


def _layers(network: nn.Module, precision: Precision, device: str, batch: int) -> list[tuple[nn.Module, Tensor]]:
    """Each convolution and an input of the shape that it gets."""
    found: dict[nn.Module, Tensor] = {}
    hooks = [
        module.register_forward_pre_hook(lambda module, given: found.update({module: torch.rand_like(given[0])}))
        for module in network.modules()
        if isinstance(module, (nn.Conv3d, nn.ConvTranspose3d))
    ]
    channels = torch.rand(batch, len(CHANNELS), *[EDGE] * 3, device=device)
    with torch.no_grad(), precision.autocast(device):
        network(channels.contiguous(memory_format=precision.memory_format))
    for hook in hooks:
        hook.remove()
    # The network's input needs no gradient in training either.
    return [(module, given.requires_grad_(given.shape[1] != len(CHANNELS))) for module, given in found.items()]


def _run(layers: list[tuple[nn.Module, Tensor]], precision: Precision, device: str) -> None:
    for module, given in layers:
        with precision.autocast(device):
            out = module(given)
        wanted = [t for t in (given, *module.parameters()) if t.requires_grad]
        torch.autograd.grad(out, wanted, torch.ones_like(out))
    if torch.device(device).type == "cuda":
        torch.cuda.synchronize()


def _timed(layers: list[tuple[nn.Module, Tensor]], precision: Precision, device: str) -> float:
    start = time.perf_counter()
    _run(layers, precision, device)
    return time.perf_counter() - start
