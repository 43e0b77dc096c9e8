"""Images as registration wants them: without extremes, on fewer cells; and structures carried over by a transform."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from ..io.volume_file import image_from_volume
from ..volume import Geometry, Volume

if TYPE_CHECKING:
    import SimpleITK as sitk

#: Intensities are clipped at these percentiles of each volume.
PERCENTILES = (0.5, 99.5)
#: Bins of the mutual information, and the seed by which the points that it looks at are jittered.
BINS, SAMPLE_SEED = 24, 1


def carried_over(truth: np.ndarray, geometry: Geometry, volume: Volume, transform: sitk.Transform) -> np.ndarray:
    """A structure (bool, k, j, i) of one grid on the voxels of a volume: float32 shares, 0 beyond the grid."""
    import SimpleITK as sitk

    structure = image_from_volume(Volume(truth.astype(np.float32), geometry))
    found = sitk.Resample(structure, image_from_volume(volume), transform, sitk.sitkLinear, 0.0)
    share: np.ndarray = sitk.GetArrayFromImage(found)
    return share


def clipped(volume: Volume) -> sitk.Image:
    """The volume as float32 without its extremes."""
    low, high = np.percentile(volume.array, PERCENTILES)
    return image_from_volume(Volume(np.clip(volume.array, low, high).astype(np.float32), volume.geometry))


def coarse(image: sitk.Image, cells: int) -> sitk.Image:
    """The image on its own extent with at most about so many cells, as near to cubes as its voxels allow."""
    import SimpleITK as sitk

    size, spacing = np.array(image.GetSize()), np.array(image.GetSpacing())
    extent = size * spacing
    # The edge of cubes: found by halving, since an axis whose voxels are coarser keeps them.
    low, high = float(spacing.min()), float(extent.max())
    for _ in range(30):
        edge = (low * high) ** 0.5
        low, high = (edge, high) if (extent / np.maximum(edge, spacing)).prod() > cells else (low, edge)
    count = np.where(size.prod() > cells, np.maximum(1, np.rint(extent / np.maximum(high, spacing))), size).astype(int)
    wide = extent / count
    for axis in np.flatnonzero((wide > 1.2 * spacing) & (size >= 4)):  # the filter needs four voxels
        image = sitk.RecursiveGaussian(image, sigma=float(wide[axis] / 2), direction=int(axis))
    corner = np.array(image.GetOrigin()) + np.reshape(image.GetDirection(), (3, 3)) @ ((wide - spacing) / 2)
    grid = corner.tolist(), wide.tolist(), image.GetDirection()
    return sitk.Resample(image, count.tolist(), sitk.Transform(), sitk.sitkLinear, *grid, lowest(image))


def mutual_information(fixed: sitk.Image, samples: int) -> sitk.ImageRegistrationMethod:
    """The method that maximises Mattes' mutual information at so many points of the fixed image."""
    import SimpleITK as sitk

    method = sitk.ImageRegistrationMethod()
    method.SetMetricAsMattesMutualInformation(BINS)
    method.SetInterpolator(sitk.sitkLinear)
    if samples < fixed.GetNumberOfPixels():
        method.SetMetricSamplingStrategy(method.REGULAR)
        method.SetMetricSamplingPercentage(samples / fixed.GetNumberOfPixels(), SAMPLE_SEED)
    return method


def lowest(image: sitk.Image) -> float:
    """The darkest value of an image."""
    import SimpleITK as sitk

    return float(sitk.GetArrayViewFromImage(image).min())
