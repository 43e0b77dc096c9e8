"""Labels of simple organs, images and annotations of them, as arrays."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from helpers.grids import geometry_with

from metasegment.annotation import BACKGROUND, AnnotatedSlice
from metasegment.volume import Volume


def ellipsoid(shape: Sequence[int], centre: Sequence[float], radii: Sequence[float]) -> np.ndarray:
    """Builds a boolean ellipsoid (k, j, i) from shape, centre and radii in voxels."""
    axes = np.ogrid[tuple(slice(n) for n in shape)]
    squared = [((a - c) / r) ** 2 for a, c, r in zip(axes, centre, radii, strict=True)]
    return squared[0] + squared[1] + squared[2] <= 1


def scan_of(
    labels: np.ndarray, spacing: tuple[float, float, float] = (1.0, 1.0, 1.0), angles: Sequence[float] = (0, 0, 0)
) -> Volume:
    """Images labels (k, j, i) as a noisy CT-like volume: each label 100 above the one before, noise of 20."""
    noise = np.random.default_rng(0).normal(0, 20, labels.shape)
    k, j, i = labels.shape
    return Volume((noise + 100.0 * labels).astype(np.int16), geometry_with((i, j, k), spacing, angles=angles))


def draw(truth: np.ndarray, *planes: tuple[int, int]) -> np.ndarray:
    """Annotates planes of a truth (k, j, i), given as (axis, index): labels with 255 beside the structures there."""
    labels = np.zeros_like(truth, dtype=np.uint8)
    for axis, index in planes:
        flat = AnnotatedSlice(axis, index).voxels(truth.shape)
        values = truth.reshape(-1)[flat]
        labels.reshape(-1)[flat] = np.where(values, values, BACKGROUND)
    return labels


def touching_organs() -> np.ndarray:
    """Labels 1 and 2 (k, j, i) of two organs that touch, in the middle of 40 x 56 x 56 voxels."""
    shape = (40, 56, 56)
    large, small = ellipsoid(shape, (20, 26, 22), (11, 12, 10)), ellipsoid(shape, (20, 27, 38), (9, 9, 8))
    return np.where(large, 1, np.where(small, 2, 0)).astype(np.uint8)
