"""The regions of interest that a structure set holds: name, colour, frame of reference, closed contours.

Points and open lines are no areas and are not among them.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from ..errors import InputError
from ..structure import GREY, Color
from .rt_contours import Contour

if TYPE_CHECKING:
    from pydicom import Dataset

#: PS3.3 C.8.8.6.1. Some systems write those between drawn ones as INTERPOLATED_PLANAR, some write no type at all.
_CLOSED = ("CLOSED_PLANAR", "CLOSEDPLANAR_XOR", "INTERPOLATED_PLANAR", "")
_XOR = "CLOSEDPLANAR_XOR"
_FEWEST_POINTS = 3


@dataclass(frozen=True, eq=False)
class Roi:
    """`frame` is the identifier of its coordinate system, empty where not told."""

    name: str
    color: Color
    frame: str
    contours: tuple[Contour, ...]


def rois_in(dataset: Dataset) -> Iterator[Roi]:
    """In the order of their contours."""
    named = {_number(roi, "ROINumber"): roi for roi in dataset.get("StructureSetROISequence") or ()}
    for position, item in enumerate(dataset.get("ROIContourSequence") or (), start=1):
        number = _number(item, "ReferencedROINumber", position)
        roi = named.get(number)
        name = "" if roi is None else _name(roi)
        frame = "" if roi is None else str(roi.get("ReferencedFrameOfReferenceUID") or "")
        contours = tuple(_contours(name or f"ROI {number}", item))
        yield Roi(name or f"ROI {number}", _color(item), frame, contours)


def _number(item: Dataset, keyword: str, otherwise: int = -1) -> int:
    try:
        return int(item.get(keyword))
    except (TypeError, ValueError):
        return otherwise


def _name(roi: Dataset) -> str:
    """As it was meant where the set does not tell its characters: many systems write UTF-8 all the same."""
    text = str(roi.get("ROIName") or "").strip()
    try:
        return text.encode("latin-1").decode("utf-8")
    except UnicodeError:
        return text


def _color(item: Dataset) -> Color:
    """Grey where it cannot be read: a colour is no reason to lose a structure."""
    try:
        red, green, blue = (min(255, max(0, int(float(part)))) / 255 for part in item.get("ROIDisplayColor") or ())
    except (TypeError, ValueError, OverflowError):
        return GREY
    return red, green, blue


def _contours(name: str, item: Dataset) -> Iterator[Contour]:
    for contour in item.get("ContourSequence") or ():
        kind = str(contour.get("ContourGeometricType") or "").strip().upper()
        values = contour.get("ContourData")
        numbers = np.array([] if values is None else values, np.float64).ravel()
        if kind not in _CLOSED or len(numbers) < 3 * _FEWEST_POINTS:
            continue
        if len(numbers) % 3 or not np.isfinite(numbers).all():
            raise InputError(f"structure '{name}' has a contour that is damaged: {len(numbers)} numbers")
        yield Contour(numbers.reshape(-1, 3), kind == _XOR)
