"""Volumes from files and back, whatever the format, without changing voxels or geometry.

What the scanner wrote is what the rest of MetaSegment sees.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from ..errors import InputError
from ..volume import Geometry, Volume, is_sheared
from .dicom_file import is_dicom
from .dicom_series import read_dicom_file, read_dicom_folder
from .image_file import itk_frames, read_image, refuse_unknown_suffix, write_image
from .nifti import is_nifti, nifti_frames, read_nifti, write_nifti

if TYPE_CHECKING:
    import SimpleITK as sitk


def read_volume(path: str | Path) -> Volume:
    """Read an image: NRRD, NIfTI, MHA, MHD a folder with one DICOM series, or a DICOM file of many
    frames.

    Integer types are kept (DICOM after rescaling), 64-bit floats become 32-bit. Raises InputError with one
    line for whatever cannot be segmented: besides what `read_voxels` refuses, a constant image and infinite voxels.
    NaN, which programs write where nothing was measured, becomes the lowest value, as it is shown; a note says so.
    """
    return _usable(read_voxels(path), path)


def read_frame(path: str | Path, frame: int) -> Volume:
    """Read one volume, counted from 0, of a 4D NIfTI, NRRD or MHA file, or of Slicer's `.seq.nrrd`; else like
    `read_volume`.
    """
    found = read_nifti(path, frame) if is_nifti(path) else volume_from_image(read_image(path, frame), path)
    return _usable(found, path)


def frames_in(path: str | Path) -> int:
    """How many volumes of one grid a file holds, by its header: a 4D image, or a sequence as Slicer writes them.

    1 for all else, also where the file cannot be read: reading it tells why.
    """
    try:
        return nifti_frames(path) if is_nifti(path) else itk_frames(path)
    except InputError:
        return 1


def read_voxels(path: str | Path) -> Volume:
    """Read like `read_volume`, without looking at the values.

    Raises InputError for a path that is absent, empty, truncated, not an image, 2D, 4D, one voxel thick,
    coloured, sheared or too large for the memory, and for DICOM folders with several series or missing
    slices.
    """
    path = Path(path)
    if path.is_dir():
        return read_dicom_folder(path)
    if is_dicom(path):
        return read_dicom_file(path)
    return read_nifti(path) if is_nifti(path) else volume_from_image(read_image(path), path)


def write_volume(volume: Volume, path: str | Path, like: Path | None = None) -> None:
    """Write to NIfTI, NRRD or MHA by suffix, all or nothing; raises InputError where that is impossible.

    NRRD and MHA keep the geometry to the last bit or two, NIfTI to 32-bit floats (the format has no more); where `like`
    is the NIfTI image that a result belongs to, a NIfTI gets its header's placement, whatever it is.
    """
    refuse_unknown_suffix(Path(path))
    if is_nifti(path):
        write_nifti(volume, path, like)
    else:
        write_image(image_from_volume(volume), path)


def volume_from_image(image: sitk.Image, path: str | Path) -> Volume:
    """Copy a scalar 3D SimpleITK image; `path` is named in the InputError for axes that are not at right
    angles.
    """
    import SimpleITK as sitk

    if is_sheared(np.reshape(image.GetDirection(), (3, 3))):
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


def composed(images: Sequence[sitk.Image]) -> sitk.Image:
    """One image of several values a voxel, from images on one grid."""
    import SimpleITK as sitk

    return sitk.Compose(list(images))


def _usable(volume: Volume, path: str | Path) -> Volume:
    array, notes = volume.array, volume.notes
    missing = _count(np.isnan, array) if array.dtype.kind == "f" else 0
    if missing == array.size:
        raise InputError(f"{path} holds no value: every voxel is NaN")
    if missing:
        array = np.where(np.isnan(array), np.nanmin(array), array)
        notes += (f"{missing:,} of {array.size:,} voxels are NaN and count as the lowest value, {array.min():g}",)
    lowest, highest = array.min(), array.max()
    if not (np.isfinite(lowest) and np.isfinite(highest)):
        bad = _count(np.isinf, array)
        raise InputError(f"{path} has {bad:,} of {array.size:,} voxels that are infinite; replace them first")
    if lowest == highest:
        raise InputError(f"{path} is constant (every voxel is {lowest:g}): there is nothing to segment")
    return replace(volume, array=array, notes=notes)


def _count(test: Callable[[np.ndarray], np.ndarray], array: np.ndarray) -> int:
    return sum(int(np.count_nonzero(test(plane))) for plane in array)
