"""What this installation can offer: a segmenter on each device, and the facts about it. Imports torch late."""

from __future__ import annotations

import hashlib
import importlib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property, partial
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING

from .. import __version__
from ..memory import free_memory, physical_memory
from ..wire.messages import PROTOCOL, Capabilities, Device, Weights
from .limits import Limits

if TYPE_CHECKING:
    from ..segmenter import Segmenter
    from .worker import Factory


#: Of the released weights, as their card says.
_LICENCE = "Apache-2.0"
#: MONAI's modules import each other in circles: of two threads that begin at once, one sees halves of them.
_IMPORTING = Lock()


@dataclass(frozen=True)
class Installation:
    """Devices by name ("auto", "cpu", "cuda:0", …), one worker each, and a weights file (None: the released)."""

    devices: tuple[str, ...]
    weights: Path | None = None

    def factories(self) -> Mapping[str, Factory]:
        """What makes the segmenter of each device; called, raises InputError where device or weights are not there."""
        return {device: partial(self._segmenter, device) for device in self.devices}

    def capabilities(self, limits: Limits) -> Capabilities:
        """What the service is and has, with the memory that is free at the moment."""
        devices = tuple(map(self.device, self.devices))
        weights, strategies = self._facts
        return Capabilities(__version__, PROTOCOL, devices, weights, strategies, limits.as_numbers())

    def device(self, name: str) -> Device:
        """What stands behind the name of a device; raises InputError where it is not there."""
        import torch

        from ..network.devices import choose_device, name_of

        device = torch.device(choose_device(name))
        if device.type != "cuda":  # Apple's GPUs share the computer's memory; what is free on Intel's is not told
            return Device(name_of(str(device)), _mb(physical_memory()), _mb(free_memory()))
        free, total = torch.cuda.mem_get_info(device)
        return Device(name_of(str(device)), _mb(total), _mb(free))

    @property
    def weights_in_use(self) -> Weights:
        """Name, licence and checksum of the weights."""
        return self._facts[0]

    def _segmenter(self, device: str) -> Segmenter:
        _import_learner()
        from ..segmenter.load import load_segmenter

        return load_segmenter(self._path, device)

    @property
    def _path(self) -> Path:
        from ..network.unet import RELEASED

        return self.weights or RELEASED

    @cached_property
    def _facts(self) -> tuple[Weights, tuple[str, ...]]:
        """The weights, and the strategies that work with them."""
        _import_learner()
        from ..network.meta_parameters import learnt_files
        from ..network.unet import RELEASED
        from ..network.weights_file import read_facts
        from ..strategies import MetaStrategy, all_strategies

        learnt, path = learnt_files(self._path), self._path
        usable = (n for n, s in all_strategies().items() if not isinstance(s, MetaStrategy) or n in learnt)
        checksum = hashlib.sha256(path.read_bytes()).hexdigest()
        licence = read_facts(path).get("licence", _LICENCE if path == RELEASED else "unknown")
        return Weights(path.stem, licence, checksum), tuple(sorted(usable))


def _import_learner() -> None:
    with _IMPORTING:
        importlib.import_module("metasegment.segmenter.load")


def _mb(size: int | None) -> float | None:
    return None if size is None else size / 1e6
