"""The two organs as files that the `metasegment` command is given, and how its tests call it."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from metasegment.volume import Volume

NAMES = {1: "Leber, links", 2: "Zyste"}
COLORS = {1: (0.8, 0.4, 0.2), 2: (0.1, 0.5, 0.9)}
#: Axial slices through both organs.
ANNOTATED = (14, 20, 26)
#: Seconds after which a child process counts as hung.
PATIENCE = 300


@dataclass(frozen=True)
class Study:
    """Files on one oblique anisotropic grid, and what is in them."""

    image: Path
    annotation: Path
    volume: Volume
    labels: np.ndarray


def command(*arguments: object) -> list[str]:
    return [sys.executable, "-m", "metasegment", *map(str, arguments)]
