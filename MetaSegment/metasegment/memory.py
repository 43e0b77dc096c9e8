"""The peak memory of this process."""

from __future__ import annotations

import contextlib
from pathlib import Path


def peak_memory_mb() -> float | None:
    """Largest resident size so far in MiB, on Linux; None elsewhere.

    Not from getrusage: its figure is inherited through exec from a larger parent, such as Slicer.
    """
    with contextlib.suppress(OSError):
        for line in Path("/proc/self/status").read_text().splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) / 1024
    return None
