"""Many objects of a kind in one volume: those drawn as examples, and those found like them.

Data alone: knows nothing of how they are found.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class FoundObject:
    """One object; `label` is its number in the label map.

    `confidence` is 0…1, and 1 for an example. `center` is the voxel (k, j, i) nearest to the middle of its box.
    `touches_edge` says that the image's edge cuts it.
    """

    label: int
    example: bool
    confidence: float
    voxels: int
    volume_ml: float
    longest_diameter_mm: float
    center: tuple[int, int, int]
    touches_edge: bool


@dataclass(frozen=True, eq=False)
class FoundObjects:
    """`labels` uint16 (k, j, i) of the whole volume: 0, the examples from 1 on, then what was found, surest first.

    `seconds` is by stage; `notes` are sentences for the user.
    """

    labels: np.ndarray
    objects: tuple[FoundObject, ...]
    seconds: dict[str, float]
    device: str
    peak_memory_mb: float | None
    notes: tuple[str, ...] = ()
