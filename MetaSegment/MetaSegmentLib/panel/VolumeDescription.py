"""Says in one line what was understood of a volume. Reads the node only."""

from __future__ import annotations

import slicer
from slicer.i18n import tr as _

from metasegment.volume import is_ct

from ..scene.VolumeGrid import VolumeGrid


def describe(volumeNode: slicer.vtkMRMLScalarVolumeNode) -> str:
    """Modality, size and spacing of a volume; raises InputError with a reason where it cannot be segmented.

    Example::

        describe(volumeNode)          # "CT, 512 × 512 × 120 voxels, 0.8 × 0.8 × 2.5 mm"
    """
    grid = VolumeGrid.of(volumeNode)
    k, j, i = grid.shape
    dk, dj, di = grid.spacing
    line = _("{modality}, {i} × {j} × {k} voxels, {di:.3g} × {dj:.3g} × {dk:.3g} mm")
    return line.format(modality=_modality(volumeNode), i=i, j=j, k=k, di=di, dj=dj, dk=dk)


def _modality(volumeNode: slicer.vtkMRMLScalarVolumeNode) -> str:
    """As DICOM says it; otherwise by the values."""
    hierarchy = slicer.vtkMRMLSubjectHierarchyNode.GetSubjectHierarchyNode(volumeNode.GetScene())
    item = hierarchy.GetItemByDataNode(volumeNode) if hierarchy else 0
    if item and (told := hierarchy.GetItemAttribute(item, "DICOM.Modality")):
        return str(told)
    lowest, _highest = volumeNode.GetImageData().GetScalarRange()
    return _("CT (by its values)") if is_ct(lowest) else _("MR or other")
