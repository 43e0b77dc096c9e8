"""Grids of volumes, turned and flipped."""

from __future__ import annotations

import numpy as np

from metasegment.volume import Geometry

IDENTITY = (1.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 1.0)
#: i, j, k: three different lengths, so that mixed-up axes show.
SMALL = (13, 11, 9)


def geometry_with(
    size: tuple[int, int, int] = SMALL,
    spacing: tuple[float, float, float] = (1.0, 1.0, 1.0),
    origin: tuple[float, float, float] = (0.0, 0.0, 0.0),
    angles: tuple[float, float, float] = (0.0, 0.0, 0.0),
    flips: tuple[int, int, int] = (1, 1, 1),
) -> Geometry:
    """Builds a geometry from size, spacing, origin, rotation angles (degrees) and flipped axes (-1)."""
    direction = rotation(*angles) * flips
    return Geometry(size, spacing, origin, tuple(direction.ravel().tolist()))


def rotation(about_x: float, about_y: float, about_z: float) -> np.ndarray:
    """Rotation matrix from three angles in degrees."""
    x, y, z = np.radians([about_x, about_y, about_z])
    around_x = np.array([[1, 0, 0], [0, np.cos(x), -np.sin(x)], [0, np.sin(x), np.cos(x)]])
    around_y = np.array([[np.cos(y), 0, np.sin(y)], [0, 1, 0], [-np.sin(y), 0, np.cos(y)]])
    around_z = np.array([[np.cos(z), -np.sin(z), 0], [np.sin(z), np.cos(z), 0], [0, 0, 1]])
    return around_z @ around_y @ around_x
