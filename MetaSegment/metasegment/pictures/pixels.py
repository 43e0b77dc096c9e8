"""Pictures as float32 arrays (rows, columns, 3), 0...1: letters, outlines and panels, drawn in place or put together.

In numpy, so that no OpenGL is needed; letters come from VTK and are left out without it.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from ..io.files import written_beside
from ..structure import Color

GAP = 14  # pixels between panels
BLACK: Color = (0.0, 0.0, 0.0)
WHITE: Color = (0.92, 0.92, 0.92)
_FONT = 20
_MARGIN = 4  # pixels around letters
FAINT = 0.3  # opacity of a structure inside its contour


def save_png(path: str | Path, picture: np.ndarray) -> None:
    """Write a picture, complete or not at all; raises InputError where the file cannot be written."""
    import SimpleITK as sitk

    with written_beside(path) as draft:
        sitk.WriteImage(sitk.GetImageFromArray(np.rint(255 * picture).astype(np.uint8), isVector=True), str(draft))


def enlarged(plane: np.ndarray, rows: int, columns: int) -> np.ndarray:
    """Linear interpolation of a float32 plane at the centres of so many rows and columns of pixels."""
    for axis, pixels in enumerate((rows, columns)):
        last = plane.shape[axis] - 1
        at = np.clip((np.arange(pixels) + 0.5) * (last + 1) / pixels - 0.5, 0, last)
        low = at.astype(int)
        share = np.expand_dims((at - low).astype(np.float32), 1 - axis)
        plane = plane.take(low, axis) * (1 - share) + plane.take(np.minimum(low + 1, last), axis) * share
    return plane


def outline(picture: np.ndarray, mask: np.ndarray, color: Color, fill: float = FAINT) -> None:
    """Fill a structure with so much opacity and draw its contour, inside."""
    contour = mask & grown(grown(~mask))
    tint(picture, color, np.where(contour, 1, fill * mask))


def grown(plane: np.ndarray) -> np.ndarray:
    """Each pixel takes the largest value of itself and its four neighbours."""
    framed = np.pad(plane, 1)
    return np.maximum.reduce([plane, framed[:-2, 1:-1], framed[2:, 1:-1], framed[1:-1, :-2], framed[1:-1, 2:]])


def tint(pixels: np.ndarray, color: Color, opacity: float | np.ndarray) -> None:
    """Blend a colour into a view of the picture, in place."""
    pixels += np.expand_dims(np.asarray(opacity, np.float32), -1) * (np.array(color, np.float32) - pixels)


def write(picture: np.ndarray, text: str, at: tuple[float, float], color: Color) -> None:
    """Letters in place; `at` = (0, 0) is the upper left corner and (1, 1) the lower right. Cuts what does not fit."""
    letters = _letters(text)[: picture.shape[0], : picture.shape[1]]
    row, column = (round(f * (room - taken)) for f, room, taken in zip(at, picture.shape, letters.shape, strict=False))
    place = picture[row : row + letters.shape[0], column : column + letters.shape[1]]
    tint(place, BLACK, grown(letters))
    tint(place, color, letters)


def _letters(text: str) -> np.ndarray:
    """Coverage 0...1 (rows, columns) of a line of text, with a margin; empty where VTK is not installed."""
    try:
        import vtkmodules.vtkRenderingFreeType  # noqa: F401 (registers the fonts)
        from vtkmodules.util.numpy_support import vtk_to_numpy
        from vtkmodules.vtkCommonDataModel import vtkImageData
        from vtkmodules.vtkRenderingCore import vtkTextProperty, vtkTextRenderer
    except ImportError:
        return np.zeros((0, 0), np.float32)
    style, image, size = vtkTextProperty(), vtkImageData(), [0, 0]
    style.SetFontSize(_FONT)
    if not text or not vtkTextRenderer.GetInstance().RenderString(style, text, image, size, 72):
        return np.zeros((0, 0), np.float32)
    columns, rows, _ = image.GetDimensions()
    pixels = vtk_to_numpy(image.GetPointData().GetScalars()).reshape(rows, columns, 4)
    return np.pad(pixels[size[1] - 1 :: -1, : size[0], 3] / np.float32(255), _MARGIN)


def beside(parts: Sequence[np.ndarray]) -> np.ndarray:
    """Parts next to each other, their upper edges aligned."""
    rows = max(len(part) for part in parts)
    padded = [np.concatenate([part, blank(rows - len(part), part.shape[1])]) for part in parts]
    gap = blank(rows, GAP)
    return np.concatenate([piece for part in padded for piece in (part, gap)][:-1], axis=1)


def stacked(parts: Sequence[np.ndarray], width: int) -> np.ndarray:
    """Parts below each other in a picture of so many columns, each in the middle."""
    rows = []
    for part in parts:
        free = width - part.shape[1]
        rows += [blank(len(part), free // 2), part, blank(len(part), free - free // 2)]
    lines = [np.concatenate(rows[n : n + 3], axis=1) for n in range(0, len(rows), 3)]
    return np.concatenate([piece for line in lines for piece in (line, blank(GAP, width))])


def blank(rows: int, columns: int) -> np.ndarray:
    """Returns a black panel."""
    return np.full((rows, columns, 3), BLACK, np.float32)
