"""Runs the network on a device: chosen precision, tiles where a grid is large, and a way out when the memory is
full.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cached_property, partial

import torch
from monai.inferers.utils import sliding_window_inference
from torch import Tensor, nn
from torch.func import functional_call

from ..errors import InputError
from .devices import free_cached_memory, is_gpu
from .meta_parameters import Learnt
from .precision import fastest_precision
from .weights_file import checksum

#: Edge in cells of the largest grid that runs in one piece, then of the tiles tried when the memory is full.
WINDOWS = (128, 96, 64, 48)
TILE_OVERLAP = 0.25


class Engine:
    """A network on a device, with what strategies meta-learnt on top of it.

    `notes` says, in words for the user, what had to be given up on the way.
    """

    def __init__(self, network: nn.Module, device: str = "cpu", learnt: Learnt | None = None) -> None:
        self.device = device
        self._learnt = learnt or {}
        self.notes: list[str] = []
        self.network = network.to(device)
        self.precision = fastest_precision(self.network, device, training=False)
        self.precision.lay_out(self.network)
        self._windows = list(WINDOWS)

    @cached_property
    def checksum(self) -> str:
        """SHA-256 of the network's weights: what is learnt on top of them holds for no others."""
        return checksum({name: p.detach().cpu() for name, p in self.network.named_parameters()})

    def has_learnt(self, name: str) -> bool:
        """Whether something was learnt under this name with these very weights."""
        return name in self._learnt

    def learnt(self, strategy: str) -> dict[str, Tensor]:
        """The meta-parameters of a strategy, on the device; InputError where these weights come without."""
        if strategy not in self._learnt:
            raise InputError(
                f"strategy {strategy} was not meta-trained with these weights: choose another, put its file from "
                "Resources/weights of MetaSegment's repository beside them, or run `metasegment train strategies`"
            )
        return {name: p.to(self.device) for name, p in self._learnt[strategy].items()}

    @torch.no_grad()
    def logits(self, channels: Tensor, parameters: Mapping[str, Tensor] | None = None) -> Tensor:
        """Logits (k, j, i) float32 on the CPU for channels (8, k, j, i); `parameters` replace the network's own by
        name.
        """
        run = partial(self._run, parameters=parameters)
        return self._surviving(lambda: self._tiled(channels, run), max(channels.shape[1:]))[0].cpu()

    @torch.no_grad()
    def features(self, channels: Tensor, parameters: Mapping[str, Tensor] | None = None) -> tuple[Tensor, Tensor]:
        """What the network's last layer sees (n, k, j, i), and the logits of the same pass, both as `logits` gives
        them.
        """
        run = partial(self._run_with_features, parameters=parameters)
        both = self._surviving(lambda: self._tiled(channels, run), max(channels.shape[1:])).cpu()
        return both[1:], both[0]

    def forward(self, channels: Tensor, parameters: Mapping[str, Tensor] | None = None) -> Tensor:
        """Logits (k, j, i) float32 on the device, differentiable, in one piece."""
        return self._run(channels.to(self.device)[None], parameters)[0, 0]

    def forward_features(
        self, channels: Tensor, parameters: Mapping[str, Tensor] | None = None
    ) -> tuple[Tensor, Tensor]:
        """What the network's last layer sees (n, k, j, i), and the logits, both as `forward` gives them."""
        both = self._run_with_features(channels.to(self.device)[None], parameters)[0]
        return both[1:], both[0]

    def _surviving(self, work: Callable[[], Tensor], largest: int) -> Tensor:
        while True:
            try:
                return work()
            except torch.OutOfMemoryError:
                self._give_way(largest)
            except NotImplementedError:
                if not is_gpu(self.device):
                    raise
                self._go_to_cpu("this GPU cannot do what the network needs: working on the CPU")

    def _give_way(self, largest: int) -> None:
        """Tiles smaller than the grid's largest side first, then the CPU; re-raises what is being handled when there is
        nothing left to give.
        """
        smaller = [window for window in self._windows[1:] if window < largest]
        if smaller:
            self._windows = smaller
            self.notes.append(f"out of GPU memory: working in tiles of {self._windows[0]} cells")
        elif is_gpu(self.device):
            self._go_to_cpu("out of GPU memory: working on the CPU")
        else:
            raise
        free_cached_memory(self.device)

    def _go_to_cpu(self, note: str) -> None:
        before, self.device = self.device, "cpu"
        self.notes.append(note)
        self.network.to("cpu")
        self.precision = fastest_precision(self.network, "cpu", training=False)
        self.precision.lay_out(self.network)
        self._windows = list(WINDOWS)
        free_cached_memory(before)

    def _tiled(self, channels: Tensor, run: Callable[[Tensor], Tensor]) -> Tensor:
        window = [min(self._windows[0], n) for n in channels.shape[1:]]
        batch = channels[None]
        if list(channels.shape[1:]) == window:
            return run(batch.to(self.device))[0]
        answer = sliding_window_inference(
            batch,
            window,
            1,
            run,
            TILE_OVERLAP,
            "gaussian",
            sw_device=self.device,
            device="cpu",
        )
        assert isinstance(answer, Tensor)
        return answer[0]

    def _run(self, batch: Tensor, parameters: Mapping[str, Tensor] | None) -> Tensor:
        batch = batch.contiguous(memory_format=self.precision.memory_format)
        given = {name: p.to(self.device) for name, p in (parameters or {}).items()}  # a fallback moves on
        with self.precision.autocast(self.device):
            # DynUNet holds its levels under two names each; with tied names PyTorch 2.13 puts back only one of the two.
            out: Tensor = functional_call(self.network, given, (batch,), tie_weights=False)
        return out.float()

    def _run_with_features(self, batch: Tensor, parameters: Mapping[str, Tensor] | None) -> Tensor:
        """Logit and features of each cell (1, 1 + n, k, j, i)."""
        seen: list[Tensor] = []
        last = self.network.get_submodule("output_block")
        handle = last.register_forward_pre_hook(lambda _, given: seen.append(given[0]))
        try:
            logits = self._run(batch, parameters)
        finally:
            handle.remove()
        return torch.cat([logits, seen[0].float()], 1)
