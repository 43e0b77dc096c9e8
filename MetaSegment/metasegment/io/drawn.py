"""What a DICOM object says about the voxels of an image, whatever its kind."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..structure import Segment
from ..volume import Geometry

_BACKGROUND = 255  # of an annotation


@dataclass(frozen=True, eq=False)
class Drawn:
    """Labels uint8 (k, j, i) in the numbering of annotations: 1...254 structures, 255 background on every plane that
    carries a structure, 0 on the others; `segments` are the structures drawn, `notes` tell what was left out.
    """

    labels: np.ndarray
    geometry: Geometry
    segments: tuple[Segment, ...]
    notes: tuple[str, ...] = ()


def with_background(labels: np.ndarray, axis: int = 0) -> np.ndarray:
    """Returns labels (k, j, i) with 255 for 0 on every plane across `axis` that carries one: what is drawn on is all
    drawn.
    """
    result = labels.copy()
    for plane in np.moveaxis(result, axis, 0):
        if plane.any():
            plane[plane == 0] = _BACKGROUND
    return result
