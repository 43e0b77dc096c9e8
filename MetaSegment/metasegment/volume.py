"""Volumes: voxels with their geometry. Readers and writers are in `io`.

Array axes are k, j, i (slice, row, column); geometry is SimpleITK's: i, j, k and world LPS in mm.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

# Formats differ in precision (NIfTI stores 32-bit floats, some tools write 4 decimals of a millimetre), so
# grids count as the same where no voxel is off by more than a few hundredths of its size.
_ORIGIN_TOLERANCE = 1e-2  # voxels
_SPACING_TOLERANCE = 1e-4  # relative: 0.05 voxel over 512
_DIRECTION_TOLERANCE = 1e-4  # cosines
#: Hounsfield units below which only air and lung lie.
_AIR = -500
_SHEAR_TOLERANCE = 1e-3  # cosines between axes that should be at right angles


def is_sheared(directions: np.ndarray) -> bool:
    """Tells whether axes, the unit vectors in the columns of a matrix (3, 3), are not at right angles."""
    return bool(np.abs(directions.T @ directions - np.eye(3)).max() > _SHEAR_TOLERANCE)


def is_ct(lowest: float) -> bool:
    """Tells whether a volume with this lowest value is CT: other modalities have nothing so far below 0."""
    return lowest <= _AIR


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
        """Tells how the other grid differs from this one, in one phrase; None where they are the same grid."""
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
    """Voxels (k, j, i) of any integer type or 32-bit float, with their geometry.

    `notes` are sentences for the user about what the reader left out or filled in.
    """

    array: np.ndarray
    geometry: Geometry
    notes: tuple[str, ...] = ()


def _times(values: tuple[float, ...]) -> str:
    return " x ".join(f"{value:.6g}" for value in values)


def _listed(values: tuple[float, ...]) -> str:
    return f"({', '.join(f'{value:.6g}' for value in values)})"
