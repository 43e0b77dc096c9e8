"""Contours of one ROI to voxels of an image: on which of its slices each lies, and which are holes. Knows no file."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ..regrid import bounding_box
from ..volume import Geometry
from .dicom_contours import area_of, filled, length_of

#: Slices that a contour may lie beside the one it is taken to. Planning systems round to 0.01 mm, some image headers to
#: tenths; half a slice could be another one.
_OFF_SLICE = 0.25
_SAME = 0.5  # pixels between two outlines of one contour that was drawn or sent twice
_FLAT = 0.25  # slices that points of a contour may lie apart


@dataclass(frozen=True, eq=False)
class Contour:
    """A closed polygon, float (n, 3) in LPS mm; `is_xor` where the standard says that what is in two is in none."""

    points: np.ndarray
    is_xor: bool = False


class OffSlices(Exception):
    """A contour is on no slice of the image, in words."""


@dataclass(frozen=True, eq=False)
class Area:
    """Voxels inside: boolean (k, j, i) of the `window` that holds them all; contours lie across the array's `axis`."""

    mask: np.ndarray
    window: tuple[slice, ...]
    axis: int


def area_in(contours: Sequence[Contour], grid: Geometry) -> Area:
    """Returns the voxels of a grid whose centres lie inside.

    Raises OffSlices for contours beyond the image, between its slices or across them.
    """
    axis = _axis(contours, grid)
    order = [a for a in range(3) if a != axis]
    shape = [grid.shape[a] for a in order]
    to_index = np.linalg.inv(grid.index_to_world)
    slices: dict[int, list[tuple[np.ndarray, bool]]] = {}
    for contour in contours:
        index = (contour.points @ to_index[:3, :3].T + to_index[:3, 3])[:, ::-1]  # k, j, i
        n = _slice(index[:, axis], grid.shape[axis], grid.spacing_kji[axis])
        slices.setdefault(n, []).append((index[:, order], contour.is_xor))
    mask = np.zeros(grid.shape, bool)
    for n, outlines in slices.items():
        np.moveaxis(mask, axis, 0)[n] = _plane(outlines, (shape[0], shape[1]))
    window = bounding_box(mask)
    return Area(mask[window].copy(), window, axis)


def _axis(contours: Sequence[Contour], grid: Geometry) -> int:
    """The axis along which most contours are flat: an image may be stored in another plane than it was drawn in."""
    to_index = np.linalg.inv(grid.index_to_world)[:3, :3]
    extents = [np.ptp(contour.points @ to_index.T, axis=0)[::-1] for contour in contours]
    return int(np.median(extents, axis=0).argmin())


def _slice(positions: np.ndarray, count: int, spacing: float) -> int:
    """Index of the slice at positions along an axis, in slices."""
    middle = float(np.median(positions))
    if np.abs(positions - middle).max() > _FLAT:
        raise OffSlices("its contours are not on the image's slices but run across them")
    nearest = round(middle)
    if not 0 <= nearest < count:
        beyond = -middle if middle < 0 else middle - count + 1
        raise OffSlices(f"its contours are not all on the image's slices: one lies {beyond * spacing:.1f} mm beyond it")
    if abs(middle - nearest) > _OFF_SLICE:
        raise OffSlices(
            "its contours are not on the image's slices: one lies "
            f"{abs(middle - nearest) * spacing:.2f} mm beside the nearest of {spacing:.2f} mm"
        )
    return nearest


def _plane(outlines: Sequence[tuple[np.ndarray, bool]], shape: tuple[int, int]) -> np.ndarray:
    """Union of the outlines (n, 2), without those that lie within another: holes, and in holes what is inside again."""
    result = filled([points for points, is_xor in outlines if is_xor], shape)
    plain = sorted((points for points, is_xor in outlines if not is_xor), key=lambda points: -area_of(points))
    placed: list[tuple[np.ndarray, np.ndarray]] = []
    for points in plain:
        mask = filled([points], shape)
        around = [outer for outer, inside in placed if not (mask & ~inside).any() and mask.any()]
        if any(_is_same(points, outer) for outer in around):
            continue
        if len(around) % 2:
            result &= ~mask
        else:
            result |= mask
        placed.append((points, mask))
    return result


def _is_same(one: np.ndarray, outer: np.ndarray) -> bool:
    """Whether two outlines, one inside the other, are half a pixel apart or less, on average."""
    return 2 * (area_of(outer) - area_of(one)) <= _SAME * (length_of(outer) + length_of(one))
