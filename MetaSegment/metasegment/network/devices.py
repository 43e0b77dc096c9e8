"""Which device computes: a GPU of NVIDIA's, Apple's (mps) or Intel's (xpu), or the CPU; by torch's common interface.

Tested on NVIDIA's GPUs and CPUs. The others run what torch can do on them, in float32, and the CPU does the rest.
"""

from __future__ import annotations

import torch

from ..errors import InputError

#: Kinds of devices that can be asked for.
KINDS = ("cpu", "cuda", "mps", "xpu")
_CHOICES = "use auto, cpu, cuda, cuda:N, mps or xpu"


def choose_device(wanted: str) -> str:
    """The device for "auto" or one of KINDS, with ":N" where there are several; InputError where it is not there.

    "auto" is an NVIDIA GPU or else the CPU: the others are only taken when they are asked for.
    """
    if wanted == "auto":
        return "cuda" if torch.cuda.is_available() else "cpu"
    try:
        device = torch.device(wanted)
    except RuntimeError:
        raise InputError(f"unknown device {wanted!r}: {_CHOICES}") from None
    if device.type not in KINDS:
        raise InputError(f"unsupported device {wanted!r}: {_CHOICES}")
    if device.type != "cpu" and (device.index or 0) >= (found := _count(device.type)):
        raise InputError(f"no GPU for --device {wanted}: PyTorch sees {found}; use --device cpu or auto")
    return wanted


def is_gpu(device: str) -> bool:
    """Whether a device is another one than the CPU."""
    return torch.device(device).type != "cpu"


def wait_for(device: str) -> None:
    """Returns when a device has done all that it was given."""
    if is_gpu(device):
        torch.get_device_module(device).synchronize()


def free_cached_memory(device: str) -> None:
    """Has a device give back the memory that torch keeps for later."""
    if is_gpu(device):
        torch.get_device_module(device).empty_cache()


def name_of(device: str) -> str:
    """What a device is called, for its user."""
    named = getattr(torch.get_device_module(device), "get_device_name", None)
    return str(named(device)) if named and is_gpu(device) else torch.device(device).type.upper()


def _count(kind: str) -> int:
    """How many devices of a kind torch can use here."""
    accelerator = torch.accelerator.current_accelerator() if torch.accelerator.is_available() else None
    return torch.accelerator.device_count() if accelerator and accelerator.type == kind else 0
