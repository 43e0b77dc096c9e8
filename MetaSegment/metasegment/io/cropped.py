"""Slices that were annotated on a crop of the image: what lies beyond the crop on them is background."""

from __future__ import annotations

import numpy as np

from ..annotation import AXIS_NAMES, BACKGROUND, UNKNOWN, full_planes


def finished_beyond(labels: np.ndarray, window: tuple[slice, ...]) -> tuple[str, ...]:
    """Fill, in place, slices of labels uint8 (k, j, i) that are annotated all over `window`, and tell which in words.

    Those on which the window's edge cuts a structure stay as they are: it may go on beyond.
    """
    filled = []
    for plane in full_planes(labels[window]):
        index = window[plane.axis].start + plane.index
        whole = np.moveaxis(labels, plane.axis, 0)[index]
        beside = tuple(part for axis, part in enumerate(window) if axis != plane.axis)
        if not whole.all() and not _is_cut(whole, beside):
            whole[whole == UNKNOWN] = BACKGROUND
            filled.append(f"{AXIS_NAMES[plane.axis]} = {index}")
    if not filled:
        return ()
    return (f"{', '.join(filled)}: annotated on a part of the image; beyond it these slices count as background",)


def _is_cut(labels: np.ndarray, window: tuple[slice, ...]) -> bool:
    """Whether a structure lies at an edge of the window that is none of the slice."""
    part = labels[window]
    for axis, extent in enumerate(window):
        lines = np.moveaxis(part, axis, 0)
        edges = [
            line for line, ends in ((lines[0], extent.start > 0), (lines[-1], extent.stop < labels.shape[axis])) if ends
        ]
        if any(((edge != UNKNOWN) & (edge != BACKGROUND)).any() for edge in edges):
            return True
    return False
