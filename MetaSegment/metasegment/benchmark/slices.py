"""Which slices of a structure are annotated: evenly spaced, through the middle, or anywhere.

Looks at one mask (bool, k, j, i); for freezing a protocol only, a run takes the indices from there.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import TypeVar

import numpy as np

from ..episodes.held_out import FIRST, LAST
from ..regrid import filled_planes

#: At least so many slices of the structure are left to find.
LEFT = 2
AXES = {"axial": 0, "coronal": 1, "sagittal": 2}
MIXED = "mixed"
_T = TypeVar("_T")


def enough(mask: np.ndarray, axis: int, count: int) -> bool:
    """Tells whether so many slices can be annotated and some are left."""
    return len(filled_planes(mask, axis)) >= count + LEFT


def evenly(mask: np.ndarray, axis: int, count: int) -> tuple[tuple[int, int], ...]:
    """Returns so many (axis, index), evenly spaced over the extent; the middle for one."""
    found = filled_planes(mask, axis)
    shares = np.linspace(FIRST, LAST, count, dtype=np.float32) if count > 1 else np.array([0.5], np.float32)
    return tuple((axis, int(found[n])) for n in np.rint(shares * (len(found) - 1)).astype(int))


def orthogonal(mask: np.ndarray) -> tuple[tuple[int, int], ...]:
    """Returns one plane across each axis, through the middle of the extent."""
    return tuple(evenly(mask, axis, 1)[0] for axis in range(3))


def anywhere(mask: np.ndarray, axis: int, count: int, seed: str) -> tuple[tuple[int, int], ...]:
    """Returns so many (axis, index) drawn from all planes that show the structure."""
    return tuple((axis, index) for index in sorted(drawn(filled_planes(mask, axis).tolist(), count, seed)))


def drawn(items: Sequence[_T], count: int, seed: str) -> list[_T]:
    """Returns so many of the items, or all of them, in their order, drawn by SHA-256: the same everywhere."""
    order = sorted(range(len(items)), key=lambda n: number(f"{seed} {items[n]}"))
    return [items[n] for n in sorted(order[:count])]


def number(text: str) -> int:
    """Returns a whole number below 2^32 that any change of the text changes."""
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:4], "big")
