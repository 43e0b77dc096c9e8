"""Whether 255 in a label map is the background of an annotation, or a structure as in masks of 0 and 255."""

from __future__ import annotations

from collections.abc import Collection

import numpy as np

from ..annotation import BACKGROUND, full_planes, known_outside
from ..errors import InputError
from ..regrid import label_counts


def finished(labels: np.ndarray) -> tuple[np.ndarray, tuple[str, ...]]:
    """Returns labels uint8 (k, j, i) of a segmentation, changed in place, 0 = background, and what was renumbered, in
    words.

    In an annotation 255 fills the annotated slices, so that they have no 0. Elsewhere it is a structure, and gets the
    lowest free number.
    """
    mask = labels == BACKGROUND
    if not mask.any() or is_annotation(labels):
        return without_background(labels), ()
    number = free_label(labels)
    labels[mask] = number
    return labels, (f"label 255 became {number}: in annotations 255 means background",)


def free_label(labels: np.ndarray, taken: Collection[int] = ()) -> int:
    """Returns the lowest of 1...254 that no voxel has and that is not `taken`; raises InputError where there
    is none.
    """
    counts = label_counts(labels)
    free = [label for label in range(1, BACKGROUND) if not counts[label] and label not in taken]
    if not free:
        raise InputError("labels 1 to 255 are all in use; keep at most 254 structures")
    return free[0]


def without_background(labels: np.ndarray) -> np.ndarray:
    """0 for 255, in place."""
    labels[labels == BACKGROUND] = 0
    return labels


def is_annotation(labels: np.ndarray) -> bool:
    """Tells whether 255 is on a plane without an unknown voxel, or all that is known is one oblique sheet."""
    planes = full_planes(labels)
    if any((labels.take(plane.index, plane.axis) == BACKGROUND).any() for plane in planes):
        return True
    positions = np.unravel_index(known_outside(labels, planes), labels.shape)
    for axis in range(3):
        across = [positions[a] for a in range(3) if a != axis]
        lines = np.ravel_multi_index(across, [labels.shape[a] for a in range(3) if a != axis])
        if len(np.unique(lines)) == len(lines):
            return True
    return False
