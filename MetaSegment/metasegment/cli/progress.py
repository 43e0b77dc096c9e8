"""ProgressBar on standard error: a bar where it is a terminal, one line a stage elsewhere."""

from __future__ import annotations

import sys

WIDTH = 30


class ProgressBar:
    """Called with a stage in words and the share done, 0…1."""

    def __init__(self) -> None:
        self._stage = ""
        self._terminal = sys.stderr.isatty()

    def __call__(self, stage: str, share: float) -> None:
        if self._terminal:
            filled = round(share * WIDTH)
            end = "\n" if share >= 1 else ""
            print(f"\r[{'#' * filled}{'.' * (WIDTH - filled)}] {stage:<16}", end=end, file=sys.stderr, flush=True)
        elif stage != self._stage:
            print(f"{round(100 * share):3d} % {stage}", file=sys.stderr, flush=True)
        self._stage = stage
