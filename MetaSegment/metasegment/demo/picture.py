"""One PNG that shows a segmentation: three planes with the labels on them, two 3D views and a legend.

Composed in numpy, so that it needs no OpenGL; letters and surfaces come from VTK and are left out without it.
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ..annotation import AnnotatedSlice
from ..export import default_color, default_name
from ..seg_nrrd import Color
from ..volume import Volume
from .pixels import GAP, WHITE, beside, blank, enlarged, outline, save_png, stacked, tint, write
from .surface import render_surfaces
from .vtk_child import NoDrawing

ABDOMEN = (40.0, 400.0)  # level and width in HU: the usual window for soft tissue of the abdomen

_WIDTH = 1600  # pixels of the whole picture; everything below is in pixels too
_PLANE_HEIGHT = 620  # at most
_VIEWS = (500, 1130)  # rows and columns of the two 3D views together
_TITLE = 32  # rows above a plane for its name
_LINE = 36  # rows of a line of the legend, fewer where there are many
_LEAST_LINE = 28  # holds the letters
_MARK = 0.6  # opacity of the line that marks an annotated slice
_YELLOW: Color = (1.0, 0.85, 0.2)
_CT_ONLY = -500  # HU: other modalities have no voxels this dark
_THINNING = 4  # every 4th voxel along each axis tells the range of intensities


@dataclass(frozen=True, eq=False)
class _Scene:
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
class _View:
    """How a plane across an axis of the scene is shown: what is up, down, left and right on the screen."""

    name: str
    across: int
    rows: int
    columns: int
    sides: tuple[str, str, str, str]


_VIEWED = (
    _View("axial", 0, 1, 2, ("A", "P", "R", "L")),
    _View("coronal", 1, 0, 2, ("S", "I", "R", "L")),
    _View("sagittal", 2, 0, 1, ("S", "I", "A", "P")),
)


def save_overlay(
    path: str | Path,
    volume: Volume,
    labels: np.ndarray,
    names: Mapping[int, str],
    colors: Mapping[int, Color],
    slices: Sequence[AnnotatedSlice],
    window: tuple[float, float] | None = None,
) -> str | None:
    """Write a PNG of the segmentation `labels` (uint8, on the volume's grid) in radiological orientation.

    The planes are those that show the most of the structures without being annotated; lines mark the annotated
    slices that cross them. Oblique volumes are shown along their own axes. `window` is level and width; without
    it a CT gets that of the abdomen and anything else its own range.

    Returns why there are no 3D views, in one line, or None where there are. Raises InputError where the file
    cannot be written.
    """
    scene = _upright(volume, labels, slices, window)
    shown = sorted({*np.flatnonzero(scene.areas[0].any(axis=0)).tolist(), *names} - {0})
    names = {label: names.get(label, default_name(label)) for label in shown}
    colors = {label: colors.get(label, default_color(label)) for label in shown}
    planes = beside([_plane(scene, view, colors) for view in _VIEWED])
    legend = _legend(scene, names, colors)
    missing = None
    try:
        lower = beside([_surfaces(scene, colors), legend])
    except NoDrawing as reason:
        missing, lower = str(reason), legend
    save_png(path, stacked([planes, lower], _WIDTH))
    return missing


def _upright(
    volume: Volume, labels: np.ndarray, slices: Sequence[AnnotatedSlice], window: tuple[float, float] | None
) -> _Scene:
    """The scene along the axes nearest to the patient's; nothing is resampled."""
    toward = np.reshape(volume.geometry.direction, (3, 3))[::-1, ::-1]  # head, back, left of axes k, j, i
    order = max(itertools.permutations(range(3)), key=lambda axes: float(np.abs(toward[range(3), axes]).sum()))
    steps = tuple(-1 if toward[side, axis] < 0 else 1 for side, axis in enumerate(order))
    turned = tuple(slice(None, None, step) for step in steps)
    upright = labels.transpose(order)[turned]
    shape, spacing = volume.array.shape, volume.geometry.spacing_kji
    return _Scene(
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


def _shown_range(image: np.ndarray, window: tuple[float, float] | None) -> tuple[float, float]:
    sample = image[::_THINNING, ::_THINNING, ::_THINNING]
    if window is None and sample.min() > _CT_ONLY:
        lowest, highest = np.percentile(sample, (1, 99.5))
        return float(lowest), float(max(highest, lowest + 1e-6))
    level, width = window or ABDOMEN
    return level - width / 2, level + width / 2


def _plane(scene: _Scene, view: _View, colors: Mapping[int, Color]) -> np.ndarray:
    """The plane with contours, marks, sides and name; float32 (rows, columns, 3), 0...1."""
    millimetres = np.multiply(scene.image.shape, scene.spacing)
    scale = _pixels_per_mm(millimetres)
    rows, columns = (max(int(scale * millimetres[axis]), 1) for axis in (view.rows, view.columns))
    index = _most_telling(scene.areas[view.across], scene.marks[view.across])
    upside_down = view.rows == 0  # the head is up, and row 0 too
    image, labels = (
        array.take(index, view.across)[:: -1 if upside_down else 1] for array in (scene.image, scene.labels)
    )
    low, high = scene.window
    grey = np.clip((image.astype(np.float32) - low) / (high - low), 0, 1)
    picture = np.repeat(enlarged(grey, rows, columns)[..., None], 3, axis=2)
    for mark in scene.marks[view.rows]:
        row = int((mark + 0.5) / scene.image.shape[view.rows] * rows)
        tint(picture[rows - 1 - row if upside_down else row], _YELLOW, _MARK)
    for mark in scene.marks[view.columns]:
        tint(picture[:, int((mark + 0.5) / scene.image.shape[view.columns] * columns)], _YELLOW, _MARK)
    for label, color in colors.items():
        outline(picture, enlarged((labels == label).astype(np.float32), rows, columns) > 0.5, color)
    for side, at in zip(view.sides, ((0, 0.5), (1, 0.5), (0.5, 0), (0.5, 1)), strict=True):
        write(picture, side, at, WHITE)
    title = blank(_TITLE, columns)
    write(title, view.name, (0.5, 0), WHITE)
    return np.concatenate([title, picture])


def _pixels_per_mm(millimetres: np.ndarray) -> float:
    """One scale for the three planes, so that they fit side by side."""
    head, back, left = millimetres
    width = _WIDTH - (len(_VIEWED) - 1) * GAP
    return float(min(width / (left + left + back), _PLANE_HEIGHT / max(back, head)))


def _most_telling(areas: np.ndarray, annotated: frozenset[int]) -> int:
    """The plane with the largest sections of the structures, each relative to its largest; annotated ones last."""
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


def _surfaces(scene: _Scene, colors: Mapping[int, Color]) -> np.ndarray:
    """The two 3D views, each with its name."""
    views = render_surfaces(scene.labels, scene.spacing, colors, _VIEWS) / np.float32(255)
    title = blank(_TITLE, _VIEWS[1])
    for n, name in enumerate(("from the front", "from behind")):
        write(title[:, n * _VIEWS[1] // 2 :], name, (0.5, 0), WHITE)
    return np.concatenate([title, views])


def _legend(scene: _Scene, names: Mapping[int, str], colors: Mapping[int, Color]) -> np.ndarray:
    """Name, colour and volume of each structure, and what the lines on the planes mean."""
    millilitres = scene.areas[0].sum(axis=0) * np.prod(scene.spacing) / 1000
    lines = [(names[label], color, f"{_rounded(millilitres[label])} ml") for label, color in colors.items()]
    if any(scene.marks):
        lines.append(("annotated slice", _YELLOW, ""))
    height = min(max(_VIEWS[0] // max(len(lines), 1), _LEAST_LINE), _LINE)
    width = _WIDTH - _VIEWS[1] - GAP
    drawn = [blank(_TITLE, width)]
    for name, color, amount in lines:
        line = blank(height, width)
        thick = height // 4 if amount else 1
        line[height // 2 - thick : height // 2 + thick, GAP : 3 * GAP] = color
        write(line[:, 4 * GAP : -GAP], amount, (0.5, 1), WHITE)
        write(line[:, 4 * GAP : -8 * GAP], name, (0.5, 0), WHITE)
        drawn.append(line)
    return np.concatenate(drawn)


def _rounded(millilitres: float) -> str:
    return f"{millilitres:,.0f}" if millilitres >= 10 else f"{millilitres:.2g}"
