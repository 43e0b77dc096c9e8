"""A drawn oblique slice to the voxels of a grid that it passes through. Knows nothing of labels."""

from __future__ import annotations

import numpy as np

from .errors import InputError
from .volume import Geometry


def digital_plane(
    affine: np.ndarray, drawn_shape: tuple[int, int], geometry: Geometry
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Returns voxels of a drawn slice: flat int64 indices (sorted), and the row and column nearest to each.

    `drawn_shape` is its number of rows and columns; `affine` (4, 4) takes a pixel (row, column, 0, 1) to
    LPS mm; its third column is not used. This is the naive digital plane (Andres, Acharya, Sibata, Discrete
    analytical hyperplanes, 1997): along the grid axis that the plane crosses most steeply every line of
    voxels gives exactly one, so the sheet has no holes and no double layers. Raises InputError for an
    affine that spans no plane.
    """
    # In array index space (k, j, i) a voxel is a unit cube and the plane is still a plane.
    to_index = np.linalg.inv(geometry.index_to_world)[[2, 1, 0]] @ affine
    row, column, corner = to_index[:, 0], to_index[:, 1], to_index[:, 3]
    normal = np.cross(row, column)
    if not np.isfinite(to_index).all() or np.linalg.norm(normal) == 0:
        raise InputError("the affine of an oblique slice must take rows and columns to two different directions")
    steep = int(np.abs(normal).argmax())
    others = [axis for axis in range(3) if axis != steep]
    points = np.empty((3, *(geometry.shape[axis] for axis in others)))
    points[others] = np.indices(points.shape[1:])
    offset = points[others] - corner[others, None, None]
    points[steep] = corner[steep] - np.tensordot(normal[others], offset, 1) / normal[steep]
    to_pixel = np.linalg.pinv(np.stack([row, column], axis=1))
    pixels = np.tensordot(to_pixel, points - corner[:, None, None], 1)
    inside = _on_axis(points[steep], geometry.shape[steep])
    inside &= _on_axis(pixels[0], drawn_shape[0]) & _on_axis(pixels[1], drawn_shape[1])
    rows, columns = np.rint(pixels[:, inside]).astype(np.int64)
    flat = np.ravel_multi_index(tuple(np.rint(points[:, inside]).astype(np.int64)), geometry.shape)
    order = np.argsort(flat)
    return flat[order], rows[order], columns[order]


def _on_axis(positions: np.ndarray, length: int) -> np.ndarray:
    """Whether positions round to an index of an axis of that length."""
    nearest = np.rint(positions)
    return (nearest >= 0) & (nearest < length)
