"""Between VTK's oriented images and NumPy arrays (k, j, i). Copies only where it says so."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import slicer
import vtk
from vtk.util.numpy_support import numpy_to_vtk, vtk_to_numpy


def arrayOf(image: vtk.vtkImageData) -> np.ndarray:
    """The voxels (k, j, i) of a scalar image, shared with it."""
    return vtk_to_numpy(image.GetPointData().GetScalars()).reshape(image.GetDimensions()[::-1])


def imageOf(array: np.ndarray, ijkToRas: np.ndarray, start: Sequence[int] = (0, 0, 0)) -> slicer.vtkOrientedImageData:
    """A copy as an image whose first voxel has the indices `start` (k, j, i) on the grid `ijkToRas`."""
    image = emptyImage(
        [bound for n, s in zip(array.shape[::-1], start[::-1], strict=True) for bound in (s, s + n - 1)], ijkToRas
    )
    image.GetPointData().SetScalars(numpy_to_vtk(np.ascontiguousarray(array).ravel(), deep=True))
    return image


def emptyImage(extent: Sequence[int], ijkToRas: np.ndarray) -> slicer.vtkOrientedImageData:
    """An image without voxels that says where they would be: VTK's extent on the grid `ijkToRas`."""
    image = slicer.vtkOrientedImageData()
    image.SetExtent(*extent)
    image.SetGeometryFromImageToWorldMatrix(slicer.util.vtkMatrixFromArray(ijkToRas))
    return image


def ijkToRasOf(image: slicer.vtkOrientedImageData) -> np.ndarray:
    """Affine (4, 4) from the indices that the image's extent counts to its own RAS mm."""
    matrix = vtk.vtkMatrix4x4()
    image.GetImageToWorldMatrix(matrix)
    return slicer.util.arrayFromVTKMatrix(matrix)


def startOf(image: vtk.vtkImageData) -> tuple[int, int, int]:
    """Indices (k, j, i) of the first voxel on the image's grid."""
    extent = image.GetExtent()
    return extent[4], extent[2], extent[0]


def resampled(
    image: slicer.vtkOrientedImageData, toRas: np.ndarray, grid: slicer.vtkOrientedImageData, linear: bool = False
) -> slicer.vtkOrientedImageData:
    """A copy on the grid and extent of another image, nearest voxel unless `linear`; 0 outside.

    `toRas` (4, 4) takes the image's RAS mm to those of the grid.
    """
    moved = slicer.vtkOrientedImageData()
    moved.ShallowCopy(image)
    moved.SetGeometryFromImageToWorldMatrix(slicer.util.vtkMatrixFromArray(toRas @ ijkToRasOf(image)))
    result = slicer.vtkOrientedImageData()
    slicer.vtkOrientedImageDataResample.ResampleOrientedImageToReferenceOrientedImage(moved, grid, result, linear)
    return result
