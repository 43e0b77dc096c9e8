"""Fixtures of the Slicer module's tests: a real MRML scene, volumes on awkward grids, and a hand that paints."""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
from helpers.grids import geometry_with

from metasegment.volume import Geometry

MODULE_FOLDER = Path(__file__).resolve().parents[2] / "MetaSegment"
if str(MODULE_FOLDER) not in sys.path:
    sys.path.insert(0, str(MODULE_FOLDER))  # Slicer has the module's folder on its path
if importlib.util.find_spec("slicer") and not importlib.util.find_spec("slicer.i18n"):
    untranslated = ModuleType("slicer.i18n")  # slicer-core lacks it: Base/Python/slicer/i18n.py
    untranslated.tr = lambda text: text  # type: ignore[attr-defined]
    untranslated.translate = lambda context, text: text  # type: ignore[attr-defined]
    sys.modules["slicer.i18n"] = untranslated

from host.fixtures import a_host, a_host_with_views  # noqa: E402, F401
from module.panel_fixtures import *  # noqa: E402, F403

_RAS_LPS = np.diag([-1.0, -1.0, 1.0, 1.0])


@pytest.fixture
def a_scene(tmp_path: Path) -> Iterator[Any]:
    """An empty scene with the logics that Slicer's own start-up puts on it, and Red, Green and Yellow slice views."""
    slicer = pytest.importorskip("slicer", reason="slicer-core is not installed")
    scene = slicer.vtkMRMLScene()
    slicer.mrmlScene = scene
    cache, transfers = slicer.vtkCacheManager(), slicer.vtkDataIOManager()  # .mrb files are unpacked in the cache
    cache.SetRemoteCacheDirectory(str(tmp_path))
    transfers.SetCacheManager(cache)
    scene.SetDataIOManager(transfers)
    application = slicer.vtkSlicerApplicationLogic()
    application.SetMRMLScene(scene)
    application.GetColorLogic().SetMRMLScene(scene)
    application.GetColorLogic().AddDefaultColorNodes()
    segmentations = slicer.vtkSlicerSegmentationsModuleLogic()
    segmentations.SetModuleShareDirectory(str(tmp_path))
    segmentations.SetMRMLApplicationLogic(application)
    segmentations.SetMRMLScene(scene)
    application.SetModuleLogic("Segmentations", segmentations)
    slicer.vtkMRMLSliceNode.AddDefaultSliceOrientationPresets(scene, True)
    for name, orientation in (("Red", "Axial"), ("Green", "Coronal"), ("Yellow", "Sagittal")):
        view = scene.AddNewNodeByClass("vtkMRMLSliceNode", name)
        view.SetLayoutName(name)
        view.SetOrientation(orientation)
        scene.AddNewNodeByClass("vtkMRMLSliceCompositeNode", name).SetLayoutName(name)
    yield scene
    scene.Clear(True)


@pytest.fixture
def a_volume_on(a_scene: Any) -> Callable[..., Any]:
    """Builds a volume node of int16 noise on a geometry (LPS, as `metasegment` has it)."""
    import slicer

    def build(geometry: Geometry, name: str = "CT") -> Any:
        node = a_scene.AddNewNodeByClass("vtkMRMLScalarVolumeNode", name)
        node.SetIJKToRASMatrix(slicer.util.vtkMatrixFromArray(_RAS_LPS @ geometry.index_to_world))
        noise = np.random.default_rng(1).integers(-1000, 1000, geometry.shape).astype(np.int16)
        slicer.util.updateVolumeFromArray(node, noise)
        return node

    return build


@pytest.fixture
def a_volume(a_volume_on: Callable[..., Any], awkward_geometry: Geometry) -> Any:
    """A volume node on each awkward grid: anisotropic, flipped, left-handed, sagittal, oblique."""
    return a_volume_on(awkward_geometry)


@pytest.fixture
def a_plain_volume(a_volume_on: Callable[..., Any]) -> Any:
    """A volume node of 30 axial slices of 40 x 50 voxels."""
    return a_volume_on(geometry_with((50, 40, 30), (0.8, 0.9, 2.5), (10.0, -20.0, 30.0)))


