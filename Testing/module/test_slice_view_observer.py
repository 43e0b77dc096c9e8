"""In which slice view the user works: the one that moved last, not one that was only resized."""

from __future__ import annotations

from typing import Any

import pytest

pytest.importorskip("slicer", reason="slicer-core is not installed")

from MetaSegmentLib.panel.SliceViewObserver import SliceViewObserver
from MetaSegmentLib.scene.SceneNodes import nodesOf


def test_a_view_that_is_resized_has_not_moved(a_scene: Any) -> None:
    red, green = (a_scene.GetFirstNode(name, "vtkMRMLSliceNode") for name in ("Red", "Green"))
    green.SetSliceOffset(12.0)
    watch = SliceViewObserver(a_scene, lambda: None)
    watch.refresh()
    red.SetSliceOffset(5.0)
    green.SetFieldOfView(200.0, 100.0, 1.0)
    assert watch.view is red
    green.SetSliceOffset(13.0)
    assert watch.view is green
    watch.release()


def test_a_layout_that_is_being_set_up_tells_nothing_before_its_views_are_sized(a_scene: Any) -> None:
    views = [a_scene.GetFirstNode(name, "vtkMRMLSliceNode") for name in ("Red", "Green", "Yellow")]
    changes: list[int] = []
    watch = SliceViewObserver(a_scene, lambda: changes.append(1))
    watch.refresh()
    for view in views:
        view.SetMappedInLayout(1)
    assert not changes
    views[0].SetFieldOfView(200.0, 100.0, 1.0)
    assert changes
    watch.release()


def test_asking_for_nodes_keeps_none_alive(a_scene: Any) -> None:
    red = a_scene.GetFirstNode("Red", "vtkMRMLSliceNode")
    before = red.GetReferenceCount()
    for _ in range(3):
        assert red in nodesOf(a_scene, "vtkMRMLSliceNode")
    assert red.GetReferenceCount() == before
