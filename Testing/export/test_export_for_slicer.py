"""What is exported is what Slicer's own code reads: segments in a .seg.nrrd, surfaces in their place."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("slicer", reason="slicer-core is not installed")

import slicer
from vtkmodules.util.numpy_support import vtk_to_numpy
from vtkmodules.vtkCommonCore import mutable
from vtkmodules.vtkCommonDataModel import vtkPolyData
from vtkmodules.vtkCommonMath import vtkMatrix4x4
from vtkmodules.vtkFiltersCore import vtkFeatureEdges, vtkMassProperties

from metasegment.anatomy.terminology import terminology_of
from metasegment.export import read_structures, to_file, write_segmentation
from metasegment.io.seg_nrrd import header_of, labels_in
from metasegment.io.terminology import entry_of, terminology_in
from metasegment.structure import Code, Segment, Terminology
from metasegment.volume import Geometry

RAS = np.array([-1, -1, 1])  # times LPS


@pytest.fixture
def labels(awkward_geometry: Geometry) -> np.ndarray:
    labels = np.zeros(awkward_geometry.shape, np.uint8)
    labels[2:6, 3:8, 4:8] = 1
    labels[6:8, 3:6, 4:13] = 3
    return labels


@pytest.fixture
def a_segmentation(labels: np.ndarray, awkward_geometry: Geometry, tmp_path: Path) -> Path:
    write_segmentation(labels, awkward_geometry, tmp_path / "drawn.seg.nrrd", {1: "Left kidney"}, {1: (0.25, 0.5, 1.0)})
    return tmp_path / "drawn.seg.nrrd"


def _loaded(path: Path) -> slicer.vtkMRMLSegmentationNode:
    scene = slicer.vtkMRMLScene()
    node = scene.AddNewNodeByClass("vtkMRMLSegmentationNode")
    storage = scene.AddNewNodeByClass("vtkMRMLSegmentationStorageNode")
    storage.SetFileName(str(path))
    assert storage.ReadData(node)
    node.kept = scene  # the node does not keep its scene
    return node


def test_slicer_reads_names_colours_and_codes(a_segmentation: Path) -> None:
    segmentation = _loaded(a_segmentation).GetSegmentation()
    assert segmentation.GetNumberOfSegments() == 2
    kidney = segmentation.GetNthSegment(0)
    assert (kidney.GetName(), kidney.GetColor(), kidney.GetLabelValue()) == ("Left kidney", (0.25, 0.5, 1.0), 1)
    logic = slicer.vtkSlicerTerminologiesModuleLogic()
    entry = slicer.vtkSlicerTerminologyEntry()
    for segment, codes in ((kidney, ("123037004", "64033007", "7771000")), (segmentation.GetNthSegment(1), None)):
        tag = mutable("")
        assert segment.GetTag(segment.GetTerminologyEntryTagName(), tag)
        assert logic.DeserializeTerminologyEntry(str(tag), entry)
        category, kind, side = entry.GetCategoryObject(), entry.GetTypeObject(), entry.GetTypeModifierObject()
        found = (category.GetCodeValue(), kind.GetCodeValue(), side.GetCodeValue())
        assert found == codes if codes else found[:2] == ("85756007", "85756007")


def test_slicer_finds_the_voxels_in_their_place(
    a_segmentation: Path, labels: np.ndarray, awkward_geometry: Geometry
) -> None:
    node = _loaded(a_segmentation)
    segmentation = node.GetSegmentation()
    for n, label in enumerate((1, 3)):
        image = slicer.vtkOrientedImageData()
        assert node.GetBinaryLabelmapRepresentation(segmentation.GetNthSegmentID(n), image)
        voxels = vtk_to_numpy(image.GetPointData().GetScalars()).reshape(image.GetDimensions()[::-1])
        k, j, i = np.nonzero(voxels)
        matrix = np.eye(4)
        to_ras = vtkMatrix4x4()
        image.GetImageToWorldMatrix(to_ras)
        to_ras.DeepCopy(matrix.ravel(), to_ras)
        extent = image.GetExtent()
        found = np.column_stack([i + extent[0], j + extent[2], k + extent[4]]).mean(axis=0)
        centre = (matrix @ [*found, 1])[:3]
        np.testing.assert_allclose(centre, RAS * _centre(labels == label, awkward_geometry), atol=1e-3)
        assert len(k) == np.count_nonzero(labels == label)


def test_what_slicer_saves_keeps_names_and_codes(a_segmentation: Path, labels: np.ndarray, tmp_path: Path) -> None:
    node = _loaded(a_segmentation)
    node.GetSegmentation().GetNthSegment(1).SetName("Tumour")
    storage = node.kept.AddNewNodeByClass("vtkMRMLSegmentationStorageNode")
    storage.SetFileName(str(tmp_path / "saved.seg.nrrd"))
    assert storage.WriteData(node)
    before = read_structures(a_segmentation)
    after = read_structures(tmp_path / "saved.seg.nrrd", before.geometry)
    assert [segment.name for segment in after.segments] == ["Left kidney", "Tumour"]
    assert [segment.terminology for segment in after.segments] == [segment.terminology for segment in before.segments]
    np.testing.assert_array_equal(after.labels > 0, labels > 0)
    np.testing.assert_array_equal(after.labels == after.segments[0].label, labels == 1)


@pytest.mark.parametrize("suffix", [".stl", ".ply", ".obj"])
def test_slicer_finds_surfaces_in_their_place_closed_and_with_the_volume_of_the_voxels(
    a_segmentation: Path, labels: np.ndarray, awkward_geometry: Geometry, tmp_path: Path, suffix: str
) -> None:
    files = to_file(a_segmentation, tmp_path / f"out{suffix}").files
    assert [file.name for file in files] == [f"out_Left_kidney{suffix}", f"out_Structure_3{suffix}"]
    for file, label in zip(files, (1, 3), strict=True):
        surface = _loaded_surface(file)
        points = vtk_to_numpy(surface.GetPoints().GetData())
        voxels = RAS * _world(labels == label, awkward_geometry)
        middle, wanted = ((cloud.max(axis=0) + cloud.min(axis=0)) / 2 for cloud in (points, voxels))
        np.testing.assert_allclose(middle, wanted, atol=0.2 * max(awkward_geometry.spacing))
        volume = vtkMassProperties()
        volume.SetInputData(surface)
        assert volume.GetVolume() == pytest.approx(np.prod(awkward_geometry.spacing) * len(voxels), rel=0.01)
        assert _signed_volume(surface) > 0, "turned inside out"
        edges = vtkFeatureEdges()
        edges.SetInputData(surface)
        edges.FeatureEdgesOff()
        edges.Update()
        assert edges.GetOutput().GetNumberOfCells() == 0, "open or branching"


def _loaded_surface(path: Path) -> vtkPolyData:
    scene = slicer.vtkMRMLScene()
    node = scene.AddNewNodeByClass("vtkMRMLModelNode")
    storage = scene.AddNewNodeByClass("vtkMRMLModelStorageNode")
    storage.SetFileName(str(path))
    assert storage.ReadData(node)
    surface = vtkPolyData()
    surface.DeepCopy(node.GetPolyData())
    return surface


def _signed_volume(surface: vtkPolyData) -> float:
    triangles = vtk_to_numpy(surface.GetPolys().GetConnectivityArray()).reshape(-1, 3)
    points = vtk_to_numpy(surface.GetPoints().GetData()).astype(float)
    points -= points.mean(axis=0)
    a, b, c = (points[triangles[:, n]] for n in range(3))
    return float(np.einsum("nx,nx->", a, np.cross(b, c)))


def _world(mask: np.ndarray, geometry: Geometry) -> np.ndarray:
    to_world = geometry.index_to_world
    return np.argwhere(mask)[:, ::-1] @ to_world[:3, :3].T + to_world[:3, 3]


def _centre(mask: np.ndarray, geometry: Geometry) -> np.ndarray:
    return _world(mask, geometry).mean(axis=0)


@pytest.mark.parametrize("name", ["Liver", "left Kidney", "right_adrenal gland", "Oesophagus", "Tumour", "Left atrium"])
def test_well_known_names_have_their_codes(name: str) -> None:
    from pydicom.sr.codedict import codes

    found = terminology_of(name)
    assert found.category.value in ("123037004", "49755003")
    words = name.lower().replace("_", " ").replace("oeso", "eso").replace("tumour", "tumor")
    keyword = words.removeprefix("right ").removeprefix("left kidney") or "kidney"
    concept = getattr(codes.SCT, keyword.title().replace(" ", ""))
    assert (found.type.value, found.type.scheme) == (concept.value, "SCT")


@pytest.mark.parametrize("name", ["", "left", "Struktur 4", "left something", "GTV"])
def test_other_names_are_tissue_as_in_slicer(name: str) -> None:
    assert terminology_of(name).type.meaning == "Tissue"


def test_all_codes_survive_the_header_of_a_seg_nrrd() -> None:
    region = Code("SCT", "69536005", "Head"), Code("SCT", "24028007", "Right")
    side = Code("SCT", "7771000", "Left")
    everything = Terminology(Code("SCT", "1", "a"), Code("99X", "2", "b|c~d^e"), side, *region)
    segment = Segment(7, "mine", (0.5, 0.25, 1.0), everything)
    _, (found,), _ = labels_in(np.zeros((6, 5, 4), np.uint8), header_of((segment,), (4, 5, 6)))
    assert found.terminology.type.meaning == "b c d e"  # Slicer's separators cannot be written
    assert (found.terminology.region, found.terminology.region_modifier) == region
    assert found.terminology.modifier == side
    assert terminology_in(entry_of(terminology_of("liver"))) == terminology_of("liver")
    assert terminology_in("nonsense") is None
