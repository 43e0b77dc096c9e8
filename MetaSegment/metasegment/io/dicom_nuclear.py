"""Nuclear medicine: one file of many frames that tells the place of its first slice (PS3.3 C.8.4.15 and C.8.4.16)."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from ..errors import InputError
from .dicom_file import damaged_as, dataset_of
from .image_shape import refuse_too_many_bytes

if TYPE_CHECKING:
    from pydicom import Dataset

_BY_SLICE = (0x00540080,)  # what frames are counted by: slices alone, no gates, phases or energy windows
_FLOAT = 8  # bytes


def read_nuclear(path: Path, header: Dataset) -> tuple[np.ndarray, np.ndarray]:
    """Reads values (k, j, i) and what takes (k, j, i, 1) to LPS mm (4, 4); raises InputError where frames are not
    slices.
    """
    pointer = header.get("FrameIncrementPointer")
    counted = tuple(pointer) if isinstance(pointer, (list, tuple)) or hasattr(pointer, "__iter__") else (pointer,)
    if counted != _BY_SLICE:
        raise InputError(f"{path}: its frames are gates, phases or projections, not slices of one volume")
    with damaged_as(f"{path}: its frames have no position and orientation to stack them by, or are damaged"):
        affine = _affine(header)
        refuse_too_many_bytes(path, int(header.NumberOfFrames) * header.Rows * header.Columns, _FLOAT)
        dataset = dataset_of(path)
        order = np.argsort([int(n) for n in header.SliceVector], kind="stable")
        values = dataset.pixel_array[order]
    slope, intercept = (float(header.get(k, default)) for k, default in (("RescaleSlope", 1), ("RescaleIntercept", 0)))
    return (values if (slope, intercept) == (1, 0) else values * slope + intercept), affine


def _affine(header: Dataset) -> np.ndarray:
    """The distance between slices is below 0 where they run against the normal of the first one."""
    place = header.DetectorInformationSequence[0]
    row, column = np.reshape([float(x) for x in place.ImageOrientationPatient], (2, 3))
    down, across = (float(step) for step in header.PixelSpacing)
    step = float(header.get("SpacingBetweenSlices") or header.SliceThickness)
    if not (step and down > 0 and across > 0):
        raise ValueError("no size of voxels")
    affine = np.eye(4)
    affine[:3, :3] = np.stack([np.cross(row, column) * step, column * down, row * across], axis=1)
    affine[:3, 3] = [float(x) for x in place.ImagePositionPatient]
    return affine
