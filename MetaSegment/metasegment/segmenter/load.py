"""The learner from its weights file, on a device."""

from __future__ import annotations

from pathlib import Path

from ..network.devices import choose_device
from ..network.engine import Engine
from ..network.meta_parameters import load_learnt
from ..network.unet import RELEASED, load_network
from .segmenter import Segmenter


def load_segmenter(weights: Path = RELEASED, device: str = "auto") -> Segmenter:
    """A segmenter on "auto", "cpu", "cuda" or "cuda:N"; InputError where the weights or the device are not there."""
    return Segmenter(Engine(load_network(weights), choose_device(device), load_learnt(weights)))
