"""The real MRML scene with the logics of Slicer's modules, as the application wires them; no Qt, no views.

Source: qSlicerCoreApplication.cxx and the setup() of the loadable modules.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import slicer
import vtk

_LOGICS = {  # module name -> class of its logic
    "Cameras": "vtkSlicerCamerasModuleLogic",
    "CropVolume": "vtkSlicerCropVolumeLogic",
    "Markups": "vtkSlicerMarkupsLogic",
    "Models": "vtkSlicerModelsLogic",
    "Segmentations": "vtkSlicerSegmentationsModuleLogic",
    "Sequences": "vtkSlicerSequencesLogic",
    "SubjectHierarchy": "vtkSlicerSubjectHierarchyModuleLogic",
    "Tables": "vtkSlicerTablesLogic",
    "Terminologies": "vtkSlicerTerminologiesModuleLogic",
    "Texts": "vtkSlicerTextsLogic",
    "Transforms": "vtkSlicerTransformLogic",
    "Units": "vtkSlicerUnitsLogic",
    "VolumeRendering": "vtkSlicerVolumeRenderingLogic",
    "Volumes": "vtkSlicerVolumesLogic",
}


@dataclass(frozen=True)
class World:
    """The scene, the application logic and the logic of each loadable module by its name; services the scene needs."""

    scene: Any
    application_logic: Any
    logics: dict[str, Any]
    services: tuple[Any, ...]


def build_world(folder: Path) -> World:
    """A fresh scene, published as slicer.mrmlScene; temporary files of the logics go to the folder."""
    quiet_missing_resources()
    scene = slicer.vtkMRMLScene()
    application = slicer.vtkSlicerApplicationLogic()
    application.SetTemporaryPath(str(folder))
    application.SetMRMLScene(scene)
    remote, manager = slicer.vtkMRMLRemoteIOLogic(), slicer.vtkDataIOManagerLogic()
    remote.GetCacheManager().SetRemoteCacheDirectory(str(folder))  # reading an .mrb needs one
    manager.SetMRMLApplicationLogic(application)
    manager.SetAndObserveDataIOManager(remote.GetDataIOManager())
    application.SetMRMLSceneDataIO(scene, remote, manager)
    colours = application.GetColorLogic()
    colours.SetMRMLScene(scene)
    colours.AddDefaultColorNodes()
    application.SetSliceLogics(vtk.vtkCollection())
    application.SetViewLogics(vtk.vtkCollection())
    slicer.mrmlScene = scene
    logics = {name: _logic(name, kind, scene, application, folder) for name, kind in _LOGICS.items()}
    application.SetModuleLogic("Colors", colours)  # loaded volumes get their grey from it
    slicer.vtkMRMLSliceNode.AddDefaultSliceOrientationPresets(scene, True)
    return World(scene, application, logics, (remote, manager))


def quiet_missing_resources() -> None:
    """VTK's warnings go to the terminal only when asked: the terminology files are not in slicer-core."""
    vtk.vtkLogger.SetStderrVerbosity(vtk.vtkLogger.VERBOSITY_OFF)


def _logic(name: str, kind: str, scene: Any, application: Any, folder: Path) -> Any:
    logic = getattr(slicer, kind)()
    if hasattr(logic, "SetModuleShareDirectory"):
        logic.SetModuleShareDirectory(str(folder))
    logic.SetMRMLScene(scene)
    logic.SetMRMLApplicationLogic(application)
    application.SetModuleLogic(name, logic)
    return logic
