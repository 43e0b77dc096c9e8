"""The preview shows the learner's answer beside the user's segments, and leaves no trace of itself."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from metasegment.errors import InputError

pytest.importorskip("slicer", reason="slicer-core is not installed")

import slicer
import vtk

from MetaSegmentLib.scene.Preview import Preview

REGION = (slice(2, 6), slice(3, 8), slice(1, 7))


def an_answer(volume: Any) -> np.ndarray:
    """Builds labels 1 and 2 for a volume node, two touching boxes within REGION."""
    labels = np.zeros(slicer.util.arrayFromVolume(volume).shape, np.uint8)
    labels[2:5, 3:6, 1:4] = 1
    labels[3:6, 5:8, 4:7] = 2
    return labels


@pytest.fixture
def two_structures(a_hand: Any) -> dict[int, str]:
    return {1: a_hand.add("Liver"), 2: a_hand.add("Spleen")}


def everything_in(scene: Any) -> str:
    """The scene as text, times of modification left out."""
    scene.SetSaveToXMLString(1)
    scene.Commit("unused.mrml")
    return str(scene.GetSceneXMLString())


def test_each_label_is_where_it_is_in_the_volume(
    a_volume: Any,
    a_hand_on: Callable[..., Any],
    voxels_of: Callable[..., np.ndarray],
    positions_of: Callable[..., np.ndarray],
) -> None:
    hand = a_hand_on(a_volume)
    liver, spleen = hand.add("Liver"), hand.add("Spleen")
    labels = an_answer(a_volume)
    preview = Preview(a_volume, hand.segmentation)
    preview.show(labels, REGION, {1: liver, 2: spleen})
    for label, segment in ((1, liver), (2, spleen)):
        expected = positions_of(a_volume, np.argwhere(labels == label).tolist())
        assert np.allclose(voxels_of(preview.node, segment), expected, atol=2e-3)


def test_it_follows_the_transform_of_the_volume(
    a_scene: Any,
    a_hand: Any,
    two_structures: dict[int, str],
    voxels_of: Callable[..., np.ndarray],
    positions_of: Callable[..., np.ndarray],
) -> None:
    transform = a_scene.AddNewNodeByClass("vtkMRMLLinearTransformNode")
    matrix = vtk.vtkTransform()
    matrix.RotateX(20)
    transform.SetMatrixTransformToParent(matrix.GetMatrix())
    a_hand.volume.SetAndObserveTransformNodeID(transform.GetID())
    labels = an_answer(a_hand.volume)
    preview = Preview(a_hand.volume, a_hand.segmentation)
    preview.show(labels, REGION, two_structures)
    expected = positions_of(a_hand.volume, np.argwhere(labels == 1).tolist())
    assert np.allclose(voxels_of(preview.node, two_structures[1]), expected, atol=2e-3)


def test_names_colours_and_terminology_are_those_of_the_user(a_hand: Any, two_structures: dict[int, str]) -> None:
    liver = a_hand.segmentation.GetSegmentation().GetSegment(two_structures[1])
    liver.SetColor(0.25, 0.5, 0.75)
    liver.SetTerminology(
        "Segmentation category and type~SCT^85756007^Tissue~SCT^10200004^Liver~^^~Anatomic codes~^^~^^"
    )
    preview = Preview(a_hand.volume, a_hand.segmentation)
    preview.show(an_answer(a_hand.volume), REGION, two_structures)
    shown = preview.node.GetSegmentation().GetSegment(two_structures[1])
    assert (shown.GetName(), shown.GetColor()) == ("Liver", (0.25, 0.5, 0.75))
    assert shown.GetTerminology() == liver.GetTerminology()


def test_the_users_segments_stay_untouched(
    a_hand: Any, two_structures: dict[int, str], voxels_of: Callable[..., np.ndarray]
) -> None:
    a_hand.stroke(two_structures[1], (0, 12))
    before, changes = (
        voxels_of(a_hand.segmentation, two_structures[1]),
        a_hand.segmentation.GetSegmentation().GetMTime(),
    )
    preview = Preview(a_hand.volume, a_hand.segmentation)
    preview.show(an_answer(a_hand.volume), REGION, two_structures)
    preview.show3D(True)
    preview.remove()
    assert np.array_equal(voxels_of(a_hand.segmentation, two_structures[1]), before)
    assert a_hand.segmentation.GetSegmentation().GetMTime() == changes


def test_a_better_answer_replaces_the_first(
    a_hand: Any, two_structures: dict[int, str], voxels_of: Callable[..., np.ndarray]
) -> None:
    preview = Preview(a_hand.volume, a_hand.segmentation)
    preview.show(an_answer(a_hand.volume), REGION, two_structures)
    first = preview.node
    better = np.zeros_like(an_answer(a_hand.volume))
    better[20, 30, 40] = 2
    preview.show(better, (slice(20, 21), slice(30, 31), slice(40, 41)), two_structures)
    assert preview.node is first
    assert len(voxels_of(first, two_structures[1])) == 0
    assert len(voxels_of(first, two_structures[2])) == 1


def test_surfaces_are_made_on_request_and_follow_a_better_answer(a_hand: Any, two_structures: dict[int, str]) -> None:
    preview = Preview(a_hand.volume, a_hand.segmentation)
    labels = an_answer(a_hand.volume)
    preview.show(labels, REGION, two_structures)
    assert not preview.is3D
    preview.show3D(True)
    small = preview.node.GetClosedSurfaceInternalRepresentation(two_structures[1]).GetNumberOfPoints()
    labels[2:25, 3:30, 1:30] = 1
    preview.show(labels, (slice(0, 30),) * 3, two_structures)
    assert preview.is3D
    assert preview.node.GetClosedSurfaceInternalRepresentation(two_structures[1]).GetNumberOfPoints() > small > 0
    preview.show3D(False)
    assert not preview.is3D


def test_a_structure_whose_segment_is_gone_is_left_out(a_hand: Any, two_structures: dict[int, str]) -> None:
    a_hand.segmentation.GetSegmentation().RemoveSegment(two_structures[1])
    preview = Preview(a_hand.volume, a_hand.segmentation)
    preview.show(an_answer(a_hand.volume), REGION, two_structures)
    assert preview.node.GetSegmentation().GetSegmentIDs() == (two_structures[2],)


def test_uncertainty_lies_where_it_belongs_and_gives_the_views_back(
    a_scene: Any, a_hand: Any, positions_of: Callable[..., np.ndarray]
) -> None:
    view = a_scene.GetFirstNodeByClass("vtkMRMLSliceCompositeNode")
    view.SetForegroundVolumeID(a_hand.volume.GetID())
    view.SetForegroundOpacity(0.3)
    preview = Preview(a_hand.volume, a_hand.segmentation)
    preview.showUncertainty(np.full((4, 5, 6), 0.5, np.float16), REGION)
    overlay = a_scene.GetNodeByID(view.GetForegroundVolumeID())
    assert np.allclose(positions_of(overlay, [(1, 1, 1)]), positions_of(a_hand.volume, [(3, 4, 2)]))
    preview.hideUncertainty()
    assert view.GetForegroundVolumeID() == a_hand.volume.GetID()
    assert view.GetForegroundOpacity() == 0.3


def test_removing_leaves_no_trace(a_scene: Any, a_hand: Any, two_structures: dict[int, str]) -> None:
    before, count = everything_in(a_scene), a_scene.GetNumberOfNodes()
    preview = Preview(a_hand.volume, a_hand.segmentation)
    preview.show(an_answer(a_hand.volume), REGION, two_structures)
    preview.show3D(True)
    preview.setStyle(0.5, 0.0)
    preview.showUncertainty(np.zeros((4, 5, 6), np.float16), REGION)
    preview.remove()
    assert a_scene.GetNumberOfNodes() == count
    assert everything_in(a_scene) == before


def test_a_saved_scene_has_no_preview(
    a_scene: Any, a_hand: Any, two_structures: dict[int, str], tmp_path: Path
) -> None:
    preview = Preview(a_hand.volume, a_hand.segmentation)
    preview.show(an_answer(a_hand.volume), REGION, two_structures)
    preview.showUncertainty(np.zeros((4, 5, 6), np.float16), REGION)
    assert a_scene.WriteToMRB(str(tmp_path / "scene.mrb"))
    a_scene.Clear(True)
    assert a_scene.ReadFromMRB(str(tmp_path / "scene.mrb"))
    assert a_scene.GetNumberOfNodesByClass("vtkMRMLSegmentationNode") == 1
    assert a_scene.GetNumberOfNodesByClass("vtkMRMLScalarVolumeNode") == 1


def test_a_preview_that_the_scene_has_lost_can_be_shown_again(
    a_scene: Any, a_hand: Any, two_structures: dict[int, str]
) -> None:
    preview = Preview(a_hand.volume, a_hand.segmentation)
    preview.show(an_answer(a_hand.volume), REGION, two_structures)
    a_scene.RemoveNode(preview.node)
    assert preview.node is None
    preview.show(an_answer(a_hand.volume), REGION, two_structures)
    assert preview.node.GetSegmentation().GetNumberOfSegments() == 2


def test_an_answer_for_a_volume_that_is_gone_is_refused_with_a_reason(
    a_scene: Any, a_hand: Any, two_structures: dict[int, str]
) -> None:
    labels = an_answer(a_hand.volume)
    a_scene.RemoveNode(a_hand.volume)
    with pytest.raises(InputError, match="no volume"):
        Preview(a_hand.volume, a_hand.segmentation).show(labels, REGION, two_structures)


def test_a_closed_scene_does_no_harm(a_scene: Any, a_hand: Any, two_structures: dict[int, str]) -> None:
    preview = Preview(a_hand.volume, a_hand.segmentation)
    preview.show(an_answer(a_hand.volume), REGION, two_structures)
    preview.showUncertainty(np.zeros((4, 5, 6), np.float16), REGION)
    a_scene.Clear(True)
    preview.show3D(True)
    preview.setStyle()
    preview.remove()
    assert preview.node is None
