"""Where a plane is, in the words of the slice views: its number and its place in the patient."""

from __future__ import annotations

import numpy as np
from slicer.i18n import tr as _

from .VolumeGrid import Plane, VolumeGrid

#: Letters of the patient's directions along R, A, S: negative and positive.
_LETTERS = (("L", "R"), ("P", "A"), ("I", "S"))


def positionOf(grid: VolumeGrid, plane: Plane) -> str:
    """Number of a plane and its offset, such as "46/96 · S 12.5 mm"; numbers begin at 1 as in image viewers."""
    axis, index = plane
    column = 2 - axis
    direction = int(np.abs(grid.ijkToWorld[:3, column]).argmax())
    offset = float(grid.centerOf(plane)[direction])
    letter = _LETTERS[direction][int(offset >= 0)]
    text = _("{number}/{count} · {letter} {offset:.1f} mm")
    return text.format(number=index + 1, count=grid.shape[axis], letter=letter, offset=abs(offset))
