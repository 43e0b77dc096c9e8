"""Methods of the benchmark, one file each. A new file with a `METHOD`, or `METHODS`, is all it takes to add one."""

from __future__ import annotations

import importlib
import pkgutil
from pathlib import Path

from ...network.unet import RELEASED
from ..method import Method
from .metasegment import learners


def all_methods(weights: Path = RELEASED, device: str = "auto") -> dict[str, Method]:
    """MetaSegment with these weights on this device, each of its strategies, and every peer of this folder, by name."""
    modules = (importlib.import_module(f"{__name__}.{found.name}") for found in pkgutil.iter_modules(__path__))
    peers: list[Method] = []
    for module in modules:
        peers += getattr(module, "METHODS", [module.METHOD] if hasattr(module, "METHOD") else [])
    return {method.name: method for method in (*learners(weights, device), *peers)}
