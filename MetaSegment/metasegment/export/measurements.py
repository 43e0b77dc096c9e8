"""Numbers about one structure: volume, diameters, place, intensities. Knows nothing of files, and leaves surfaces to
`mesh`.

Masks are boolean (k, j, i).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..volume import Geometry

_POINTS_AT_ONCE = 512  # distances to all others are held for so many points at a time


@dataclass(frozen=True)
class Shape:
    """Size of a structure; diameters are from outer voxel face to outer voxel face.

    The longest axial diameter lies on slice `diameter_slice` (index along k), and so does the longest one perpendicular
    to it, of the outline's convex hull: the two of the WHO's criteria, the first that of RECIST 1.1.
    """

    voxels: int
    volume_ml: float
    diameter_axial_mm: float
    diameter_perpendicular_mm: float
    diameter_slice: int
    diameter_3d_mm: float


@dataclass(frozen=True)
class Position:
    """The centroid of a structure in LPS mm."""

    left_mm: float
    posterior_mm: float
    superior_mm: float


@dataclass(frozen=True)
class Intensity:
    """Values of the image in a structure, in its own unit (HU, Bq/ml, ...); the SD is that of all its voxels, p10
    and p90 are percentiles.
    """

    mean: float
    sd: float
    min: float
    p10: float
    median: float
    p90: float
    max: float


def shape_of(mask: np.ndarray, geometry: Geometry) -> Shape:
    """Measure a mask that has voxels. "Axial" is the plane of the slices, k."""
    voxels = int(np.count_nonzero(mask))
    axes = geometry.index_to_world[:3, :3]
    hulls = {k: _hull(_ends_of_rows(mask[k])) for k in np.flatnonzero(mask.any(axis=(1, 2))).tolist()}
    points = {k: np.column_stack([hull, np.full(len(hull), k)]) for k, hull in hulls.items()}
    lengths = {k: _longest(on_slice, axes, faces=2) for k, on_slice in points.items()}
    widest = max(lengths, key=lengths.__getitem__)
    return Shape(
        voxels=voxels,
        volume_ml=voxels * abs(float(np.linalg.det(axes))) / 1000,
        diameter_axial_mm=lengths[widest],
        diameter_perpendicular_mm=_perpendicular(hulls[widest], np.linalg.norm(axes[:, :2], axis=0)),
        diameter_slice=widest,
        diameter_3d_mm=_longest(np.concatenate(list(points.values())), axes, faces=3),
    )


def position_of(mask: np.ndarray, geometry: Geometry) -> Position:
    """Returns the centroid of a mask that has voxels."""
    counts = [mask.sum(axis=tuple(a for a in range(3) if a != axis)) for axis in (2, 1, 0)]
    index = [float(np.average(np.arange(len(count)), weights=count)) for count in counts]
    left, posterior, superior, _ = (geometry.index_to_world @ [*index, 1.0]).tolist()
    return Position(left, posterior, superior)


def intensity_of(mask: np.ndarray, values: np.ndarray) -> Intensity:
    """Of the image's `values` (k, j, i) in a mask that has voxels; NaN is no value, and all are NaN where none is."""
    inside = values[mask].astype(np.float64)
    inside = inside[~np.isnan(inside)] if not np.isnan(inside).all() else inside
    p10, median, p90 = np.percentile(inside, (10, 50, 90)).tolist()
    return Intensity(
        float(inside.mean()), float(inside.std()), float(inside.min()), p10, median, p90, float(inside.max())
    )


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


def _perpendicular(corners: np.ndarray, spacing: np.ndarray) -> float:
    """Longest chord in mm perpendicular to the longest diameter of a convex outline.

    `corners` are pixels (i, j) of `spacing` mm; the outline runs around their faces.
    """
    half = np.concatenate([np.eye(2), -np.eye(2)]) / 2
    outline = _hull(np.unique(((corners[:, None] + half) * spacing).reshape(-1, 2), axis=0))
    apart = outline[:, None] - outline
    first, second = np.unravel_index(int((apart**2).sum(axis=-1).argmax()), apart.shape[:2])
    along = apart[first, second] / np.linalg.norm(apart[first, second])
    x, y = outline @ along, outline @ [-along[1], along[0]]
    # The width of a convex outline bends at its corners alone, so that the widest place is at one of them.
    steps = np.roll(x, -1) - x
    share = (x[:, None] - x) / np.where(steps == 0, np.inf, steps)
    crossed = (share >= 0) & (share <= 1)
    heights = y + share * (np.roll(y, -1) - y)
    widths = np.where(crossed, heights, -np.inf).max(axis=1) - np.where(crossed, heights, np.inf).min(axis=1)
    return float(widths.max())
