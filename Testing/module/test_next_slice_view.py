"""Slice views show the plane asked for, on every volume, and say when strokes in them would annotate no slice."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

pytest.importorskip("slicer", reason="slicer-core is not installed")

import slicer
import vtk

from MetaSegmentLib.scene.NextSliceView import NextSliceView


@pytest.mark.parametrize("plane", [(0, 2), (1, 9), (2, 11)])
def test_a_view_shows_the_plane_asked_for(
    a_scene: Any, a_volume: Any, plane: tuple[int, int], positions_of: Any
) -> None:
    views = NextSliceView(a_volume)
    views.jumpTo(plane)
    assert plane in views.shownPlanes()
    assert len(views.shownPlanes()) == 3
    corners = [(plane[1],) * 3, (0, 0, 0), (3, 3, 3)]
    for corner in corners:
        corner_on_plane = list(corner)
        corner_on_plane[plane[0]] = plane[1]
        point = positions_of(a_volume, [corner_on_plane])[0]
        assert min(abs(_distance(view, point)) for view in a_scene.GetNodesByClass("vtkMRMLSliceNode")) < 1e-3


def _distance(view: Any, point: np.ndarray) -> float:
    """Distance in mm of a point from the plane that a view shows."""
    matrix = slicer.util.arrayFromVTKMatrix(view.GetSliceToRAS())
    return float((point - matrix[:3, 3]) @ matrix[:3, 2])


def test_the_view_being_drawn_on_comes_first(a_scene: Any, a_plain_volume: Any) -> None:
    views = NextSliceView(a_plain_volume)
    views.jumpTo((0, 12))
    yellow = a_scene.GetSingletonNode("Yellow", "vtkMRMLSliceNode")
    assert views.shownPlanes(yellow)[0][0] == 2


def test_a_view_of_an_earlier_layout_counts_no_more(a_scene: Any, a_plain_volume: Any) -> None:
    views = NextSliceView(a_plain_volume)
    views.jumpTo((0, 12))
    red, green, yellow = (a_scene.GetSingletonNode(name, "vtkMRMLSliceNode") for name in ("Red", "Green", "Yellow"))
    for view, seen in ((red, 1), (green, 0), (yellow, 0)):
        view.SetMappedInLayout(seen)
    green.GetSliceToRAS().SetElement(0, 2, 0.5)
    green.UpdateMatrices()
    assert views.tiltedReason() is None
    assert views.shownPlanes(yellow) == [(0, 12)]


def test_a_tilted_view_is_named_with_a_reason_until_it_is_turned(a_scene: Any, a_plain_volume: Any) -> None:
    views = NextSliceView(a_plain_volume)
    views.jumpTo((0, 12))
    assert views.tiltedReason() is None
    green = a_scene.GetSingletonNode("Green", "vtkMRMLSliceNode")
    tilt = vtk.vtkTransform()
    tilt.SetMatrix(green.GetSliceToRAS())
    tilt.RotateX(5)
    green.GetSliceToRAS().DeepCopy(tilt.GetMatrix())
    green.UpdateMatrices()
    assert "Green" in (views.tiltedReason() or "")
    assert [axis for axis, _index in views.shownPlanes()] == [0, 2]
    views.align()
    assert views.tiltedReason() is None


def test_the_views_follow_the_transform_of_the_volume(a_scene: Any, a_plain_volume: Any) -> None:
    transform = a_scene.AddNewNodeByClass("vtkMRMLLinearTransformNode")
    matrix = vtk.vtkTransform()
    matrix.RotateZ(25)
    matrix.Translate(3, 4, 5)
    transform.SetMatrixTransformToParent(matrix.GetMatrix())
    a_plain_volume.SetAndObserveTransformNodeID(transform.GetID())
    views = NextSliceView(a_plain_volume)
    views.jumpTo((1, 7))
    assert (1, 7) in views.shownPlanes()


def test_a_view_outside_the_volume_shows_no_plane_of_it(a_scene: Any, a_plain_volume: Any) -> None:
    views = NextSliceView(a_plain_volume)
    views.jumpTo((0, 12))
    a_scene.GetSingletonNode("Red", "vtkMRMLSliceNode").SetSliceOffset(500)
    assert [axis for axis, _index in views.shownPlanes()] == [1, 2]
    assert views.tiltedReason() is None
