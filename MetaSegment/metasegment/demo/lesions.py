"""A CT-like block of tissue with many lesions of a kind, and with vessels and calcifications that are none."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..volume import Geometry, Volume
from .canvas import grain

_SPACING = (1.0, 1.0, 1.5)  # mm along i, j, k
_TISSUE, _LESION, _VESSEL, _CALCIUM = 60.0, 130.0, 145.0, 600.0  # HU
_NOISE = 14.0  # HU: standard deviation
_EDGE = 1.2  # mm over which a boundary blends
_RADII = (3.0, 7.0)  # mm: half axes of lesions
_SHARE_TOUCHING = 0.2  # of the lesions, each grown onto the one before it


@dataclass(frozen=True, eq=False)
class LesionPhantom:
    """A volume (int16, HU) and its lesions, numbered from 1 (uint16, same grid, 0 = none)."""

    volume: Volume
    lesions: np.ndarray


def lesion_phantom(seed: int, count: int, shape: tuple[int, int, int] = (96, 160, 160)) -> LesionPhantom:
    """A block of `shape` (k, j, i) with up to so many lesions, fewer where no room is left; the same for the same
    seed.
    """
    rng = np.random.default_rng(seed)
    spacing = np.array(_SPACING[::-1])
    size = np.array(shape) * spacing
    image = _TISSUE + 8 * _smooth(shape, rng)
    for _ in range(6):
        start, stop = rng.uniform(0, 1, 3) * size, rng.uniform(0, 1, 3) * size
        _paint(image, _tube(shape, spacing, start, stop, rng.uniform(2, 5)), _VESSEL)
    lesions = np.zeros(shape, np.uint16)
    places: list[tuple[np.ndarray, float]] = []
    for _ in range(50 * count):
        if len(places) == count:
            break
        radii = rng.uniform(*_RADII) * rng.uniform(0.75, 1.25, 3)
        touching = bool(places) and rng.uniform() < _SHARE_TOUCHING
        center = _place(rng, size, radii, places[-1] if touching else None)
        if _is_free(center, radii, places, size, touching):
            distance, window = _ellipsoid(shape, spacing, center, radii)
            _paint(image[window], distance, _LESION + rng.normal(0, 6))
            lesions[window][(distance < 0) & (lesions[window] == 0)] = len(places) + 1
            places.append((center, float(radii.mean())))
    for _ in range(max(3, count // 5)):
        radii = np.full(3, rng.uniform(1.5, 4))
        center = _place(rng, size, radii, None)
        if _is_free(center, radii, places, size, False):
            distance, window = _ellipsoid(shape, spacing, center, radii)
            _paint(image[window], distance, _CALCIUM)
    noisy = np.rint(image + _NOISE * grain(shape, rng)).astype(np.int16)
    geometry = Geometry((shape[2], shape[1], shape[0]), _SPACING, (0.0, 0.0, 0.0), tuple(np.eye(3).ravel().tolist()))
    return LesionPhantom(Volume(noisy, geometry), lesions)


def _place(
    rng: np.random.Generator, size: np.ndarray, radii: np.ndarray, beside: tuple[np.ndarray, float] | None
) -> np.ndarray:
    """A point (k, j, i) in mm within the block, or where a lesion of such half axes touches another."""
    if beside is None:
        return rng.uniform(radii + 2, np.maximum(size - radii - 2, radii + 2.1))
    away = rng.normal(size=3)
    return beside[0] + away / np.linalg.norm(away) * 0.95 * (beside[1] + float(radii.mean()))


def _is_free(
    center: np.ndarray, radii: np.ndarray, places: list[tuple[np.ndarray, float]], size: np.ndarray, touching: bool
) -> bool:
    if (center < radii + 1).any() or (center > size - radii - 1).any():
        return False
    others = places[:-1] if touching else places
    return all(np.linalg.norm(center - other) > 1.3 * (radius + radii.max()) + 2 for other, radius in others)


def _ellipsoid(
    shape: tuple[int, int, int], spacing: np.ndarray, center: np.ndarray, radii: np.ndarray
) -> tuple[np.ndarray, tuple[slice, slice, slice]]:
    """Distance in mm, negative inside, in a window around an ellipsoid."""
    low = np.maximum(0, ((center - radii - 3) / spacing).astype(int))
    high = np.minimum(shape, ((center + radii + 3) / spacing).astype(int) + 1)
    k, j, i = (slice(int(a), int(b)) for a, b in zip(low, high, strict=True))
    axes = np.ogrid[k, j, i]
    norm = np.sqrt(sum((((a + 0.5) * s - c) / r) ** 2 for a, s, c, r in zip(axes, spacing, center, radii, strict=True)))
    return (norm - 1) * radii.mean(), (k, j, i)


def _tube(
    shape: tuple[int, int, int], spacing: np.ndarray, start: np.ndarray, stop: np.ndarray, radius: float
) -> np.ndarray:
    """Distance in mm, negative inside, to a tube between two points."""
    points = np.stack(
        np.meshgrid(*((np.arange(n) + 0.5) * s for n, s in zip(shape, spacing, strict=True)), indexing="ij"), -1
    )
    along = stop - start
    share = np.clip((points - start) @ along / (along @ along), 0, 1)
    return np.linalg.norm(points - start - share[..., None] * along, axis=-1) - radius


def _paint(image: np.ndarray, distance: np.ndarray, hu: float) -> None:
    image += np.clip(0.5 - distance / _EDGE, 0, 1) * (hu - image)


def _smooth(shape: tuple[int, int, int], rng: np.random.Generator) -> np.ndarray:
    """A few waves of unit deviation or so (k, j, i)."""
    axes = np.ogrid[tuple(slice(n) for n in shape)]
    waves = np.zeros(shape)
    for _ in range(5):
        turns, phase = rng.uniform(1, 4, 3), rng.uniform(0, 2 * np.pi)
        waves += np.cos(2 * np.pi * sum(t * a / n for t, a, n in zip(turns, axes, shape, strict=True)) + phase)
    return waves / np.sqrt(2.5)
