"""The views show what Slicer would: the image, segments over it and surfaces, in pixels."""

from __future__ import annotations

import numpy as np
import pytest

_RED = (1.0, 0.0, 0.0)


@pytest.fixture
def a_volume(a_host_with_views):
    """A grey block of 60 x 50 x 40 voxels, shown in the slice views."""
    import slicer

    volume = slicer.util.addVolumeFromArray(np.full((40, 50, 60), 100, np.int16), name="CT")
    volume.GetDisplayNode().AutoWindowLevelOff()
    volume.GetDisplayNode().SetWindowLevelMinMax(0, 200)
    slicer.util.setSliceViewerLayers(background=volume, fit=True)
    return volume


@pytest.fixture
def a_segmentation(a_host_with_views, a_volume):
    """A red box in the middle of the volume."""
    import slicer

    node = a_host_with_views.scene.AddNewNodeByClass("vtkMRMLSegmentationNode")
    node.CreateDefaultDisplayNodes()
    node.SetReferenceImageGeometryParameterFromVolumeNode(a_volume)
    segment = node.GetSegmentation().AddEmptySegment("box", "Box", _RED)
    mask = np.zeros((40, 50, 60), np.uint8)
    mask[15:25, 15:35, 20:40] = 1
    slicer.util.updateSegmentBinaryLabelmapFromArray(mask, node, segment, a_volume)
    return node


def _reddish(pixels: np.ndarray) -> int:
    """How many pixels are clearly more red than green and blue."""
    red, green, blue = (pixels[..., channel].astype(int) for channel in range(3))
    return int(((red > green + 30) & (red > blue + 30)).sum())


@pytest.mark.parametrize("view", ["Red", "Yellow", "Green"])
def test_the_volume_is_in_the_slice_views(a_host_with_views, a_volume, view):
    pixels = a_host_with_views.grab_view(view, (240, 200))
    assert pixels.shape == (200, 240, 3)
    assert pixels[100, 120].tolist() == pytest.approx([127] * 3, abs=2)


def test_a_segment_is_drawn_over_the_red_view_and_hidden_again(a_host_with_views, a_segmentation):
    shown = _reddish(a_host_with_views.grab_view("Red", (240, 200)))
    a_segmentation.GetDisplayNode().SetSegmentVisibility("box", False)
    assert shown > 1000
    assert _reddish(a_host_with_views.grab_view("Red", (240, 200))) == 0


def test_moving_the_slice_out_of_the_segment_takes_it_from_the_view(a_host_with_views, a_segmentation):
    a_host_with_views.layout_manager.sliceWidget("Red").sliceController().setSliceOffsetValue(2.0)
    assert _reddish(a_host_with_views.grab_view("Red", (240, 200))) == 0


def test_a_surface_is_in_the_3d_view_once_it_is_made(a_host_with_views, a_segmentation):
    host = a_host_with_views
    before = _reddish(host.grab_view("3D", (240, 200)))
    a_segmentation.CreateClosedSurfaceRepresentation()
    host.layout_manager.resetThreeDViews()
    assert _reddish(host.grab_view("3D", (240, 200))) > before + 100


def test_the_mouse_wheel_over_a_slice_view_moves_the_slice(a_host_with_views, a_volume):
    import qt

    host = a_host_with_views
    view, node = host.view("Red"), host.layout_manager.sliceWidget("Red").mrmlSliceNode()
    host.grab_view("Red", (240, 200))
    before = node.GetSliceOffset()
    here, none = qt.QPointF(120, 100), qt.QPoint(0, 0)
    wheel = qt.QWheelEvent(
        here, here, none, qt.QPoint(0, 120), qt.Qt.NoButton, qt.Qt.NoModifier, qt.Qt.NoScrollPhase, False
    )
    host.app.sendEvent(view, wheel)
    assert abs(node.GetSliceOffset() - before) == pytest.approx(1.0)


def test_the_window_shows_the_panel_beside_the_views(a_host_with_views, a_segmentation, tmp_path):
    from host.sample_module import write_sample

    host = a_host_with_views
    host.load_module(write_sample(tmp_path))
    host.open_module("Sample")
    host.show(1366, 768)
    pixels = host.grab()
    assert pixels.shape == (768, 1366, 3)
    assert _reddish(pixels[:, 500:]) > 1000
    assert len(np.unique(pixels[:, :500].reshape(-1, 3), axis=0)) > 50


def test_the_four_views_make_one_picture(a_host_with_views, a_segmentation):
    assert a_host_with_views.grab_views((480, 400)).shape == (400, 480, 3)


def test_grabbing_at_another_size_leaves_the_view_as_it_was(a_host_with_views, a_volume):
    host = a_host_with_views
    host.show(1366, 768)
    node = host.layout_manager.sliceWidget("Red").mrmlSliceNode()
    before = (host.grab(), node.GetFieldOfView())
    host.grab_view("Red", (900, 300))
    assert node.GetFieldOfView() == pytest.approx(before[1])
    assert np.array_equal(host.grab(), before[0])


def test_the_window_fills_a_large_screen(a_host_with_views, a_volume):
    a_host_with_views.show(3840, 2160)
    assert a_host_with_views.grab().shape == (2160, 3840, 3)
