"""The slice strip shows what is known along the volume, and goes where it is clicked."""

from __future__ import annotations

from typing import Any

from module.panel_fixtures import Panel


def cell_of(panel: Panel, k: int) -> int:
    """The cell in which an axial slice lies; the body has fewer slices than the strip has cells."""
    return int(k * panel.ui.sliceStrip.columnCount // 28)


def test_annotated_slices_are_marked_where_they_lie(a_panel_with_strokes: Panel, a_body: Any) -> None:
    strip = a_panel_with_strokes.ui.sliceStrip
    marked = [c for c in range(strip.columnCount) if strip.item(0, c) and strip.item(0, c).text() in "●○"]
    assert len(marked) >= 3
    assert strip.item(0, cell_of(a_panel_with_strokes, a_body.middle - 6)).text() == "●"


def test_a_click_goes_to_the_marked_slice(a_panel_with_strokes: Panel, a_body: Any) -> None:
    panel = a_panel_with_strokes
    panel.ui.sliceStrip.cellClicked.emit(0, cell_of(panel, a_body.middle + 6))
    assert panel.widget.slices.plane == (0, a_body.middle + 6)
    panel.ui.sliceStrip.cellClicked.emit(1, 10)
    assert panel.widget.slices.plane[0] == 1


def test_the_answers_extent_is_coloured(a_panel_that_segments: Panel, a_body: Any) -> None:
    panel = a_panel_that_segments
    panel.ui.segmentButton.click()
    panel.wait()
    strip = panel.ui.sliceStrip
    inside = strip.item(0, cell_of(panel, a_body.middle + 3))
    assert inside is not None and inside.background().color().alpha() == 255
    assert strip.item(0, 0) is None
