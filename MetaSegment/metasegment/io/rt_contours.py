"""Contours of one ROI to voxels of an image: on which of its slices each lies, and which are holes. Knows no file."""

from __future__ import annotations

import math
from collections.abc import Collection, Sequence
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
    """Voxels inside: boolean (k, j, i) of the `window` that holds them all; contours lie across the array's `axis`.
    `left_out` says in words which of them are on no slice.
    """

    mask: np.ndarray
    window: tuple[slice, ...]
    axis: int
    left_out: str = ""


def area_in(contours: Sequence[Contour], grid: Geometry) -> Area:
    """Returns the voxels of a grid whose centres lie inside.

    Contours beyond the image are cut off, and those between slices that have contours of their own left out. Raises
    OffSlices where none is on a slice, where slices would be missed, and for contours across the slices.
    """
    axis = _axis(contours, grid)
    order = [a for a in range(3) if a != axis]
    shape = [grid.shape[a] for a in order]
    to_index = np.linalg.inv(grid.index_to_world)
    slices: dict[int, list[tuple[np.ndarray, bool]]] = {}
    off: list[float] = []
    for contour in contours:
        index = (contour.points @ to_index[:3, :3].T + to_index[:3, 3])[:, ::-1]  # k, j, i
        position = _position(index[:, axis])
        nearest = round(position)
        if 0 <= nearest < grid.shape[axis] and abs(position - nearest) <= _OFF_SLICE:
            slices.setdefault(nearest, []).append((index[:, order], contour.is_xor))
        else:
            off.append(position)
    _refuse_missed(off, slices, grid.shape[axis], grid.spacing_kji[axis])
    mask = np.zeros(grid.shape, bool)
    for n, outlines in slices.items():
        np.moveaxis(mask, axis, 0)[n] = _plane(outlines, (shape[0], shape[1]))
    window = bounding_box(mask)
    left_out = f"{len(off)} of its {len(contours)} contours are beyond the image or between its slices" if off else ""
    return Area(mask[window].copy(), window, axis, left_out)


def _axis(contours: Sequence[Contour], grid: Geometry) -> int:
    """The axis along which most contours are flat: an image may be stored in another plane than it was drawn in."""
    to_index = np.linalg.inv(grid.index_to_world)[:3, :3]
    extents = [np.ptp(contour.points @ to_index.T, axis=0)[::-1] for contour in contours]
    return int(np.median(extents, axis=0).argmin())


def _position(positions: np.ndarray) -> float:
    """Of a contour along an axis, in slices, by its points."""
    middle = float(np.median(positions))
    if np.abs(positions - middle).max() > _FLAT:
        raise OffSlices("its contours are not on the image's slices but run across them")
    return middle


def _refuse_missed(off: Sequence[float], on: Collection[int], count: int, spacing: float) -> None:
    """Raise OffSlices where contours at positions `off` the slices tell of slices that have none of their own."""
    lowest, highest = min((*off, *on)), max((*off, *on))
    for position in off:
        beside = (math.floor(position), math.ceil(position))
        drawn = all(n in on for n in beside if 0 <= n < count and lowest <= n <= highest)
        if on and drawn:
            continue
        nearest = round(position)
        if not 0 <= nearest < count:
            beyond = -position if position < 0 else position - count + 1
            raise OffSlices(
                f"its contours are not all on the image's slices: one lies {beyond * spacing:.1f} mm beyond it"
            )
        raise OffSlices(
            "its contours are not on the image's slices: one lies "
            f"{abs(position - nearest) * spacing:.2f} mm beside the nearest of {spacing:.2f} mm"
        )


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
