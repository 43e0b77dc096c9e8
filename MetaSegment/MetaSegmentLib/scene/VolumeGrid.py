"""Where the voxels of a Slicer volume are, and which of its planes are which; refuses what cannot be segmented.

Does not touch voxels. Slicer's world is RAS, that of `metasegment` is LPS; arrays are k, j, i in both.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import slicer
import vtk
from slicer.i18n import tr as _

from metasegment.errors import InputError
from metasegment.volume import Geometry, is_sheared

#: A plane of the volume's own axes: (axis, index), axis 0 = k, 1 = j, 2 = i.
Plane = tuple[int, int]

_RAS_TO_LPS = np.diag([-1.0, -1.0, 1.0, 1.0])


@dataclass(frozen=True, eq=False)
class VolumeGrid:
    """The grid of a scalar volume node and its place in the world, as they are now (once the node moves, ask anew).

    `ijkToRas` and `ijkToWorld` (4, 4) take (i, j, k, 1) to RAS mm without and with the node's parent transforms;
    `shape` is that of the array. Example::

        grid = VolumeGrid.of(volumeNode)          # raises InputError with a reason for the user
        grid.planeName(0)                         # "axial"
        grid.centerOf((0, 12))                    # RAS mm of the middle of slice k = 12
    """

    shape: tuple[int, int, int]
    ijkToRas: np.ndarray
    ijkToWorld: np.ndarray

    @classmethod
    def of(cls, volumeNode: slicer.vtkMRMLScalarVolumeNode) -> VolumeGrid:
        """Read from the node. Raises InputError for label maps, colour, 2D, sheared and non-linearly moved volumes."""
        if reason := _unsuitable(volumeNode):
            raise InputError(reason)
        matrix = vtk.vtkMatrix4x4()
        volumeNode.GetIJKToRASMatrix(matrix)
        ijkToRas = slicer.util.arrayFromVTKMatrix(matrix)
        ijkToWorld = toWorld(volumeNode) @ ijkToRas
        directions = ijkToWorld[:3, :3] / np.linalg.norm(ijkToWorld[:3, :3], axis=0)
        if is_sheared(directions):
            raise InputError(_("The volume's axes are not at right angles: resample it first (Crop Volume)."))
        i, j, k = volumeNode.GetImageData().GetDimensions()
        return cls((k, j, i), ijkToRas, ijkToWorld)

    @property
    def spacing(self) -> np.ndarray:
        """Distance of the planes in mm along k, j, i."""
        return np.linalg.norm(self.ijkToWorld[:3, :3], axis=0)[::-1]

    @property
    def geometry(self) -> Geometry:
        """The same grid as `metasegment` has it: LPS, parent transforms applied."""
        affine = _RAS_TO_LPS @ self.ijkToWorld
        spacing = np.linalg.norm(affine[:3, :3], axis=0)
        k, j, i = self.shape
        direction = (affine[:3, :3] / spacing).ravel()
        return Geometry((i, j, k), tuple(spacing.tolist()), tuple(affine[:3, 3].tolist()), tuple(direction.tolist()))

    @property
    def key(self) -> str:
        """Text that is the same for volumes on the same grid, whatever their nodes are called or moved by."""
        numbers = (f"{value:.3f}" for value in np.round(self.ijkToRas[:3], 3).ravel() + 0.0)  # no -0.000
        return " ".join([*map(str, self.shape), *numbers])

    def contains(self, plane: Plane) -> bool:
        """Whether the volume has that plane."""
        axis, index = plane
        return 0 <= index < self.shape[axis]

    def planeName(self, axis: int) -> str:
        """Anatomical name of the planes across an axis, by the direction their normal is closest to."""
        names = _("sagittal"), _("coronal"), _("axial")
        return names[int(np.abs(self.ijkToWorld[:3, 2 - axis]).argmax())]

    def centerOf(self, plane: Plane) -> np.ndarray:
        """RAS mm of the middle of a plane."""
        kji = (np.array(self.shape) - 1) / 2
        kji[plane[0]] = plane[1]
        return (self.ijkToWorld @ [*kji[::-1], 1.0])[:3]

    def extentOf(self, plane: Plane) -> list[int]:
        """VTK's extent of a plane: first and last i, j, k."""
        ranges = [(0, n - 1) for n in self.shape]
        ranges[plane[0]] = (plane[1], plane[1])
        return [bound for pair in reversed(ranges) for bound in pair]


def toWorld(node: slicer.vtkMRMLTransformableNode) -> np.ndarray:
    """Affine (4, 4) of a node's parent transforms, RAS to RAS mm. Raises InputError where they are not linear."""
    transform = node.GetParentTransformNode()
    if transform is None:
        return np.eye(4)
    if not transform.IsTransformToWorldLinear():
        reason = _("'{node}' is under a non-linear transform ('{transform}'): harden it first (Data module).")
        raise InputError(reason.format(node=node.GetName(), transform=transform.GetName()))
    matrix = vtk.vtkMatrix4x4()
    transform.GetMatrixTransformToWorld(matrix)
    return slicer.util.arrayFromVTKMatrix(matrix)


def _unsuitable(volumeNode: slicer.vtkMRMLScalarVolumeNode) -> str | None:
    """Why a node is no volume that can be segmented, in one sentence; None where it is one."""
    if volumeNode is None or volumeNode.GetScene() is None:
        return _("There is no volume (any more): load one and select it.")
    if volumeNode.GetImageData() is None:
        return _("The volume has no image: load one and select it.")
    if volumeNode.IsA("vtkMRMLLabelMapVolumeNode"):
        return _("This is a label map, not an image: select the volume that it belongs to.")
    if volumeNode.GetImageData().GetNumberOfScalarComponents() != 1:
        return _("This volume has several components (colour or vectors): convert it first (Vector to Scalar Volume).")
    if min(volumeNode.GetImageData().GetDimensions()) < 2:
        return _("This volume is a single slice: there is nothing to extend the annotation to.")
    return None
