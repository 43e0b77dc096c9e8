"""Volumes: voxels with their geometry, read from and written to files without changing either.

Does not resample, reorient or scale: what the scanner wrote is what the rest of MetaSegment sees.
Array axes are k, j, i (slice, row, column); geometry is SimpleITK's: i, j, k and world LPS in mm.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from .dicom_series import is_dicom, read_dicom_file, read_dicom_folder
from .errors import InputError
from .image_file import read_image, write_image

if TYPE_CHECKING:
    import SimpleITK as sitk

# Formats differ in precision (NIfTI stores 32-bit floats, some tools write 4 decimals of a millimetre), so
# grids count as the same where no voxel is off by more than a few hundredths of its size.
_ORIGIN_TOLERANCE = 1e-2  # voxels
_SPACING_TOLERANCE = 1e-4  # relative: 0.05 voxel over 512
_DIRECTION_TOLERANCE = 1e-4  # cosines
_SHEAR_TOLERANCE = 1e-3  # cosines between axes that should be at right angles


@dataclass(frozen=True)
class Geometry:
    """Where the voxels of a grid are, in SimpleITK's terms.

    `size` and `spacing` (mm) are along i, j, k; `origin` is the centre of voxel (0, 0, 0) in LPS mm;
    `direction` has 9 cosines, row-major: the columns are the directions of i, j and k.
    """

    size: tuple[int, int, int]
    spacing: tuple[float, float, float]
    origin: tuple[float, float, float]
    direction: tuple[float, ...]

    @property
    def shape(self) -> tuple[int, int, int]:
        """Shape of the array on this grid: k, j, i."""
        return self.size[2], self.size[1], self.size[0]

    @property
    def spacing_kji(self) -> tuple[float, float, float]:
        """Distance between voxel centres in mm along the array's axes."""
        return self.spacing[2], self.spacing[1], self.spacing[0]

    @property
    def index_to_world(self) -> np.ndarray:
        """Affine (4, 4) that takes (i, j, k, 1) to (x, y, z, 1) in LPS mm; array indices are (k, j, i)!"""
        affine = np.eye(4)
        affine[:3, :3] = np.reshape(self.direction, (3, 3)) * self.spacing
        affine[:3, 3] = self.origin
        return affine

    def difference(self, other: Geometry) -> str | None:
        """How the other grid differs from this one, in one phrase; None where they are the same grid."""
        if self.size != other.size:
            return f"size {_times(other.size)} instead of {_times(self.size)}"
        if not np.allclose(other.spacing, self.spacing, rtol=_SPACING_TOLERANCE, atol=0):
            return f"spacing {_times(other.spacing)} mm instead of {_times(self.spacing)} mm"
        if not np.allclose(other.direction, self.direction, rtol=0, atol=_DIRECTION_TOLERANCE):
            return f"directions {_listed(other.direction)} instead of {_listed(self.direction)}"
        shift_mm = np.subtract(other.origin, self.origin)
        shift_voxels = np.linalg.solve(self.index_to_world[:3, :3], shift_mm)
        if np.abs(shift_voxels).max() > _ORIGIN_TOLERANCE:
            distance = np.linalg.norm(shift_mm)
            return f"origin {_listed(other.origin)} instead of {_listed(self.origin)}, {distance:.4g} mm away"
        return None


@dataclass(frozen=True, eq=False)
class Volume:
    """Voxels (k, j, i) of any integer type or 32-bit float, with their geometry."""

    array: np.ndarray
    geometry: Geometry


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


def _times(values: tuple[float, ...]) -> str:
    return " x ".join(f"{value:.6g}" for value in values)


def _listed(values: tuple[float, ...]) -> str:
    return f"({', '.join(f'{value:.6g}' for value in values)})"
