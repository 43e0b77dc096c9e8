"""Numbers about one structure: volume, diameters, intensities. Knows nothing of files, and leaves surfaces to `mesh`.

Masks are boolean (k, j, i).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..volume import Geometry

_POINTS_AT_ONCE = 512  # distances to all others are held for so many points at a time


@dataclass(frozen=True)
class Shape:
    """Size of a structure; diameters are from outer voxel face to outer voxel face."""

    voxels: int
    volume_ml: float
    diameter_axial_mm: float
    diameter_3d_mm: float


@dataclass(frozen=True)
class Intensity:
    """Values of the image in a structure, in its own unit (HU, Bq/ml, ...); the SD is that of all its voxels."""

    mean: float
    sd: float
    min: float
    max: float


def shape_of(mask: np.ndarray, geometry: Geometry) -> Shape:
    """Measure a mask that has voxels. "Axial" is the plane of the slices, k."""
    voxels = int(np.count_nonzero(mask))
    axes = geometry.index_to_world[:3, :3]
    axial, overall = _diameters(mask, axes)
    return Shape(
        voxels=voxels,
        volume_ml=voxels * abs(float(np.linalg.det(axes))) / 1000,
        diameter_axial_mm=axial,
        diameter_3d_mm=overall,
    )


def intensity_of(mask: np.ndarray, values: np.ndarray) -> Intensity:
    """Of the image's `values` (k, j, i) in a mask that has voxels; NaN is no value, and all are NaN where none is."""
    inside = values[mask].astype(np.float64)
    inside = inside[~np.isnan(inside)] if not np.isnan(inside).all() else inside
    return Intensity(float(inside.mean()), float(inside.std()), float(inside.min()), float(inside.max()))


def _diameters(mask: np.ndarray, axes: np.ndarray) -> tuple[float, float]:
    """Longest distances in mm within one slice and overall; columns of `axes` are the steps of i, j, k in mm."""
    hulls = []
    axial = 0.0
    for k in np.flatnonzero(mask.any(axis=(1, 2))).tolist():
        corners = _hull(_ends_of_rows(mask[k]))
        points = np.column_stack([corners, np.full(len(corners), k)])
        axial = max(axial, _longest(points, axes, faces=2))
        hulls.append(points)
    return axial, _longest(np.concatenate(hulls), axes, faces=3)


def _ends_of_rows(plane: np.ndarray) -> np.ndarray:
    """First and last pixel (i, j) of every row of a mask (rows, columns): no others can be furthest apart."""
    rows = np.flatnonzero(plane.any(axis=1))
    first = plane[rows].argmax(axis=1)
    last = plane.shape[1] - 1 - plane[rows, ::-1].argmax(axis=1)
    return np.unique(np.concatenate([np.column_stack([first, rows]), np.column_stack([last, rows])]), axis=0)


def _hull(points: np.ndarray) -> np.ndarray:
    """Corners of the convex hull of sorted points (n, 2): Andrew's monotone chain, 1979."""
    if len(points) < 3:
        return points
    chains: list[list[int]] = []
    x, y = points[:, 0].tolist(), points[:, 1].tolist()
    for order in (range(len(points)), range(len(points) - 1, -1, -1)):
        chain: list[int] = []
        for n in order:
            while len(chain) > 1:
                a, b = chain[-2:]
                if (x[b] - x[a]) * (y[n] - y[a]) - (y[b] - y[a]) * (x[n] - x[a]) > 0:
                    break
                chain.pop()
            chain.append(n)
        chains.append(chain[:-1])
    return points[chains[0] + chains[1]]


def _longest(points: np.ndarray, axes: np.ndarray, faces: int) -> float:
    """Distance in mm of the voxels (i, j, k) that are furthest apart, between their outer faces along `faces` axes."""
    world = points @ axes.T
    squares = (world**2).sum(axis=1)
    best, pair = -1.0, (0, 0)
    for start in range(0, len(world), _POINTS_AT_ONCE):
        some = slice(start, start + _POINTS_AT_ONCE)
        squared = squares[some, None] + squares - 2 * world[some] @ world.T
        n = int(squared.argmax())
        if squared.flat[n] > best:
            best, pair = float(squared.flat[n]), (start + n // len(world), n % len(world))
    apart = world[pair[1]] - world[pair[0]]
    steps = np.concatenate([axes.T[:faces], -axes.T[:faces]]) / 2
    return float(np.linalg.norm(apart + steps[:, None] - steps[None], axis=-1).max())