@dataclass
class Hand:
    """The user's hand in the Segment Editor: edits segments through Slicer's own logic, with undo."""

    volume: Any
    segmentation: Any
    editor: Any
    logic: Any

    def add(self, name: str) -> str:
        """A new empty segment; its ID."""
        return str(self.segmentation.GetSegmentation().AddEmptySegment("", name))

    def paint(self, segment_id: str, *box: slice, erase: bool = False) -> None:
        """Paint a box (k, j, i) of the volume's voxels into a segment, as one step of undo."""
        from MetaSegmentLib.scene.LabelImage import imageOf
        from MetaSegmentLib.scene.VolumeGrid import VolumeGrid, toWorld

        grid = VolumeGrid.of(self.volume)
        ranges = [part.indices(n)[:2] for part, n in zip(box, grid.shape, strict=True)]
        ones = np.ones([stop - start for start, stop in ranges], np.uint8)
        to_ras = np.linalg.inv(toWorld(self.segmentation)) @ grid.ijkToWorld
        brush = imageOf(ones, to_ras, [start for start, _stop in ranges])
        self.logic.SaveStateForUndo()
        mode = self.logic.ModificationModeRemove if erase else self.logic.ModificationModeAdd
        self.logic.ModifySegmentByLabelmap(self.segmentation, segment_id, brush, mode, False, False)

    def stroke(self, segment_id: str, plane: tuple[int, int], erase: bool = False) -> None:
        """Paint a rectangle well inside a plane of the volume."""
        from MetaSegmentLib.scene.VolumeGrid import VolumeGrid

        shape = VolumeGrid.of(self.volume).shape
        box = [slice(n // 4, n // 4 + n // 2) for n in shape]
        box[plane[0]] = slice(plane[1], plane[1] + 1)
        self.paint(segment_id, *box, erase=erase)

    def erase(self, segment_id: str, *box: slice) -> None:
        """Erase a box (k, j, i), as one step of undo."""
        self.paint(segment_id, *box, erase=True)

    def undo(self) -> None:
        self.logic.Undo()

    def redo(self) -> None:
        self.logic.Redo()


@pytest.fixture
def a_hand_on(a_scene: Any) -> Callable[[Any], Hand]:
    """Builds a new segmentation of a volume node, and the hand that paints in it."""
    import slicer

    def build(volume: Any) -> Hand:
        segmentation = a_scene.AddNewNodeByClass("vtkMRMLSegmentationNode", "Segmentation")
        segmentation.CreateDefaultDisplayNodes()
        segmentation.SetReferenceImageGeometryParameterFromVolumeNode(volume)
        editor = a_scene.AddNewNodeByClass("vtkMRMLSegmentEditorNode")
        logic = slicer.vtkSlicerSegmentEditorLogic()
        logic.SetMRMLScene(a_scene)
        logic.SetSegmentEditorNode(editor)
        logic.SetSegmentationNode(segmentation)
        logic.SetSourceVolumeNode(volume)
        logic.SetMaximumNumberOfUndoStates(10)
        editor.SetOverwriteMode(editor.OverwriteNone)
        return Hand(volume, segmentation, editor, logic)

    return build


@pytest.fixture
def a_hand(a_hand_on: Callable[[Any], Hand], a_plain_volume: Any) -> Hand:
    return a_hand_on(a_plain_volume)


@pytest.fixture
def voxels_of(a_scene: Any) -> Callable[[Any, str], np.ndarray]:
    """Reads the voxels of a segment as sorted world positions (RAS mm, rounded), whatever grid and layer it is on."""
    from MetaSegmentLib.scene.LabelImage import arrayOf, ijkToRasOf, startOf
    from MetaSegmentLib.scene.VolumeGrid import toWorld

    def read(node: Any, segment_id: str) -> np.ndarray:
        image = node.GetBinaryLabelmapInternalRepresentation(segment_id)
        if image is None or image.IsEmpty():
            return np.empty((0, 3))
        label = node.GetSegmentation().GetSegment(segment_id).GetLabelValue()
        kji = np.argwhere(arrayOf(image) == label) + startOf(image)
        ijk1 = np.column_stack([kji[:, ::-1], np.ones(len(kji))])
        return np.unique(np.round((toWorld(node) @ ijkToRasOf(image) @ ijk1.T)[:3].T, 3) + 0.0, axis=0)

    return read


@pytest.fixture
def positions_of(a_scene: Any) -> Callable[[Any, Sequence[Sequence[int]]], np.ndarray]:
    """World positions (RAS mm, rounded, sorted) of voxels (k, j, i) of a volume node, through MRML's own matrices."""
    import vtk

    def read(volume: Any, kji: Sequence[Sequence[int]]) -> np.ndarray:
        matrix, moved = vtk.vtkMatrix4x4(), vtk.vtkMatrix4x4()
        volume.GetIJKToRASMatrix(matrix)
        if transform := volume.GetParentTransformNode():
            transform.GetMatrixTransformToWorld(moved)
        points = [moved.MultiplyPoint(matrix.MultiplyPoint([*map(float, p[::-1]), 1.0]))[:3] for p in kji]
        return np.unique(np.round(points, 3) + 0.0, axis=0)

    return read
