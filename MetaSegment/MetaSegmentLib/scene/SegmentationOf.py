"""Finds the segmentation that belongs to a volume, or makes one."""

from __future__ import annotations

import slicer
from slicer.i18n import tr as _

from .SceneNodes import nodesOf

_REFERENCE = "referenceImageGeometryRef"  # vtkMRMLSegmentationNode::GetReferenceImageGeometryReferenceRole()


def belongsTo(segmentationNode: slicer.vtkMRMLSegmentationNode, volumeNode: slicer.vtkMRMLVolumeNode) -> bool:
    """Whether the segmentation was made for this volume, or for none."""
    reference = segmentationNode.GetNodeReference(_REFERENCE)
    return reference is None or reference is volumeNode


def segmentationOf(volumeNode: slicer.vtkMRMLScalarVolumeNode) -> slicer.vtkMRMLSegmentationNode:
    """The first visible segmentation that was made for a volume; a new one where there is none.

    Example::

        segmentationOf(volumeNode).GetNodeReference("referenceImageGeometryRef") is volumeNode      # True
    """
    scene = volumeNode.GetScene()
    for node in nodesOf(scene, "vtkMRMLSegmentationNode"):
        if not node.GetHideFromEditors() and node.GetNodeReference(_REFERENCE) is volumeNode:
            return node
    name = _("{volume} segmentation").format(volume=volumeNode.GetName())
    node = scene.AddNewNodeByClass("vtkMRMLSegmentationNode", name)
    node.CreateDefaultDisplayNodes()
    node.SetReferenceImageGeometryParameterFromVolumeNode(volumeNode)
    return node
