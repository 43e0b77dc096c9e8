"""From volume and segment nodes to what the learner is asked: every voxel where it is in the patient."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from metasegment.annotation import BACKGROUND, UNKNOWN
from metasegment.errors import InputError

pytest.importorskip("slicer", reason="slicer-core is not installed")

import slicer
import vtk
from helpers.grids import geometry_with

from MetaSegmentLib.scene.SegmentRole import SegmentRole
from MetaSegmentLib.work.SceneBridge import SceneBridge
from MetaSegmentLib.work.SliceEntry import SliceEntry, SliceState


def done(axis: int, index: int, state: SliceState = SliceState.DONE) -> SliceEntry:
    return SliceEntry(axis, index, "", state, ())


def lps(ras: np.ndarray) -> np.ndarray:
    return ras * [-1, -1, 1]


@pytest.fixture
def a_linear_transform(a_scene: Any) -> Any:
    node = a_scene.AddNewNodeByClass("vtkMRMLLinearTransformNode", "Moved")
    transform = vtk.vtkTransform()
    transform.RotateWXYZ(30, 1, 2, 3)
    transform.Translate(5, -7, 11)
    node.SetMatrixTransformToParent(transform.GetMatrix())
    return node


@pytest.fixture
def a_warp(a_scene: Any) -> Any:
    node = a_scene.AddNewNodeByClass("vtkMRMLTransformNode", "Warp")
    warp = vtk.vtkThinPlateSplineTransform()
    for n in range(2):
        points = vtk.vtkPoints()
        for p in np.random.default_rng(n).normal(0, 20, (6, 3)):
            points.InsertNextPoint(p)
        (warp.SetSourceLandmarks if n else warp.SetTargetLandmarks)(points)
    warp.SetBasisToR()
    node.SetAndObserveTransformToParent(warp)
    return node


def test_the_voxels_of_a_volume_are_where_they_are_in_slicer(
    a_volume: Any, a_hand_on: Callable[..., Any], positions_of: Callable[..., np.ndarray]
) -> None:
    volume = SceneBridge(a_volume, a_hand_on(a_volume).segmentation).volume()
    marked = (3, 5, 7)
    assert volume.array[marked] == slicer.util.arrayFromVolume(a_volume)[marked]
    expected = lps(positions_of(a_volume, [marked]))[0]
    assert np.allclose((volume.geometry.index_to_world @ [7, 5, 3, 1])[:3], expected, atol=1e-3)


def test_a_volume_under_a_linear_transform_is_where_the_transform_puts_it(
    a_volume: Any, a_hand_on: Callable[..., Any], a_linear_transform: Any, positions_of: Callable[..., np.ndarray]
) -> None:
    a_volume.SetAndObserveTransformNodeID(a_linear_transform.GetID())
    geometry = SceneBridge(a_volume, a_hand_on(a_volume).segmentation).volume().geometry
    expected = lps(positions_of(a_volume, [(3, 5, 7)]))[0]
    assert np.allclose((geometry.index_to_world @ [7, 5, 3, 1])[:3], expected, atol=1e-3)


def test_a_volume_under_a_warp_is_refused_with_a_reason(a_plain_volume: Any, a_warp: Any) -> None:
    a_plain_volume.SetAndObserveTransformNodeID(a_warp.GetID())
    with pytest.raises(InputError, match=r"non-linear transform \('Warp'\): harden"):
        SceneBridge(a_plain_volume, None).volume()


def test_a_segmentation_under_a_warp_is_refused_with_a_reason(a_hand: Any, a_warp: Any) -> None:
    a_hand.segmentation.SetAndObserveTransformNodeID(a_warp.GetID())
    with pytest.raises(InputError, match="non-linear"):
        SceneBridge(a_hand.volume, a_hand.segmentation).annotation([done(0, 3)])


@pytest.mark.parametrize(
    ("node_class", "dimensions", "components", "reason"),
    [
        ("vtkMRMLVectorVolumeNode", (4, 5, 6), 3, "several components"),
        ("vtkMRMLLabelMapVolumeNode", (4, 5, 6), 1, "label map"),
        ("vtkMRMLScalarVolumeNode", (4, 5, 1), 1, "single slice"),
        ("vtkMRMLScalarVolumeNode", (4, 5, 6), 1, "nothing to segment"),
        ("vtkMRMLScalarVolumeNode", None, 1, "has no image"),
    ],
)
def test_what_is_no_volume_to_segment_is_refused_with_a_reason(
    a_scene: Any, node_class: str, dimensions: tuple[int, int, int] | None, components: int, reason: str
) -> None:
    node = a_scene.AddNewNodeByClass(node_class)
    if dimensions:
        image = vtk.vtkImageData()
        image.SetDimensions(dimensions)
        image.AllocateScalars(vtk.VTK_UNSIGNED_CHAR, components)
        image.GetPointData().GetScalars().Fill(1)
        node.SetAndObserveImageData(image)
    with pytest.raises(InputError, match=reason):
        SceneBridge(node, None).volume()


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_a_volume_with_voxels_that_are_no_numbers_is_refused(a_plain_volume: Any, bad: float) -> None:
    values = slicer.util.arrayFromVolume(a_plain_volume).astype(np.float32)
    values[2, 3, 4] = bad
    slicer.util.updateVolumeFromArray(a_plain_volume, values)
    with pytest.raises(InputError, match="NaN or infinite"):
        SceneBridge(a_plain_volume, None).volume()


@pytest.mark.parametrize("axis", [0, 1, 2])
def test_a_stroke_is_annotated_on_the_voxels_it_was_painted_on(
    a_volume: Any, a_hand_on: Callable[..., Any], axis: int
) -> None:
    hand = a_hand_on(a_volume)
    liver = hand.add("Liver")
    box = [slice(2, 5), slice(3, 7), slice(4, 6)]
    box[axis] = slice(4, 5)
    hand.paint(liver, *box)
    bridged = SceneBridge(a_volume, hand.segmentation).annotation([done(axis, 4)])
    expected = np.zeros(bridged.annotation.labels.shape, np.uint8)
    np.moveaxis(expected, axis, 0)[4] = BACKGROUND
    expected[tuple(box)] = 1
    assert np.array_equal(bridged.annotation.labels, expected)
    assert bridged.segmentIDs == {1: liver}


def test_segments_under_another_transform_than_the_volume_are_annotated_where_they_are_seen(
    a_volume: Any, a_hand_on: Callable[..., Any], a_linear_transform: Any
) -> None:
    hand = a_hand_on(a_volume)
    liver = hand.add("Liver")
    a_volume.SetAndObserveTransformNodeID(a_linear_transform.GetID())
    hand.segmentation.SetAndObserveTransformNodeID(a_linear_transform.GetID())
    hand.paint(liver, slice(3, 4), slice(2, 6), slice(3, 8))
    hand.segmentation.HardenTransform()
    labels = SceneBridge(a_volume, hand.segmentation).annotation([done(0, 3)]).annotation.labels
    expected = np.zeros_like(labels)
    expected[3] = BACKGROUND
    expected[3, 2:6, 3:8] = 1
    assert np.array_equal(labels, expected)


def test_segments_on_a_finer_grid_than_the_volume_are_annotated_where_they_are(
    a_hand: Any, a_volume_on: Callable[..., Any]
) -> None:
    spacing, origin = np.array((0.4, 0.45, 1.25)), np.array((10.0, -20.0, 30.0))
    fine = a_volume_on(geometry_with((100, 80, 60), tuple(spacing), tuple(origin - spacing / 2)), "fine")
    a_hand.segmentation.SetReferenceImageGeometryParameterFromVolumeNode(fine)
    liver = a_hand.add("Liver")
    coarse, a_hand.volume = a_hand.volume, fine
    a_hand.paint(liver, slice(20, 22), slice(10, 20), slice(30, 50))
    labels = SceneBridge(coarse, a_hand.segmentation).annotation([done(0, 10)]).annotation.labels
    assert {tuple(p) for p in np.argwhere(labels == 1)} == {(10, j, i) for j in range(5, 10) for i in range(15, 25)}


def test_segments_on_a_part_of_the_volumes_grid_are_annotated_where_they_are(
    a_hand: Any, a_volume_on: Callable[..., Any]
) -> None:
    origin = (10.0 - 0.8 * 2, -20.0 + 0.9 * 3, 30.0 + 2.5 * 4)  # sticks out of the volume along i
    part = a_volume_on(geometry_with((20, 20, 10), (0.8, 0.9, 2.5), origin), "part")
    a_hand.segmentation.SetReferenceImageGeometryParameterFromVolumeNode(part)
    liver = a_hand.add("Liver")
    volume, a_hand.volume = a_hand.volume, part
    a_hand.paint(liver, slice(2, 3), slice(5, 9), slice(0, 12))
    labels = SceneBridge(volume, a_hand.segmentation).annotation([done(0, 6)]).annotation.labels
    assert {tuple(p) for p in np.argwhere(labels == 1)} == {(6, j, i) for j in range(8, 12) for i in range(10)}


@pytest.mark.parametrize("shift", [(60, 0, 0), (-60, 0, 0), (0, 50, 0), (0, -50, 0)])
def test_segments_beside_the_volume_are_not_on_its_slices(
    a_hand: Any, a_volume_on: Callable[..., Any], shift: tuple[int, int, int]
) -> None:
    origin = tuple(np.array((10.0, -20.0, 30.0)) + np.multiply(shift, (0.8, 0.9, 2.5)))
    a_hand.stroke(a_hand.add("Liver"), (0, 5))
    beside = a_volume_on(geometry_with((50, 40, 30), (0.8, 0.9, 2.5), origin), "beside")
    with pytest.raises(InputError, match="No structure is drawn"):
        SceneBridge(beside, a_hand.segmentation).annotation([done(0, 5)])


def test_where_segments_overlap_the_lower_one_in_the_table_has_the_voxel(a_hand: Any) -> None:
    organ, tumour = a_hand.add("Organ"), a_hand.add("Tumour")
    a_hand.paint(tumour, slice(5, 6), slice(10, 20), slice(10, 20))
    a_hand.paint(organ, slice(5, 6), slice(5, 25), slice(5, 25))
    assert a_hand.segmentation.GetSegmentation().GetNumberOfLayers() == 2
    labels = SceneBridge(a_hand.volume, a_hand.segmentation).annotation([done(0, 5)]).annotation.labels
    assert np.count_nonzero(labels[5] == 2) == 100
    assert np.count_nonzero(labels[5] == 1) == 300


def test_segments_that_share_a_layer_keep_their_own_voxels(a_hand: Any) -> None:
    left, right = a_hand.add("Left"), a_hand.add("Right")
    a_hand.paint(left, slice(5, 6), slice(10, 20), slice(5, 15))
    a_hand.paint(right, slice(5, 6), slice(10, 20), slice(15, 30))
    assert a_hand.segmentation.GetSegmentation().GetNumberOfLayers() == 1
    annotation = SceneBridge(a_hand.volume, a_hand.segmentation).annotation([done(0, 5)]).annotation
    assert np.bincount(annotation.labels[5].ravel())[1:3].tolist() == [100, 150]


def test_names_and_colours_go_with_the_structures(a_hand: Any) -> None:
    liver = a_hand.add("Liver")
    a_hand.segmentation.GetSegmentation().GetSegment(liver).SetColor(0.25, 0.5, 0.75)
    a_hand.stroke(liver, (0, 5))
    annotation = SceneBridge(a_hand.volume, a_hand.segmentation).annotation([done(0, 5)]).annotation
    assert annotation.names == {1: "Liver"}
    assert annotation.colors == {1: (0.25, 0.5, 0.75)}


def test_a_structure_on_no_used_slice_is_named_as_unused(a_hand: Any) -> None:
    liver, _empty, elsewhere = a_hand.add("Liver"), a_hand.add("Empty"), a_hand.add("Elsewhere")
    a_hand.stroke(liver, (0, 5))
    a_hand.stroke(elsewhere, (0, 9))
    bridged = SceneBridge(a_hand.volume, a_hand.segmentation).annotation([done(0, 5)])
    assert bridged.unused == ("Empty", "Elsewhere")
    assert bridged.segmentIDs == {1: liver}


def test_a_hidden_structure_is_learnt_all_the_same(a_hand: Any) -> None:
    liver = a_hand.add("Liver")
    a_hand.stroke(liver, (0, 5))
    a_hand.segmentation.GetDisplayNode().SetSegmentVisibility(liver, False)
    assert SceneBridge(a_hand.volume, a_hand.segmentation).annotation([done(0, 5)]).segmentIDs == {1: liver}


@pytest.mark.parametrize("role", [SegmentRole.LOCKED, SegmentRole.LEFT_ALONE])
def test_a_segment_that_is_no_structure_is_background(a_hand: Any, role: SegmentRole) -> None:
    liver, ribs = a_hand.add("Liver"), a_hand.add("Ribs")
    a_hand.paint(liver, slice(5, 6), slice(10, 20), slice(5, 15))
    a_hand.paint(ribs, slice(5, 6), slice(10, 20), slice(15, 30))
    role.assign(a_hand.segmentation, ribs)
    bridged = SceneBridge(a_hand.volume, a_hand.segmentation).annotation([done(0, 5)])
    assert np.unique(bridged.annotation.labels[5]).tolist() == [1, BACKGROUND]
    assert bridged.unused == ()


@pytest.mark.parametrize("state", [SliceState.PARTLY, SliceState.IGNORED])
def test_a_slice_that_is_not_to_be_used_stays_unknown(a_hand: Any, state: SliceState) -> None:
    liver = a_hand.add("Liver")
    a_hand.stroke(liver, (0, 5))
    a_hand.stroke(liver, (0, 7))
    labels = (
        SceneBridge(a_hand.volume, a_hand.segmentation).annotation([done(0, 5), done(0, 7, state)]).annotation.labels
    )
    assert (labels[7] == UNKNOWN).all()


def test_a_slice_without_the_structures_is_pure_background(a_hand: Any) -> None:
    liver = a_hand.add("Liver")
    a_hand.stroke(liver, (0, 5))
    entries = [done(0, 5), done(0, 20, SliceState.ABSENT)]
    labels = SceneBridge(a_hand.volume, a_hand.segmentation).annotation(entries).annotation.labels
    assert (labels[20] == BACKGROUND).all()


def test_content_of_a_segment_counts_only_on_the_slices_listed(a_hand: Any) -> None:
    liver = a_hand.add("Liver")
    a_hand.paint(liver, slice(5, 15), slice(10, 20), slice(10, 20))
    labels = SceneBridge(a_hand.volume, a_hand.segmentation).annotation([done(1, 12)]).annotation.labels
    assert np.count_nonzero(labels == 1) == 10 * 10
    assert not np.delete(labels, 12, axis=1).any()


def test_slices_without_any_structure_are_not_enough(a_hand: Any) -> None:
    a_hand.stroke(a_hand.add("Liver"), (0, 5))
    with pytest.raises(InputError, match="No structure is drawn"):
        SceneBridge(a_hand.volume, a_hand.segmentation).annotation([done(0, 20, SliceState.ABSENT)])


def test_a_volume_that_was_removed_is_refused(a_scene: Any, a_hand: Any) -> None:
    a_scene.RemoveNode(a_hand.volume)
    with pytest.raises(InputError, match="no volume"):
        SceneBridge(a_hand.volume, a_hand.segmentation).volume()


def test_surfaces_are_refused_with_a_reason(a_scene: Any, a_hand: Any) -> None:
    sphere = vtk.vtkSphereSource()
    sphere.Update()
    surfaces = a_scene.AddNewNodeByClass("vtkMRMLSegmentationNode")
    surfaces.SetSourceRepresentationToClosedSurface()
    surfaces.AddSegmentFromClosedSurfaceRepresentation(sphere.GetOutput(), "Ball", (1, 0, 0))
    with pytest.raises(InputError, match="are surfaces"):
        SceneBridge(a_hand.volume, surfaces).annotation([done(0, 5)])


def test_nothing_annotated_is_said_in_words(a_hand: Any) -> None:
    a_hand.stroke(a_hand.add("Liver"), (0, 5))
    with pytest.raises(InputError, match="No slice is finished"):
        SceneBridge(a_hand.volume, a_hand.segmentation).annotation([])
