"""Annotated slices correct an outline that came from elsewhere: the least a user with a copied segmentation would do.

Looks at no image. What the outline is off on the slices is taken off between and beyond them, less and less.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ..annotation import Annotation
from .method import STRUCTURE

#: Distances from the outline count up to so many mm; beyond the outermost slices a correction falls to 1/e over so
#: many.
NEAR_MM, FADING_MM = 15.0, 20.0


def corrected(mask: np.ndarray, annotation: Annotation) -> np.ndarray:
    """Returns the mask (bool, k, j, i) after the annotation's slices across the first one's axis; as it is without
    slices.

    Signed distances to the outline in each plane are corrected by what they are off on the slices: linearly between
    two, by less and less beyond.
    """
    if not annotation.slices:
        return mask
    axis = annotation.slices[0].axis
    indices = sorted(plane.index for plane in annotation.slices if plane.axis == axis)
    drawn = np.moveaxis(annotation.labels == STRUCTURE, axis, 0)
    step, *spacing = (annotation.geometry.spacing_kji[a] for a in (axis, *(a for a in range(3) if a != axis)))
    distances = np.stack([_signed(plane, spacing) for plane in np.moveaxis(mask, axis, 0)])
    off = np.stack([_signed(drawn[n], spacing) - distances[n] for n in indices])
    weights = _weights(indices, len(distances), step)
    return np.moveaxis(distances + np.tensordot(weights, off, 1) < 0, 0, axis)


def _weights(indices: Sequence[int], count: int, step: float) -> np.ndarray:
    """How much each annotated slice counts on each of `count` planes `step` mm apart: (planes, slices)."""
    planes = np.arange(count)
    between = np.stack([np.interp(planes, indices, row) for row in np.eye(len(indices))], axis=1)
    beyond = np.maximum(0, np.maximum(indices[0] - planes, planes - indices[-1])) * step
    return between * np.exp(-beyond / FADING_MM)[:, None]


def _signed(plane: np.ndarray, spacing: Sequence[float]) -> np.ndarray:
    """Distance in mm to the outline of a section (bool, rows, columns), below 0 inside, at most NEAR_MM either way."""
    import SimpleITK as sitk

    if plane.all() or not plane.any():
        return np.full(plane.shape, -NEAR_MM if plane.any() else NEAR_MM, np.float32)
    image = sitk.GetImageFromArray(plane.astype(np.uint8))
    image.SetSpacing(list(spacing)[::-1])
    # The outline lies between voxels: half of what either side says.
    inside, outside = (
        sitk.GetArrayFromImage(sitk.SignedMaurerDistanceMap(each, squaredDistance=False, useImageSpacing=True))
        for each in (image, 1 - image)
    )
    return np.clip((inside - outside) / 2, -NEAR_MM, NEAR_MM)
