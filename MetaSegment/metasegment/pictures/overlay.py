"""One PNG that shows a segmentation: three planes with the labels on them, two 3D views and a legend.

Composed in numpy, so that it needs no OpenGL; letters and surfaces come from VTK and are left out without it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from ..annotation import AnnotatedSlice
from ..export import default_color, default_name
from ..structure import Color
from ..volume import Volume
from .pixels import GAP, WHITE, beside, blank, save_png, stacked, tint, write
from .planes import VIEWED, Scene, View, draw_outline, most_telling, section, shaded, upright
from .surface import render_surfaces
from .vtk_child import NoDrawing

_WIDTH = 1600  # pixels of the whole picture; everything below is in pixels too
_PLANE_HEIGHT = 620  # at most
_VIEWS = (500, 1130)  # rows and columns of the two 3D views together
_TITLE = 32  # rows above a plane for its name
_LINE = 36  # rows of a line of the legend, fewer where there are many
_LEAST_LINE = 28  # holds the letters
_MARK = 0.6  # opacity of the line that marks an annotated slice
_YELLOW: Color = (1.0, 0.85, 0.2)


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
    scene = upright(volume, labels, slices, window)
    shown = sorted({*np.flatnonzero(scene.areas[0].any(axis=0)).tolist(), *names} - {0})
    names = {label: names.get(label, default_name(label)) for label in shown}
    colors = {label: colors.get(label, default_color(label)) for label in shown}
    planes = beside([_plane(scene, view, colors) for view in VIEWED])
    legend = _legend(scene, names, colors)
    missing = None
    try:
        lower = beside([_surfaces(scene, colors), legend])
    except NoDrawing as reason:
        missing, lower = str(reason), legend
    save_png(path, stacked([planes, lower], _WIDTH))
    return missing


def _plane(scene: Scene, view: View, colors: Mapping[int, Color]) -> np.ndarray:
    """The plane with contours, marks, sides and name; float32 (rows, columns, 3), 0...1."""
    millimetres = np.multiply(scene.image.shape, scene.spacing)
    scale = _pixels_per_mm(millimetres)
    rows, columns = (max(int(scale * millimetres[axis]), 1) for axis in (view.rows, view.columns))
    index = most_telling(scene.areas[view.across], scene.marks[view.across])
    upside_down = view.rows == 0  # the head is up, and row 0 too
    image, labels = section(scene, view, index)
    picture = shaded(image, scene.window, rows, columns)
    for mark in scene.marks[view.rows]:
        row = int((mark + 0.5) / scene.image.shape[view.rows] * rows)
        tint(picture[rows - 1 - row if upside_down else row], _YELLOW, _MARK)
    for mark in scene.marks[view.columns]:
        tint(picture[:, int((mark + 0.5) / scene.image.shape[view.columns] * columns)], _YELLOW, _MARK)
    for label, color in colors.items():
        draw_outline(picture, labels == label, color)
    for side, at in zip(view.sides, ((0, 0.5), (1, 0.5), (0.5, 0), (0.5, 1)), strict=True):
        write(picture, side, at, WHITE)
    title = blank(_TITLE, columns)
    write(title, view.name, (0.5, 0), WHITE)
    return np.concatenate([title, picture])


def _pixels_per_mm(millimetres: np.ndarray) -> float:
    """One scale for the three planes, so that they fit side by side."""
    head, back, left = millimetres
    width = _WIDTH - (len(VIEWED) - 1) * GAP
    return float(min(width / (left + left + back), _PLANE_HEIGHT / max(back, head)))


def _surfaces(scene: Scene, colors: Mapping[int, Color]) -> np.ndarray:
    """The two 3D views, each with its name."""
    views = render_surfaces(scene.labels, scene.spacing, colors, _VIEWS) / np.float32(255)
    title = blank(_TITLE, _VIEWS[1])
    for n, name in enumerate(("from the front", "from behind")):
        write(title[:, n * _VIEWS[1] // 2 :], name, (0.5, 0), WHITE)
    return np.concatenate([title, views])


def _legend(scene: Scene, names: Mapping[int, str], colors: Mapping[int, Color]) -> np.ndarray:
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
