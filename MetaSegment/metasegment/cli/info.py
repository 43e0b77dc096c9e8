"""`metasegment info`: versions, devices, weights and extras of this installation."""

from __future__ import annotations

import argparse
import importlib.util
import json
import platform

from .. import __version__
from ..manifest import PACKAGES, version_of
from ..network.unet import RELEASED
from ..service.installed import Installation
from . import common

#: For each extra, the packages without which it does nothing.
_EXTRAS = {
    "train": ("tensorboard",),
    "serve": ("fastapi", "uvicorn", "httptools"),
    "cluster": ("ray",),
    "picture": ("vtk",),
    "dicom": ("highdicom", "pydicom", "skimage"),
    "benchmark": ("vtk", "skimage", "scipy"),
    "diagnose": ("sklearn",),
}


def add_to(commands: common.Commands) -> None:
    parser = commands.add_parser("info", help="versions, devices, weights and extras of this installation")
    parser.add_argument("--device", default="auto", help="auto (default), cpu, cuda, cuda:N, mps or xpu")
    parser.add_argument("--json", action="store_true", help="one JSON object")
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> None:
    found = facts(options.device)
    if options.json:
        print(json.dumps(found))
        return
    for name, value in found.items():
        text = ", ".join(f"{k} {v}" for k, v in value.items()) if isinstance(value, dict) else value
        print(f"{name:<12} {text}")


def facts(device: str) -> dict[str, object]:
    """What is installed here, as `--json` prints it; raises InputError for a device that is not there."""
    installation = Installation((device,))
    found, weights = installation.device(device), installation.weights_in_use
    return {
        "metasegment": __version__,
        "python": platform.python_version(),
        "system": platform.platform(),
        "packages": {name: version_of(name) for name in PACKAGES},
        "device": {"name": found.name, "total_mb": found.total_mb, "free_mb": found.free_mb},
        "weights": {"name": weights.name, "licence": weights.licence, "sha256": weights.sha256, "file": str(RELEASED)},
        "extras": {name: "yes" if _all_there(needed) else "no" for name, needed in _EXTRAS.items()},
    }


def _all_there(modules: tuple[str, ...]) -> bool:
    return all(importlib.util.find_spec(name) is not None for name in modules)
