"""Labels moved between two grids whose voxels coincide (other order or direction of axes, or another extent), and the
extent and the number of what is marked.

Never resamples: where the voxels of one grid are not those of the other, that is an error.
"""

from __future__ import annotations

import numpy as np

from .errors import InputError
from .volume import Geometry

# Voxels that a corner may be off: DICOM's and NIfTI's decimals add up over a slice, half a voxel would be another one.
_TOLERANCE = 0.1


def moved_to_grid(labels: np.ndarray, geometry: Geometry, wanted: Geometry) -> np.ndarray:
    """Returns labels (k, j, i) on `geometry`, on the grid `wanted` instead; 0 where they say nothing.

    Raises InputError where the voxels do not coincide or a label lies outside the wanted grid.
    """
    steps, offset = _steps(geometry, wanted)
    # From i, j, k to the array's k, j, i.
    steps, offset = steps[::-1, ::-1], offset[::-1]
    source = np.abs(steps).argmax(axis=1)
    signs = steps[range(3), source]
    moved = np.flip(labels.transpose(source), tuple(np.flatnonzero(signs < 0)))
    first = np.where(signs < 0, offset - np.subtract(moved.shape, 1), offset)
    result = np.zeros(wanted.shape, labels.dtype)
    low = np.maximum(first, 0)
    high = np.maximum(np.minimum(first + moved.shape, wanted.shape), low)
    window = tuple(slice(a, b) for a, b in zip(low, high, strict=True))
    inside = moved[tuple(slice(a, b) for a, b in zip(low - first, high - first, strict=True))]
    if np.count_nonzero(inside) != np.count_nonzero(labels):
        raise InputError("it reaches beyond the image; crop it to the image first")
    result[window] = inside
    return result


def bounding_box(mask: np.ndarray) -> tuple[slice, ...]:
    """Returns the smallest window that holds all voxels of a mask, or of labels, that are not 0; one slice an axis,
    empty where there are none.
    """
    window = []
    for axis in range(mask.ndim):  # cut along one axis after the other: most is looked at once
        used = np.flatnonzero(mask.max(axis=tuple(a for a in range(mask.ndim) if a != axis), initial=0))
        part = slice(int(used[0]), int(used[-1]) + 1) if used.size else slice(0, 0)
        mask = mask.swapaxes(0, axis)[part].swapaxes(0, axis)
        window.append(part)
    return tuple(window)


def filled_planes(mask: np.ndarray, axis: int) -> np.ndarray:
    """Returns indices of the planes across an axis on which a mask, or labels (k, j, i), are not 0."""
    return np.flatnonzero(mask.any(axis=tuple(other for other in range(3) if other != axis)))


def label_counts(labels: np.ndarray) -> np.ndarray:
    """Returns voxels of each of the 256 labels uint8 (k, j, i)."""
    counts = np.zeros(256, np.int64)
    for plane in labels:  # counting the whole volume at once would copy it to 64 bits
        counts += np.bincount(plane.ravel(), minlength=256)
    return counts


def _steps(geometry: Geometry, wanted: Geometry) -> tuple[np.ndarray, np.ndarray]:
    """Whole numbers that take an index (i, j, k) on one grid to that on the other: matrix (3, 3) and offset (3)."""
    exact = np.linalg.inv(wanted.index_to_world) @ geometry.index_to_world
    steps, offset = np.rint(exact[:3, :3]), np.rint(exact[:3, 3])
    last = np.subtract(geometry.size, 1)
    if (last == 0).sum() == 1:  # one slice: how far the next would be does not matter
        single = int(np.flatnonzero(last == 0)[0])
        steps[:, single] = 0
        steps[:, single] = 1 - np.abs(steps).sum(axis=1).clip(0, 1)
    swaps = np.abs(steps)
    wrong = np.abs((exact[:3, :3] - steps) * last).sum(axis=1) + np.abs(exact[:3, 3] - offset)
    if (swaps.sum(axis=0) != 1).any() or (swaps.sum(axis=1) != 1).any() or wrong.max() > _TOLERANCE:
        raise InputError(f"its voxels are not the image's: {wanted.difference(geometry)}; resample it to the image")
    return steps.astype(np.int64), offset.astype(np.int64)
