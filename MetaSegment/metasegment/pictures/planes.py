"""Planes of a volume with its labels, the right way round for a radiologist: what to show, and how bright.

Nothing is resampled but to pixels; draws neither letters nor panels (`picture`).
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ..annotation import AnnotatedSlice
from ..structure import Color
from ..volume import Volume, is_ct
from .pixels import FAINT, blank, enlarged, outline

ABDOMEN = (40.0, 400.0)  # level and width in HU: the usual window for soft tissue of the abdomen

_THINNING = 4  # every 4th voxel along each axis tells the range of intensities


@dataclass(frozen=True, eq=False)
class Scene:
    """Image and labels with axes that run to the head, the back and the left, spacing in mm along them.

    `areas` count the voxels of each label on each plane across an axis, (planes, 256); `marks` are the annotated
    slices along each axis; `window` is the lowest and highest intensity shown.
    """

    image: np.ndarray
    labels: np.ndarray
    spacing: tuple[float, float, float]
    areas: tuple[np.ndarray, ...]
    marks: tuple[frozenset[int], ...]
    window: tuple[float, float]


@dataclass(frozen=True)
class View:
    """How a plane across an axis of the scene is shown: what is up, down, left and right on the screen."""

    name: str
    across: int
    rows: int
    columns: int
    sides: tuple[str, str, str, str]


VIEWED = (
    View("axial", 0, 1, 2, ("A", "P", "R", "L")),
    View("coronal", 1, 0, 2, ("S", "I", "R", "L")),
    View("sagittal", 2, 0, 1, ("S", "I", "A", "P")),
)


def upright(
    volume: Volume, labels: np.ndarray, slices: Sequence[AnnotatedSlice], window: tuple[float, float] | None
) -> Scene:
    """Returns the scene along the axes nearest to the patient's; nothing is resampled."""
    toward = np.reshape(volume.geometry.direction, (3, 3))[::-1, ::-1]  # head, back, left of axes k, j, i
    order = max(itertools.permutations(range(3)), key=lambda axes: float(np.abs(toward[range(3), axes]).sum()))
    steps = tuple(-1 if toward[side, axis] < 0 else 1 for side, axis in enumerate(order))
    turned = tuple(slice(None, None, step) for step in steps)
    upright = labels.transpose(order)[turned]
    shape, spacing = volume.array.shape, volume.geometry.spacing_kji
    return Scene(
        volume.array.transpose(order)[turned],
        upright,
        (spacing[order[0]], spacing[order[1]], spacing[order[2]]),
        tuple(_areas(upright, axis) for axis in range(3)),
        tuple(
            frozenset(s.index if step > 0 else shape[axis] - 1 - s.index for s in slices if s.axis == axis)
            for axis, step in zip(order, steps, strict=True)
        ),
        _shown_range(volume.array, window),
    )


def looks_like_ct(image: np.ndarray) -> bool:
    """Tells whether some voxels are as dark as air is in Hounsfield units."""
    return is_ct(float(_thinned(image).min()))


def _thinned(image: np.ndarray) -> np.ndarray:
    return image[::_THINNING, ::_THINNING, ::_THINNING]


def _shown_range(image: np.ndarray, window: tuple[float, float] | None) -> tuple[float, float]:
    if window is None and not looks_like_ct(image):
        lowest, highest = np.percentile(_thinned(image), (1, 99.5))
        return float(lowest), float(max(highest, lowest + 1e-6))
    level, width = window or ABDOMEN
    return level - width / 2, level + width / 2


def section(scene: Scene, view: View, index: int) -> tuple[np.ndarray, np.ndarray]:
    """Returns image and labels of a plane (rows, columns) as they are seen."""
    step = -1 if view.rows == 0 else 1  # the head is up, and row 0 too
    image, labels = (array.take(index, view.across)[::step] for array in (scene.image, scene.labels))
    return image, labels


def shaded(image: np.ndarray, window: tuple[float, float], rows: int, columns: int) -> np.ndarray:
    """Returns a picture of a plane: black at the lower end of the window, white at the upper."""
    low, high = window
    grey = np.clip((image.astype(np.float32) - low) / (high - low), 0, 1)
    return np.repeat(enlarged(grey, rows, columns)[..., None], 3, axis=2)


def draw_outline(picture: np.ndarray, mask: np.ndarray, color: Color, fill: float = FAINT) -> None:
    """Draws the outline of a plane's mask over the picture of the plane, in place; filled with so much opacity."""
    outline(picture, enlarged(mask.astype(np.float32), *picture.shape[:2]) > 0.5, color, fill)


def around(mask: np.ndarray, spacing: Sequence[float], margin: float, least: float) -> tuple[slice, slice]:
    """Returns a square (in mm) around a plane's mask as far as the plane goes, the middle where the mask is empty.

    It is wider than the mask by `margin` times its extent on each side, and at least `least` mm wide.
    """
    places = np.argwhere(mask) if mask.any() else np.array([np.array(mask.shape) // 2])
    first, last = places.min(axis=0), places.max(axis=0) + 1
    reach = max((1 + 2 * margin) * float(np.max((last - first) * spacing)), least) / 2
    window = []
    for low, high, mm, length in zip(first, last, spacing, mask.shape, strict=True):
        middle, half = (low + high) / 2, reach / mm
        window.append(slice(max(0, round(middle - half)), min(length, round(middle + half))))
    return window[0], window[1]


def fitting(millimetres: np.ndarray, side: int) -> tuple[int, int]:
    """Returns rows and columns of pixels of a plane so large (mm) in a square of `side` pixels."""
    rows, columns = (max(1, round(mm * side / max(millimetres))) for mm in millimetres)
    return rows, columns


def squared(picture: np.ndarray, side: int) -> np.ndarray:
    """In the middle of a black square, where the image's edge cut the window."""
    square = blank(side, side)
    rows, columns = ((side - n) // 2 for n in picture.shape[:2])
    square[rows : rows + picture.shape[0], columns : columns + picture.shape[1]] = picture
    return square


def most_telling(areas: np.ndarray, annotated: frozenset[int]) -> int:
    """Returns the plane with the largest sections of the structures, each relative to its largest; annotated
    ones last.
    """
    structures = areas[:, 1:]
    if not structures.any():
        return len(areas) // 2
    told = (structures / np.maximum(structures.max(axis=0), 1)).sum(axis=1)
    free = told.copy()
    free[list(annotated)] = 0
    return int((free if free.any() else told).argmax())


def _areas(labels: np.ndarray, axis: int) -> np.ndarray:
    """Voxels of each label on each plane across an axis, (planes, 256); nothing large is copied."""
    return np.stack([np.bincount(labels.take(n, axis).ravel(), minlength=256) for n in range(labels.shape[axis])])
