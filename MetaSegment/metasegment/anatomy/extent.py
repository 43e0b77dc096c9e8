"""What a mask is in space: volume, extents along the body's axes, centre, surface, parts, and whether it is cut off.

Masks are boolean (k, j, i); lengths are in mm, positions in LPS mm. Names are not known here.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from ..segmentation import Region
from ..volume import Geometry

#: Extents by the names of `reference.AXES`, and the axis of LPS that each is along.
_WORLD_AXES = {"si": 2, "lr": 0, "ap": 1}
#: Points by which a surface is told where distances are asked for.
_SURFACE_POINTS = 1500


@dataclass(frozen=True, eq=False)
class Extent:
    """A mask as numbers.

    `sizes_mm` are by si, lr, ap; `surface` (n, 3) are some points of it in LPS mm; `parts` the shares of the voxels
    that its connected parts have, the largest first; `sides_touched` how many of the image's six it reaches.
    """

    volume_ml: float
    sizes_mm: Mapping[str, float]
    centre: np.ndarray
    surface: np.ndarray
    parts: tuple[float, ...]
    sides_touched: int

    @property
    def is_cut(self) -> bool:
        """Whether it may go on outside of the image."""
        return self.sides_touched > 0


def extent_of(mask: np.ndarray, region: Region, geometry: Geometry) -> Extent:
    """Measure a mask that has voxels; it lies in a region of the geometry's grid."""
    affine = geometry.index_to_world
    offset = np.array([part.start for part in region])
    points = _ends_of_rows(mask) + offset
    world = points[:, ::-1] @ affine[:3, :3].T + affine[:3, 3]
    # A voxel reaches half its size beyond its centre.
    reach = np.abs(affine[:3, :3]).max(axis=1)
    lengths = world.max(axis=0) - world.min(axis=0) + reach
    voxels = int(np.count_nonzero(mask))
    shape = geometry.shape
    touched = sum(
        int(points[:, a].min() <= 0 < shape[a] - 1) + int(points[:, a].max() >= shape[a] - 1 > 0) for a in range(3)
    )
    return Extent(
        volume_ml=voxels * abs(float(np.linalg.det(affine[:3, :3]))) / 1000,
        sizes_mm={name: float(lengths[axis]) for name, axis in _WORLD_AXES.items()},
        centre=world.mean(axis=0),
        surface=world[:: max(1, len(world) // _SURFACE_POINTS)],
        parts=_parts(mask),
        sides_touched=touched,
    )


def distance_between(one: Extent, other: Extent) -> float:
    """About how far apart the surfaces of two masks are, in mm."""
    squares = (one.surface**2).sum(axis=1)[:, None] + (other.surface**2).sum(axis=1)
    nearest = float((squares - 2 * one.surface @ other.surface.T).min())
    return max(0.0, nearest) ** 0.5


def _ends_of_rows(mask: np.ndarray) -> np.ndarray:
    """First and last voxel (k, j, i) of each row along i that has one: no others are outermost in any direction."""
    rows = np.argwhere(mask.any(axis=2))
    lines = mask[rows[:, 0], rows[:, 1]]
    first = lines.argmax(axis=1)
    last = lines.shape[1] - 1 - lines[:, ::-1].argmax(axis=1)
    return np.concatenate([np.column_stack([rows, first]), np.column_stack([rows, last])])


def _parts(mask: np.ndarray) -> tuple[float, ...]:
    """Shares of the voxels in the connected parts (touching by faces, edges or corners), the largest first."""
    import SimpleITK as sitk

    parts = sitk.ConnectedComponent(sitk.GetImageFromArray(mask.astype(np.uint8)), True)
    counts = np.bincount(sitk.GetArrayViewFromImage(parts).ravel())[1:]
    return tuple(float(share) for share in np.sort(counts)[::-1] / counts.sum())
