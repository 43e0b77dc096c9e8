"""Megabytes of an installation, from the lines that uv prints and from what the disk has less."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

_SIZES = {"KiB": 1 / 1024, "MiB": 1.0, "GiB": 1024.0}
#: Of the whole, what is done when everything has been fetched; unpacking follows.
_FETCHED = 0.8


class Downloads:
    """Listens to uv. Example::

    downloads = Downloads(folder)
    downloads.hear("Downloading torch (182.1MiB)")
    downloads.stage, downloads.share                 # "fetching torch: 0 of 182 MB (12 MB on disk)", 0.0
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._free = shutil.disk_usage(folder).free
        self._announced: dict[str, float] = {}
        self._fetched: set[str] = set()
        self._installs = False

    def hear(self, line: str) -> None:
        """A line of uv's output."""
        if found := re.match(r"\s*Downloading (\S+) \(([\d.]+)\s?([KMG]iB)\)", line):
            self._announced[found[1]] = float(found[2]) * _SIZES[found[3]]
        elif found := re.match(r"\s*Downloaded (\S+)", line):
            self._fetched.add(found[1])
        elif line.startswith("Prepared"):
            self._installs = True

    @property
    def share(self) -> float:
        """What is done, 0…1."""
        if self._installs:
            return _FETCHED
        total = sum(self._announced.values())
        return _FETCHED * self._megabytes / total if total else 0.0

    @property
    def stage(self) -> str:
        """What is under way, with megabytes."""
        written = max(0, self._free - shutil.disk_usage(self._folder).free) >> 20
        waiting = [name for name in self._announced if name not in self._fetched]
        if self._installs or not waiting:
            return f"installing ({written} MB on disk)"
        total = sum(self._announced.values())
        largest = max(waiting, key=self._announced.__getitem__)
        return f"fetching {largest}: {self._megabytes:.0f} of {total:.0f} MB ({written} MB on disk)"

    @property
    def _megabytes(self) -> float:
        return sum(size for name, size in self._announced.items() if name in self._fetched)
