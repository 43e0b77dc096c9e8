"""How far an answer reaches along each axis of the volume, and how sure it is there."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from metasegment.segmentation import Segmentation

#: Voxels that are left out along the other two axes: a profile need not look at each.
_STEP = 2


@dataclass(frozen=True, eq=False)
class AnswerProfile:
    """For each axis (k, j, i), the plane at which the answer's region starts, whether a structure is on each plane of
    it (bool), and the mean uncertainty of the structures' voxels there (0 sure … 1 even odds).
    """

    starts: tuple[int, int, int]
    isThere: tuple[np.ndarray, np.ndarray, np.ndarray]
    uncertainty: tuple[np.ndarray, np.ndarray, np.ndarray]

    def at(self, axis: int, first: int, last: int) -> tuple[bool, float]:
        """Whether a structure is on any plane from `first` up to `last`, and the greatest uncertainty there."""
        part = slice(max(0, first - self.starts[axis]), max(0, last - self.starts[axis]))
        return bool(self.isThere[axis][part].any()), float(self.uncertainty[axis][part].max(initial=0.0))

    def relative(self, axis: int, uncertainty: float) -> float:
        """Where an uncertainty lies among those along an axis: 0 at most the median … 1 the greatest."""
        known = self.uncertainty[axis][self.isThere[axis]]
        middle, greatest = np.median(known), known.max()
        return float(np.clip((uncertainty - middle) / max(greatest - middle, 1e-6), 0, 1))


def leastSurePlane(answer: Segmentation, label: int, axis: int) -> int | None:
    """The index of the plane across an axis on which a structure is least sure; None where it has no voxel."""
    region = answer.map.region
    isThere, unsure = _along(axis, answer.labels[tuple(region)] == label, answer.map.uncertainty)
    return int(region[axis].start + unsure.argmax()) if isThere.any() else None


def profileOf(answer: Segmentation) -> AnswerProfile:
    """Look along the three axes of an answer."""
    region = answer.map.region
    found = answer.labels[tuple(region)] > 0
    along = []
    for axis in range(3):
        step = tuple(slice(None, None, 1 if a == axis else _STEP) for a in range(3))
        along.append(_along(axis, found[step], answer.map.uncertainty[step]))
    isThere, unsure = zip(*along, strict=True)
    return AnswerProfile(tuple(part.start for part in region), isThere, unsure)


def _along(axis: int, found: np.ndarray, uncertainty: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """For each plane across an axis, whether a voxel is `found` (k, j, i) there, and the mean uncertainty of those."""
    others = tuple(a for a in range(3) if a != axis)
    voxels = found.sum(others)
    return voxels > 0, (uncertainty * found).sum(others) / np.maximum(voxels, 1)
