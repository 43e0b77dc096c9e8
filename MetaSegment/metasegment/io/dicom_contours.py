"""Masks of one slice to closed polygons around them and back, in pixels. Knows nothing of DICOM.

Polygons run midway between the centres of inner and outer pixels, so that filling them gives the mask again.
"""

from __future__ import annotations

import numpy as np

from ..regrid import bounding_box

_EDGE = 0.5  # between 0 outside and 1 inside


def polygons_around(mask: np.ndarray) -> list[np.ndarray]:
    """Returns one closed polygon, float (n, 2) of (row, column), for each part of a boolean mask (rows, columns).

    Holes are joined to the outline by a channel of no width, the keyhole of DICOM PS3.3 C.8.8.6.3: readers that unite
    polygons and readers that subtract inner ones both understand it. The first point is not repeated.
    """
    from skimage.measure import find_contours, label

    if not mask.any():
        return []
    window = bounding_box(mask)
    corner = [span.start - 1 for span in window]
    polygons = []
    parts, count = label(mask[window], connectivity=1, return_num=True)
    for part in range(1, count + 1):
        framed = np.pad(parts == part, 1)  # open at no edge of the image
        outlines = [outline[:-1] + corner for outline in find_contours(framed.astype(np.float32), _EDGE)]
        outer, *holes = sorted(outlines, key=lambda outline: -area_of(outline))
        for hole in holes:
            outer = _joined(outer, hole)
        polygons.append(outer)
    return polygons


def filled(polygons: list[np.ndarray], shape: tuple[int, int]) -> np.ndarray:
    """Boolean mask (rows, columns) of the pixels whose centres lie in an odd number of the polygons.

    Scan lines, because libraries ask for each pixel and polygon, which takes minutes for the contours of large organs.
    """
    toggles = np.zeros((shape[0], shape[1] + 1), np.int64)
    for points in polygons:
        rows, columns = _crossings(points)
        inside = (rows >= 0) & (rows < shape[0])
        # From the first pixel right of an edge on, inside is outside and outside is inside.
        np.add.at(toggles, (rows[inside], np.ceil(columns[inside]).clip(0, shape[1]).astype(np.int64)), 1)
    return (toggles[:, :-1].cumsum(axis=1) % 2).astype(bool)


def _crossings(points: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Rows of pixels whose centre line an edge of the polygon crosses, and the column (float) where."""
    (y, x), (next_y, next_x) = points.T, np.roll(points, -1, axis=0).T
    first, end = (np.ceil(edge).astype(np.int64) for edge in (np.minimum(y, next_y), np.maximum(y, next_y)))
    count = end - first
    edge = np.repeat(np.arange(len(points)), count)
    rows = first[edge] + np.arange(len(edge)) - np.repeat(count.cumsum() - count, count)
    share = (rows - y[edge]) / (next_y - y)[edge]
    return rows, x[edge] + share * (next_x - x)[edge]


def area_of(polygon: np.ndarray) -> float:
    """Of a simple closed polygon (n, 2), by the shoelace formula."""
    (y, x), (next_y, next_x) = polygon.T, np.roll(polygon, -1, axis=0).T
    return abs(float((x * next_y - next_x * y).sum())) / 2


def length_of(polygon: np.ndarray) -> float:
    """Of a closed polygon's outline (n, 2)."""
    return float(np.linalg.norm(np.roll(polygon, -1, axis=0) - polygon, axis=1).sum())


def _joined(outer: np.ndarray, hole: np.ndarray) -> np.ndarray:
    """The outline, from its point nearest to the hole into the hole, once around and back."""
    distances = np.linalg.norm(outer[:, None] - hole[None], axis=-1)
    leave, enter = np.unravel_index(int(distances.argmin()), distances.shape)
    around = np.roll(hole, -int(enter), axis=0)
    return np.concatenate([outer[: leave + 1], around, around[:1], outer[leave:]])
