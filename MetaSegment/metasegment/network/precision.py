"""Which number format and memory layout run the network fastest on this machine: measured once, remembered.

bf16 is three times faster than fp32 on CPUs that have it and catastrophic on those that emulate it, so it is timed,
never guessed.
"""

from __future__ import annotations

import contextlib
import copy
import json
import os
import platform
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor, nn

from .channels import CHANNELS
from .devices import is_gpu, name_of, wait_for

#: Edge of the cube that is timed: small enough to take a second, large enough to be compute-bound. On a GPU starting
#: the kernels of a smaller one takes longer than running them.
TIMED_EDGE = {"cpu": 48, "cuda": 96}
#: Cells along the sides of the smallest grid that is trained on: small convolutions are where torch has been wrong.
CHECKED_EDGE = 16
#: Runs on which gradients are checked: enough that what is wrong once in seven runs shows.
CHECKS = 40
#: Times the largest gradient in fp32 beyond which one is wrong.
WRONG = 100.0
FORMATS = ("contiguous", "channels_last")
PRECISIONS = ("float32", "bfloat16")


@dataclass(frozen=True)
class Precision:
    """`dtype` of the convolutions ("float32" or "bfloat16") and memory `layout` ("contiguous" or "channels_last")."""

    dtype: str = "float32"
    layout: str = "contiguous"

    @property
    def memory_format(self) -> torch.memory_format:
        return torch.channels_last_3d if self.layout == "channels_last" else torch.contiguous_format

    def lay_out(self, network: nn.Module) -> None:
        """Stores a network's parameters in the layout."""
        network.to(memory_format=self.memory_format)  # type: ignore[call-overload]

    @contextlib.contextmanager
    def autocast(self, device: str) -> Iterator[None]:
        """Runs the network's convolutions in `dtype`; losses and solves stay in fp32 outside it."""
        with torch.autocast(torch.device(device).type, torch.bfloat16, enabled=self.dtype == "bfloat16"):
            yield


def fastest_precision(network: nn.Module, device: str, training: bool, cache: Path | None = None) -> Precision:
    """The remembered answer for this machine, torch version and thread count; measured in about a second if there is
    none, on a copy of the network. For training, of those whose gradients are right. float32 on devices that nobody
    has tried more on.
    """
    if torch.device(device).type not in TIMED_EDGE:
        return Precision()
    cache = cache or Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache")) / "metasegment" / "precision.json"
    key = "|".join(
        map(
            str,
            (torch.__version__, _processor(device), torch.get_num_threads(), "learning" if training else "inference"),
        )
    )
    remembered = _read(cache)
    if key not in remembered:
        tried = copy.deepcopy(network)
        options = [Precision(dtype, layout) for dtype in PRECISIONS for layout in FORMATS]
        options.sort(key=lambda option: seconds_of(tried, option, device, training))
        fastest = next(o for o in options if not training or o.dtype == "float32" or _learns(tried, o, device))
        remembered[key] = [fastest.dtype, fastest.layout]
        _write(cache, remembered)
    dtype, layout = remembered[key]
    return Precision(dtype, layout)


def seconds_of(network: nn.Module, precision: Precision, device: str, training: bool) -> float:
    """Measures the best of three runs on the cube that is timed."""
    edge = TIMED_EDGE[torch.device(device).type]
    channels = torch.zeros(1, len(CHANNELS), edge, edge, edge, device=device)
    channels = channels.contiguous(memory_format=precision.memory_format)
    precision.lay_out(network)
    best = float("inf")
    for _ in range(3):
        start = time.perf_counter()
        _once(network, channels, precision, device, training)
        best = min(best, time.perf_counter() - start)
        if best > 5:  # emulated bf16: one run is answer enough
            break
    return best


def _learns(network: nn.Module, precision: Precision, device: str) -> bool:
    """Whether gradients are right on the smallest grid that is trained on."""
    channels = torch.randn(1, len(CHANNELS), *[CHECKED_EDGE] * 3, generator=torch.Generator().manual_seed(0))

    def largest(tried: Precision) -> float:
        tried.lay_out(network)
        given = channels.to(device).contiguous(memory_format=tried.memory_format)
        gradients = _once(network, given, tried, device, training=True)
        return float(torch.stack([gradient.float().abs().max() for gradient in gradients]).max())

    limit = WRONG * largest(Precision())
    return all(largest(precision) <= limit for _ in range(CHECKS))  # NaN is not


def _once(
    network: nn.Module, channels: Tensor, precision: Precision, device: str, training: bool
) -> tuple[Tensor, ...]:
    """One run, and for training its gradients."""
    with precision.autocast(device), torch.set_grad_enabled(training):
        out = network(channels)
    parameters = list(network.parameters()) if training else []
    gradients = torch.autograd.grad(out.float().sum(), parameters, materialize_grads=True) if training else ()
    wait_for(device)
    return gradients


def _processor(device: str) -> str:
    if is_gpu(device):
        return name_of(device)
    model = ""
    with contextlib.suppress(OSError):
        lines = Path("/proc/cpuinfo").read_text().splitlines()
        model = next((line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")), "")
    return f"{model or platform.processor()} {torch.backends.cpu.get_cpu_capability()}"


def _read(cache: Path) -> dict[str, list[str]]:
    with contextlib.suppress(OSError, ValueError):
        found = json.loads(cache.read_text())
        if isinstance(found, dict):
            options = [[dtype, layout] for dtype in PRECISIONS for layout in FORMATS]
            return {key: option for key, option in found.items() if option in options}
    return {}


def _write(cache: Path, remembered: dict[str, list[str]]) -> None:
    # A read-only home costs a second at each start, nothing else.
    with contextlib.suppress(OSError):
        cache.parent.mkdir(parents=True, exist_ok=True)
        beside = cache.with_suffix(f".{os.getpid()}")
        beside.write_text(json.dumps(remembered, indent=1))
        beside.replace(cache)
