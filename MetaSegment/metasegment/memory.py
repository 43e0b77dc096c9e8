"""The memory of this process and this computer."""

from __future__ import annotations

import contextlib
import os
from pathlib import Path


def peak_memory_mb() -> float | None:
    """Returns largest resident size so far in MiB, on Linux; None elsewhere.

    Not from getrusage: its figure is inherited through exec from a larger parent, such as Slicer.
    """
    with contextlib.suppress(OSError):
        for line in Path("/proc/self/status").read_text().splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) / 1024
    return None


def physical_memory() -> int | None:
    """Returns bytes of memory that the computer has, on Linux and macOS; None elsewhere."""
    with contextlib.suppress(AttributeError, ValueError, OSError):  # Windows has no sysconf, others may lack a name
        return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    return None


def free_memory() -> int | None:
    """Returns bytes of memory that can be used without swapping, on Linux; None elsewhere."""
    with contextlib.suppress(OSError):
        for line in Path("/proc/meminfo").read_text().splitlines():
            if line.startswith("MemAvailable:"):
                return int(line.split()[1]) * 1024
    return None


def is_out_of_memory(error: BaseException) -> bool:
    """Tells whether Python, or PyTorch on the CPU or a GPU, found no memory; without importing torch."""
    return isinstance(error, MemoryError) or (
        isinstance(error, RuntimeError)
        and any(sign in str(error) for sign in ("can't allocate memory", "not enough memory", "out of memory"))
    )
