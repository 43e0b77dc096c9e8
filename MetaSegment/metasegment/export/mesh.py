"""The smooth closed surface of one structure, in VTK, with the volume of its voxels.

The staircase of the voxels is smoothed away, which shrinks what is small; the surface is then moved along its normals
until it encloses as much as the voxels do. What is too thin for that is smoothed less.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from ..errors import InputError
from ..regrid import bounding_box

if TYPE_CHECKING:
    from vtkmodules.vtkCommonDataModel import vtkPolyData

_SMOOTHING_STEPS = 30
# Of the surface's spatial frequencies: the staircase of the voxels goes, the organ's form stays; for thin parts more.
_PASS_BANDS = (0.01, 0.1)
_CLOSE_ENOUGH = 1e-3  # of the volume
_MOST_MOVES = 20
_FARTHEST = 0.5  # voxels that a smoothed surface may be moved: beyond, it had collapsed


def smooth_surface(mask: np.ndarray, index_to_world: np.ndarray) -> vtkPolyData:
    """Returns triangles around a boolean mask (k, j, i), outward, in mm; `index_to_world` (4, 4) takes (i, j, k, 1)
    there.

    The volume is that of the voxels within 1 %, and so for lone voxels and sheets of them. Raises InputError where VTK
    is not installed.
    """
    try:
        from vtkmodules.util.numpy_support import numpy_to_vtk
        from vtkmodules.vtkCommonDataModel import vtkImageData
        from vtkmodules.vtkFiltersGeneral import vtkDiscreteFlyingEdges3D
    except ImportError as error:
        raise InputError(f"surfaces need {error.name}: pip install 'metasegment[picture]'") from None

    window = bounding_box(mask)
    closed = np.pad(mask[window].astype(np.uint8), 1)
    image = vtkImageData()
    image.SetDimensions(*closed.shape[::-1])
    image.SetOrigin(*(span.start - 1 for span in window[::-1]))
    image.GetPointData().SetScalars(numpy_to_vtk(closed.ravel(), deep=True))
    edges = vtkDiscreteFlyingEdges3D()
    edges.SetInputData(image)
    edges.ComputeNormalsOff()  # those of the staircase
    edges.SetValue(0, 1)
    edges.Update()
    staircase = _in_world(edges.GetOutput(), index_to_world)
    voxel = np.linalg.norm(index_to_world[:3, :3], axis=0).min()
    volume = np.count_nonzero(closed) * abs(float(np.linalg.det(index_to_world[:3, :3])))
    for pass_band in _PASS_BANDS:
        surface = _smoothed(staircase, pass_band)
        if _keep_volume(surface, volume, _FARTHEST * voxel):
            return surface
    _keep_volume(staircase, volume, np.inf)
    return staircase


def enclosed_volume(surface: vtkPolyData) -> float:
    """Returns volume of a closed surface of triangles in its unit cubed, by the divergence theorem."""
    a, b, c = _corners(surface)
    return float(np.einsum("nx,nx->", a, np.cross(b, c))) / 6


def surface_area(surface: vtkPolyData) -> float:
    """Returns area of a surface of triangles in its unit squared."""
    a, b, c = _corners(surface)
    return float(np.linalg.norm(np.cross(b - a, c - a), axis=1).sum()) / 2


def _in_world(surface: vtkPolyData, index_to_world: np.ndarray) -> vtkPolyData:
    from vtkmodules.vtkCommonTransforms import vtkTransform
    from vtkmodules.vtkFiltersCore import vtkReverseSense
    from vtkmodules.vtkFiltersGeneral import vtkTransformPolyDataFilter

    transform = vtkTransform()
    transform.SetMatrix(index_to_world.ravel().tolist())
    moved = vtkTransformPolyDataFilter()
    moved.SetTransform(transform)
    moved.SetInputData(surface)
    moved.Update()
    if np.linalg.det(index_to_world[:3, :3]) > 0:
        return moved.GetOutput()
    turned = vtkReverseSense()  # a mirrored grid turns the triangles inside out
    turned.SetInputConnection(moved.GetOutputPort())
    turned.Update()
    return turned.GetOutput()


def _smoothed(surface: vtkPolyData, pass_band: float) -> vtkPolyData:
    from vtkmodules.vtkFiltersCore import vtkWindowedSincPolyDataFilter

    smooth = vtkWindowedSincPolyDataFilter()
    smooth.SetInputData(surface)
    smooth.SetNumberOfIterations(_SMOOTHING_STEPS)
    smooth.SetPassBand(pass_band)
    smooth.BoundarySmoothingOff()
    smooth.FeatureEdgeSmoothingOff()
    smooth.NormalizeCoordinatesOn()
    smooth.Update()
    return smooth.GetOutput()


def _keep_volume(surface: vtkPolyData, wanted: float, farthest: float) -> bool:
    """Move the points of a surface along their normals, `farthest` mm at most; whether it then has the volume."""
    from vtkmodules.util.numpy_support import numpy_to_vtk, vtk_to_numpy

    points = vtk_to_numpy(surface.GetPoints().GetData()).astype(np.float64)
    normals = _normals(surface)
    moved = 0.0
    for _ in range(_MOST_MOVES):
        missing, area = wanted - enclosed_volume(surface), surface_area(surface)
        if abs(missing) <= _CLOSE_ENOUGH * wanted:
            return True
        moved += missing / area if area > 0 else np.inf
        if abs(moved) > farthest:
            return False
        surface.GetPoints().SetData(numpy_to_vtk(points + moved * normals, deep=True))
    return False


def _normals(surface: vtkPolyData) -> np.ndarray:
    """Outward unit vectors (points, 3)."""
    from vtkmodules.util.numpy_support import vtk_to_numpy
    from vtkmodules.vtkFiltersCore import vtkPolyDataNormals

    normals = vtkPolyDataNormals()
    normals.SetInputData(surface)
    normals.SplittingOff()
    normals.ConsistencyOff()
    normals.Update()
    return vtk_to_numpy(normals.GetOutput().GetPointData().GetNormals()).astype(np.float64)


def _corners(surface: vtkPolyData) -> np.ndarray:
    """First, second and third corner of every triangle (3, triangles, 3)."""
    from vtkmodules.util.numpy_support import vtk_to_numpy

    points = vtk_to_numpy(surface.GetPoints().GetData()).astype(np.float64)
    triangles = vtk_to_numpy(surface.GetPolys().GetConnectivityArray()).reshape(-1, 3)
    return points[triangles.T]
