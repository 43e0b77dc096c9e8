"""Volumes from files and back, whatever the format, without changing voxels or geometry.

What the scanner wrote is what the rest of MetaSegment sees.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from ..errors import InputError
from ..volume import Geometry, Volume
from .dicom_series import is_dicom, read_dicom_file, read_dicom_folder
from .image_file import read_image, write_image

if TYPE_CHECKING:
    import SimpleITK as sitk

_SHEAR_TOLERANCE = 1e-3  # cosines between axes that should be at right angles


def read_volume(path: str | Path) -> Volume:
    """Read an image: NRRD, NIfTI, MHA, MHD a folder with one DICOM series, or a DICOM file of many
    frames.

    Integer types are kept (DICOM after rescaling), 64-bit floats become 32-bit. Raises InputError with one
    line for whatever cannot be segmented: besides what `read_voxels` refuses, a constant image and NaN or
    infinite voxels.
    """
    volume = read_voxels(path)
    _refuse_useless_values(volume.array, path)
    return volume


def read_frame(path: str | Path, frame: int) -> Volume:
    """Read one volume, counted from 0, of a 4D NIfTI, NRRD or MHA file, or of Slicer's `.seq.nrrd`; else like
    `read_volume`.
    """
    volume = volume_from_image(read_image(path, frame), path)
    _refuse_useless_values(volume.array, path)
    return volume


def read_voxels(path: str | Path) -> Volume:
    """Read like `read_volume`, without looking at the values.

    Raises InputError for a path that is absent, empty, truncated, not an image, 2D, 4D, one voxel thick,
    coloured, sheared or too large for the memory, and for DICOM folders with several series or missing
    slices.
    """
    path = Path(path)
    if path.is_dir():
        return volume_from_image(read_dicom_folder(path), path)
    return volume_from_image(read_dicom_file(path) if is_dicom(path) else read_image(path), path)


def write_volume(volume: Volume, path: str | Path) -> None:
    """Write to NIfTI, NRRD or MHA by suffix, all or nothing; raises InputError where that is impossible.

    NRRD and MHA keep the geometry to the last bit or two, NIfTI to 32-bit floats (the format has no more).
    """
    write_image(image_from_volume(volume), path)


def volume_from_image(image: sitk.Image, path: str | Path) -> Volume:
    """Copy a scalar 3D SimpleITK image; `path` is named in the InputError for axes that are not at right
    angles.
    """
    import SimpleITK as sitk

    direction = np.reshape(image.GetDirection(), (3, 3))
    if np.abs(direction.T @ direction - np.eye(3)).max() > _SHEAR_TOLERANCE:
        raise InputError(f"{path} has sheared axes (its directions are not at right angles); resample it first")
    geometry = Geometry(image.GetSize(), image.GetSpacing(), image.GetOrigin(), image.GetDirection())
    return Volume(sitk.GetArrayFromImage(image), geometry)


def image_from_volume(volume: Volume) -> sitk.Image:
    """Copy to a SimpleITK image on the same grid."""
    import SimpleITK as sitk

    image = sitk.GetImageFromArray(volume.array)
    image.SetSpacing(volume.geometry.spacing)
    image.SetOrigin(volume.geometry.origin)
    image.SetDirection(volume.geometry.direction)
    return image


def _refuse_useless_values(array: np.ndarray, path: str | Path) -> None:
    lowest, highest = array.min(), array.max()  # NaN and infinity show in one of them
    if not (np.isfinite(lowest) and np.isfinite(highest)):
        bad = sum(int(np.count_nonzero(~np.isfinite(plane))) for plane in array)
        raise InputError(f"{path} has {bad:,} of {array.size:,} voxels that are NaN or infinite; replace them first")
    if lowest == highest:
        raise InputError(f"{path} is constant (every voxel is {lowest:g}): there is nothing to segment")
