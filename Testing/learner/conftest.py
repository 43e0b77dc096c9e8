"""Fixtures that the learner's tests share: the released network and a small volume with two touching organs."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import pytest

from metasegment.annotation import BACKGROUND, AnnotatedSlice
from metasegment.engine import Engine
from metasegment.network import load_network
from metasegment.segmenter import Segmenter
from metasegment.volume import Geometry, Volume


@pytest.fixture(scope="session")
def released_engine() -> Engine:
    """The released weights on the CPU, for all tests; one that changes an engine makes its own."""
    return Engine(load_network(), "cpu")


@pytest.fixture(scope="session")
def segmenter(released_engine: Engine) -> Segmenter:
    return Segmenter(released_engine)


@pytest.fixture(scope="session")
def ellipsoid() -> Callable[[Sequence[int], Sequence[float], Sequence[float]], np.ndarray]:
    """Builds a boolean ellipsoid (k, j, i) from shape, centre and radii in voxels."""

    def build(shape: Sequence[int], centre: Sequence[float], radii: Sequence[float]) -> np.ndarray:
        axes = np.ogrid[tuple(slice(n) for n in shape)]
        squared = [((a - c) / r) ** 2 for a, c, r in zip(axes, centre, radii, strict=True)]
        return squared[0] + squared[1] + squared[2] <= 1

    return build


@pytest.fixture(scope="session")
def two_organs(ellipsoid: Callable[..., np.ndarray]) -> np.ndarray:
    """Labels 1 and 2 (k, j, i) of two organs that touch, in the middle of 40 x 56 x 56 voxels."""
    shape = (40, 56, 56)
    large, small = ellipsoid(shape, (20, 26, 22), (11, 12, 10)), ellipsoid(shape, (20, 27, 38), (9, 9, 8))
    return np.where(large, 1, np.where(small, 2, 0)).astype(np.uint8)


@pytest.fixture(scope="session")
def scan_of(geometry_with: Callable[..., Geometry]) -> Callable[..., Volume]:
    """Images labels (k, j, i) as a noisy CT-like volume: each label 100 above the one before, noise of 20."""

    def image(
        labels: np.ndarray, spacing: tuple[float, float, float] = (1.0, 1.0, 1.0), angles: Sequence[float] = (0, 0, 0)
    ) -> Volume:
        noise = np.random.default_rng(0).normal(0, 20, labels.shape)
        k, j, i = labels.shape
        return Volume((noise + 100.0 * labels).astype(np.int16), geometry_with((i, j, k), spacing, angles=angles))

    return image


@pytest.fixture(scope="session")
def draw() -> Callable[..., np.ndarray]:
    """Annotates planes of a truth (k, j, i), given as (axis, index): labels with 255 beside the structures there."""

    def annotate(truth: np.ndarray, *planes: tuple[int, int]) -> np.ndarray:
        labels = np.zeros_like(truth, dtype=np.uint8)
        for axis, index in planes:
            flat = AnnotatedSlice(axis, index).voxels(truth.shape)
            values = truth.reshape(-1)[flat]
            labels.reshape(-1)[flat] = np.where(values, values, BACKGROUND)
        return labels

    return annotate


@pytest.fixture(scope="session")
def dice() -> Callable[[np.ndarray, np.ndarray], float]:
    def overlap(a: np.ndarray, b: np.ndarray) -> float:
        return float(2 * np.count_nonzero(a & b) / max(1, np.count_nonzero(a) + np.count_nonzero(b)))

    return overlap
