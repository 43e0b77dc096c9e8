"""In which slice view the user works: the one that moved last, not one that was only resized."""

from __future__ import annotations

from typing import Any

import pytest

pytest.importorskip("slicer", reason="slicer-core is not installed")

from MetaSegmentLib.ViewWatch import ViewWatch


def test_a_view_that_is_resized_has_not_moved(a_scene: Any) -> None:
    red, green = (a_scene.GetFirstNode(name, "vtkMRMLSliceNode") for name in ("Red", "Green"))
    green.SetSliceOffset(12.0)
    watch = ViewWatch(a_scene, lambda: None)
    watch.refresh()
    red.SetSliceOffset(5.0)
    green.SetFieldOfView(200.0, 100.0, 1.0)
    assert watch.view is red
    green.SetSliceOffset(13.0)
    assert watch.view is green
    watch.release()
