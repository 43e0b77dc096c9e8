"""Writes segments to files with Slicer's own exporters."""

from __future__ import annotations

from pathlib import Path

import slicer
import vtk
from slicer.i18n import tr as _

from .SegmentRole import segmentsOf


class SegmentExport:
    """Example::

        export = SegmentExport(volumeNode, segmentationNode)
        export.toSegmentation("liver.seg.nrrd")       # names, colours, terminology
        export.toLabelMap("liver.nii.gz")             # on the volume's grid
        export.toSurfaces("folder")                   # an STL file a segment

    All raise RuntimeError where nothing could be written.
    """

    def __init__(
        self, volumeNode: slicer.vtkMRMLScalarVolumeNode, segmentationNode: slicer.vtkMRMLSegmentationNode
    ) -> None:
        self._volumeNode = volumeNode
        self._segmentationNode = segmentationNode

    def toSegmentation(self, path: str) -> None:
        """One file that Slicer and others read as segments again."""
        _require(_write(self._segmentationNode, slicer.vtkMRMLSegmentationStorageNode(), path), path)

    def toLabelMap(self, path: str) -> None:
        """Label values in the order of the segments table, on the volume's grid."""
        scene = self._segmentationNode.GetScene()
        known = _nodesOf(scene)
        labels = scene.AddNewNodeByClass("vtkMRMLLabelMapVolumeNode")
        logic = slicer.vtkSlicerSegmentationsModuleLogic
        try:
            wasMade = logic.ExportAllSegmentsToLabelmapNode(
                self._segmentationNode, labels, slicer.vtkSegmentation.EXTENT_REFERENCE_GEOMETRY
            )
            _require(wasMade and _write(labels, slicer.vtkMRMLVolumeArchetypeStorageNode(), path), path)
        finally:
            for node in [node for node in _nodesOf(scene) if node not in known]:  # with its display and its colours
                scene.RemoveNode(node)

    def toSurfaces(self, folder: str) -> None:
        """A surface (LPS, mm) of each segment."""
        _require(Path(folder).is_dir(), folder)
        segmentIDs = vtk.vtkStringArray()
        for segmentID, _segment in segmentsOf(self._segmentationNode):
            segmentIDs.InsertNextValue(segmentID)
        wasWritten = slicer.vtkSlicerSegmentationsModuleLogic.ExportSegmentsClosedSurfaceRepresentationToFiles(
            folder, self._segmentationNode, segmentIDs, "STL", True
        )
        _require(wasWritten, folder)


def _nodesOf(scene: slicer.vtkMRMLScene) -> list[slicer.vtkMRMLNode]:
    return [scene.GetNthNode(index) for index in range(scene.GetNumberOfNodes())]


def _write(node: slicer.vtkMRMLStorableNode, storage: slicer.vtkMRMLStorageNode, path: str) -> bool:
    """Write with a storage node that the scene does not know: where the node itself is saved to stays as it is."""
    storage.SetFileName(path)
    return bool(storage.WriteData(node))


def _require(isWritten: object, path: str) -> None:
    if not isWritten:
        raise RuntimeError(_("Nothing could be written to {path}").format(path=path))
