"""Single 2D images: PNG, JPEG, TIFF, BMP, and DICOM, NRRD or MHA of one plane. Volumes are read by `volume_file`."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np

from ..errors import InputError
from .image_file import quiet_itk, refuse_too_large
from .image_shape import refuse_absent_or_empty


def read_picture(path: Path) -> np.ndarray:
    """Read a 2D image as float32 (row, column); of colours the mean of red, green and blue, without transparency.

    Values are as stored, but for DICOM's MONOCHROME1, which GDCM inverts so that bone is bright. Raises InputError, one
    line, for a file that is absent, empty, damaged, larger than the memory or of more than one plane.
    """
    import SimpleITK as sitk

    refuse_absent_or_empty(path)
    reader = sitk.ImageFileReader()
    reader.SetFileName(str(path))
    with quiet_itk():
        try:
            reader.ReadImageInformation()
            size = reader.GetSize()
            _refuse_planes(path, size)
            refuse_too_large(path, reader.GetPixelID(), math.prod(size) * reader.GetNumberOfComponents())
            image = reader.Execute()
        except RuntimeError:
            raise InputError(f"{path} is not a readable image: give PNG, JPEG, TIFF, BMP or DICOM") from None
    plane = sitk.GetArrayFromImage(image).reshape(size[1], size[0], -1)[..., :3].astype(np.float32)
    values: np.ndarray = plane.mean(2)
    if not np.isfinite(values).all() or values.min() == values.max():
        raise InputError(f"{path} shows nothing: all its pixels are the same, or some are no numbers")
    return values


def _refuse_planes(path: Path, size: tuple[int, ...]) -> None:
    shown = " x ".join(map(str, size))
    if math.prod(size[2:]) != 1:
        raise InputError(f"{path} is a volume ({shown}): name a segmentation of it, or give a 2D image")
    if min(size[:2]) == 1:
        raise InputError(f"{path} is a line of pixels ({shown}); give a 2D image")
