"""The filters behind two effects of 3D Slicer's segment editor, from slicer-core, with the effects' own settings.

Never draws: slicer-core crashes on rendering where there is no libGL. Sources: SegmentEditorGrowFromSeedsEffect.py and
SegmentEditorFillBetweenSlicesEffect.py of Slicer 5.12.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from vtkmodules.vtkCommonDataModel import vtkImageData

#: "Seed locality" of the effect as it opens: no cost of distance, only of changes of intensity.
DISTANCE_PENALTY = 0.0


def grow_cut(image: np.ndarray, labels: np.ndarray, spacing_kji: Sequence[float]) -> np.ndarray:
    """Slicer's GrowCut through the whole of `image` (k, j, i), any scalar type, at least 3 voxels along each axis.

    `labels` are uint8 seeds of the same shape: 0 unknown, 1...254 structures, 255 background; `spacing_kji` is in mm.
    Returns uint8 labels of that shape, every voxel with the label of the seeds that reach it at the least sum of
    intensity changes (Zhu et al., IMIC 2014). Raises ValueError where the volume is too thin for the filter.
    """
    import slicer

    if min(image.shape) < 3:
        raise ValueError(f"GrowCut needs 3 voxels along each axis, not {image.shape}")
    grower = slicer.vtkImageGrowCutSegment()
    grower.SetIntensityVolume(_vtk_image(image, spacing_kji))
    grower.SetSeedLabelVolume(_vtk_image(labels, spacing_kji))
    grower.SetDistancePenalty(DISTANCE_PENALTY)
    grower.Update()
    return _array(grower.GetOutput(), image.shape)


def interpolated_contours(labels: np.ndarray, spacing_kji: Sequence[float]) -> np.ndarray:
    """ITK's morphological contour interpolation between the labelled slices along each axis; uint8 (k, j, i).

    Slicer's wrapper has the filter's distance transform off, which ITK has on (Zukić et al., Insight Journal 2016).
    """
    # With several threads the filter damages the heap: 5 of 7 processes crashed as they ended, with one none of 5.
    os.environ["ITK_GLOBAL_DEFAULT_NUMBER_OF_THREADS"] = "1"
    import slicer

    interpolator = slicer.vtkITKMorphologicalContourInterpolator()
    interpolator.SetInputData(_vtk_image(labels, spacing_kji))
    interpolator.Update()
    return _array(interpolator.GetOutput(), labels.shape)


def _vtk_image(array: np.ndarray, spacing_kji: Sequence[float]) -> vtkImageData:
    from vtkmodules.util.numpy_support import numpy_to_vtk
    from vtkmodules.vtkCommonDataModel import vtkImageData

    image = vtkImageData()
    image.SetDimensions(array.shape[::-1])
    image.SetSpacing(*spacing_kji[::-1])
    image.GetPointData().SetScalars(numpy_to_vtk(array.ravel(), deep=True))
    return image


def _array(image: vtkImageData, shape: tuple[int, ...]) -> np.ndarray:
    from vtkmodules.util.numpy_support import vtk_to_numpy

    flat: np.ndarray = vtk_to_numpy(image.GetPointData().GetScalars())
    return flat.reshape(shape).copy()
