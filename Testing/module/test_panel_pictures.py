"""What a user sees: the preview in the rendered views, and a panel that reads in light and dark."""

from __future__ import annotations

import numpy as np
import pytest

_VIEWS = ("Red", "Green", "Yellow")
_SIZE = (240, 200)


@pytest.fixture
def a_panel_with_a_preview(a_host_with_views, a_panel_that_segments):
    """The module with an answer in a strong blue, while the user's own segments are hidden."""
    panel = a_panel_that_segments
    panel.segments.GetNthSegment(0).SetColor(0.1, 0.2, 1.0)
    panel.ui.segmentButton.click()
    panel.wait()
    panel.session.segmentationNode.GetDisplayNode().SetVisibility(False)
    panel.host.layout_manager.resetSliceViews()
    return panel


def _blue(panel, view: str) -> int:
    """How many pixels of a view are clearly more blue than red."""
    pixels = panel.host.grab_view(view, _SIZE).astype(int)
    return int((pixels[..., 2] > pixels[..., 0] + 40).sum())


def test_the_preview_is_drawn_in_every_slice_view_and_goes_when_discarded(a_panel_with_a_preview):
    panel = a_panel_with_a_preview
    assert all(_blue(panel, view) > 100 for view in _VIEWS)
    panel.ui.discardButton.click()
    assert [_blue(panel, view) for view in _VIEWS] == [0, 0, 0]


def test_the_preview_can_be_hidden_and_filled(a_panel_with_a_preview):
    panel = a_panel_with_a_preview
    panel.ui.fillSlider.value = 0.0
    outline = _blue(panel, "Red")
    panel.ui.fillSlider.value = 0.8
    assert _blue(panel, "Red") > 3 * outline
    panel.ui.visibleBox.click()
    assert _blue(panel, "Red") == 0


def test_the_preview_is_a_surface_in_3d_where_wished(a_panel_with_a_preview):
    panel = a_panel_with_a_preview
    view = panel.host.view("3D")
    view.mrmlViewNode().SetBackgroundColor(0, 0, 0)
    view.mrmlViewNode().SetBackgroundColor2(0, 0, 0)
    before = _blue(panel, "3D")
    panel.ui.surfacesBox.click()
    assert _blue(panel, "3D") > before + 500


def test_uncertainty_colours_the_image_until_it_is_switched_off(a_panel_with_a_preview):
    panel = a_panel_with_a_preview
    panel.ui.visibleBox.click()
    plain = panel.host.grab_view("Green", _SIZE)
    panel.ui.uncertaintyBox.click()
    assert (panel.host.grab_view("Green", _SIZE) != plain).any()
    panel.ui.uncertaintyBox.click()
    assert (panel.host.grab_view("Green", _SIZE) == plain).all()


@pytest.mark.parametrize("dark", [False, True])
def test_texts_stand_out_in_light_and_dark(a_panel_with_strokes, dark):
    host = a_panel_with_strokes.host
    host.use_dark(dark)
    panel = host.grab_panel("MetaSegment", 460).astype(float).mean(axis=2)
    host.use_dark(False)
    assert np.percentile(panel, 99.9) - np.percentile(panel, 0.1) > 150
    assert (panel.mean() > 128) is not dark


@pytest.mark.parametrize(("width", "height", "panel_width"), [(1366, 768, 470), (3840, 2160, 700)])
def test_no_control_is_cut_off_whatever_the_panel_says(a_panel_with_strokes, width, height, panel_width):
    import qt
    import slicer

    panel = a_panel_with_strokes
    ui, host = panel.ui, panel.host
    ui.learnerSection.collapsed = False
    ui.remoteWidget.visible = True
    for label in (each for each in vars(ui).values() if isinstance(each, qt.QLabel) and each.wordWrap):
        label.text = "A sentence for the user that is as long as the longest of them, and says what to do. " * 3
        label.visible = True
    host.layout_manager.viewport().hide()  # so that nothing is rendered
    host.show(width, height, panel_width)
    host.process_events()
    room = slicer.util.findChild(host.window, "ModulePanel").viewport()
    kinds = (qt.QAbstractButton, qt.QLabel, qt.QComboBox, qt.QLineEdit, qt.QTableWidget)
    shown = {name: each for name, each in vars(ui).items() if isinstance(each, kinds) and each.isVisible()}
    assert {"teachButton", "applyButton", "exportButton", "warningLabel", "addressEdit"} <= set(shown)
    for name, widget in shown.items():
        left = widget.mapTo(room, qt.QPoint(0, 0)).x()
        assert left >= 0, name
        assert left + widget.width <= room.width, name
        assert widget.width >= min(widget.minimumSizeHint().width(), room.width), name
