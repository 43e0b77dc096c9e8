"""Predicted masks of a run on disk, a few kilobytes each: for pictures of the worst cases, and for later questions."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from ..io.files import written_beside

FOLDER = "masks"


def save_mask(folder: Path, method: str, task: str, mask: np.ndarray) -> None:
    """Writes a mask (bool, k, j, i), one bit a voxel, compressed."""
    path = _place(folder, method, task)
    path.parent.mkdir(parents=True, exist_ok=True)
    with written_beside(path) as draft:
        np.savez_compressed(draft, bits=np.packbits(mask), shape=mask.shape)


def load_mask(folder: Path, method: str, task: str) -> np.ndarray | None:
    """Reads the mask as it was saved, or None where the method had no answer."""
    path = _place(folder, method, task)
    if not path.exists():
        return None
    with np.load(path) as held:
        shape = tuple(held["shape"].tolist())
        return np.unpackbits(held["bits"], count=int(np.prod(shape))).reshape(shape).astype(bool)


def _place(folder: Path, method: str, task: str) -> Path:
    return folder / FOLDER / method / f"{task.replace('/', '_').replace(' ', '_')}.npz"
