"""Whether DICOM slices or frames make an even stack, and in words why not. Reads nothing."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ..errors import InputError

# Scanners round positions to about 0.01 mm; a missing slice changes a distance by 100 %.
_UNEVEN = 0.1  # of the usual distance between slices
_SAME_PLACE = 0.01  # mm
_TILT = 0.5  # pixels that a slice may lie beside the first one before the grid is sheared
_SAME_DIRECTION = 1e-3


@dataclass(frozen=True, eq=False)
class Stack:
    """Slices in any order: names, positions (n, 3) in LPS mm, orientations (n, 6) as DICOM tells
    them, and the larger side of a pixel in mm.
    """

    names: tuple[str, ...]
    positions: np.ndarray
    orientations: np.ndarray
    pixel: float

    @property
    def normal(self) -> np.ndarray:
        """Direction in which slices follow each other, that of the first slice's rows and columns (3)."""
        return np.cross(self.orientations[0, :3], self.orientations[0, 3:])


def refuse_uneven(path: str | Path, stack: Stack) -> None:
    """Raise InputError, naming `path`, for missing or repeated slices, distances that drift, other orientations and a
    tilted gantry.
    """
    orientations = stack.orientations
    if np.abs(orientations - orientations[0]).max() > _SAME_DIRECTION:
        raise InputError(f"{path}: its slices have different orientations; give a folder with one stack of slices")
    normal = stack.normal
    # Where positions repeat, GDCM leaves files in the order of their names.
    order = np.argsort(stack.positions @ normal, kind="stable")
    names = [stack.names[n] for n in order]
    positions = stack.positions[order] - stack.positions[order[0]]
    distances = np.diff(positions @ normal)
    apart = distances[distances > _SAME_PLACE]
    usual = float(np.median(apart)) if apart.size else 0.0
    nearest, farthest = int(distances.argmin()), int(distances.argmax())
    if usual == 0 or distances[nearest] < (1 - _UNEVEN) * usual:
        raise InputError(f"{path}: slices are repeated or too close: {_between(names, distances, nearest, usual)}")
    if distances[farthest] > (1 + _UNEVEN) * usual:
        raise InputError(f"{path}: slices are missing: {_between(names, distances, farthest, usual)}")
    along = positions @ normal
    drift = np.abs(along - np.linspace(along[0], along[-1], len(along))).max()
    if drift > _UNEVEN * usual:
        raise InputError(
            f"{path}: distances between its slices change ({distances.min():.2f} to {distances.max():.2f} mm), by "
            f"which slices would lie {drift:.1f} mm off; resample the series first"
        )
    sideways = np.linalg.norm(positions - np.outer(positions @ normal, normal), axis=1).max()
    if sideways > _TILT * stack.pixel:
        raise InputError(
            f"{path}: the slices are shifted against each other (tilted gantry); resample the series first"
        )


def _between(names: list[str], distances: np.ndarray, n: int, usual: float) -> str:
    return (
        f"{distances[n]:.2f} mm between {names[n]} and {names[n + 1]} (slice {n + 1} of "
        f"{len(names)}), {usual:.2f} mm elsewhere; give one image per position"
    )
