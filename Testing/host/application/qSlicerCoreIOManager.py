"""Stand-in for the readers and writers that `slicer.util.load…` and `save…` use: scenes, volumes, segmentations, nodes
that have a storage node of their own. Reads and writes with the real storage nodes.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import slicer

from .. import qt
from ..standin import follows


@follows("Slicer/Base/QTCore/qSlicerCoreIOManager.h")
class qSlicerCoreIOManager(qt.QObject):
    """The part that modules call from Python."""

    def fileType(self, file: str) -> str:
        name = file.lower()
        if name.endswith((".mrml", ".mrb")):
            return "SceneFile"
        return "SegmentationFile" if name.endswith((".seg.nrrd", ".seg.nhdr")) else "VolumeFile"

    def fileWriterFileType(self, node: Any) -> str:
        return "SegmentationFile" if node.IsA("vtkMRMLSegmentationNode") else "VolumeFile"

    def loadNodes(self, fileType: str, parameters: dict, loadedNodes: Any = None, userMessages: Any = None) -> bool:
        path = str(parameters["fileName"])
        if fileType == "SceneFile":
            return self._load_scene(path, parameters.get("clear", False), userMessages)
        read = {"VolumeFile": self._read_volume, "SegmentationFile": self._read_segmentation}.get(fileType)
        if read is None:
            raise NotImplementedError(f"reading a {fileType} is not in the test host")
        node = read(path, parameters)
        if node and loadedNodes is not None:
            loadedNodes.AddItem(node)
        return node is not None

    def saveNodes(self, fileType: str, parameters: dict, userMessages: Any = None) -> bool:
        path = str(parameters["fileName"])
        if fileType == "SceneFile":
            return self._save_scene(path)
        node = slicer.mrmlScene.GetNodeByID(parameters["nodeID"])
        if not node.GetStorageNode() and not node.AddDefaultStorageNode(path):
            return False
        node.GetStorageNode().SetFileName(path)
        return bool(node.GetStorageNode().WriteData(node))

    @staticmethod
    def _read_volume(path: str, parameters: dict) -> Any:
        options = 1 if parameters.get("labelmap") else 0  # vtkSlicerVolumesLogic::LabelMap
        logic = slicer.app.moduleLogic("Volumes")
        name = parameters.get("name") or Path(path).name.split(".")[0]
        volume = logic.AddArchetypeVolume(path, name, options)
        if volume and parameters.get("show", True):
            slicer.util.setSliceViewerLayers(background=volume, fit=True)
        return volume

    @staticmethod
    def _read_segmentation(path: str, parameters: dict) -> Any:
        return slicer.app.moduleLogic("Segmentations").LoadSegmentationFromFile(path, True)

    @staticmethod
    def _load_scene(path: str, clear: bool, messages: Any) -> bool:
        scene = slicer.mrmlScene
        scene.SetURL(path)
        if path.endswith(".mrb"):
            return bool(scene.ReadFromMRB(path, clear, messages))
        return bool(scene.Connect() if clear else scene.Import())

    @staticmethod
    def _save_scene(path: str) -> bool:
        scene = slicer.mrmlScene
        scene.SetURL(path)
        if path.endswith(".mrb"):
            return bool(scene.WriteToMRB(path))
        if path.endswith(".mrml"):
            scene.SetRootDirectory(str(Path(path).parent))
            return bool(scene.Commit(path))
        Path(path).mkdir(parents=True, exist_ok=True)
        return bool(slicer.app.applicationLogic().SaveSceneToSlicerDataBundleDirectory(path, None))
