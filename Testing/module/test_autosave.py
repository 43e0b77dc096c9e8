"""What was drawn survives Slicer's end, and is offered for the same volume alone."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
from module.panel_fixtures import Panel, show


def folder() -> Path:
    import slicer

    return Path(slicer.app.temporaryPath) / "MetaSegment"


def crash(panel: Panel) -> Path:
    """Save as every minute, and leave the file behind as a Slicer that was killed would."""
    panel.widget.saving.timeout.emit()
    own = next(folder().glob("autosave-*.json"))
    left = own.with_name("autosave-1.json")
    own.rename(left)
    return left


def test_drawn_slices_are_offered_after_a_crash(a_panel_with_strokes: Panel, a_body: Any) -> None:
    import qt

    panel = a_panel_with_strokes
    drawn, states = panel.voxels(panel.segments.GetNthSegmentID(0)), panel.states()
    left = crash(panel)
    panel.host.close_scene()
    panel.host.dialogs.answer(qt.QMessageBox.Yes)
    show(panel, a_body)
    assert "not saved when Slicer ended" in panel.host.dialogs.texts()[-1]
    assert panel.segments.GetNthSegment(0).GetName() == "organ"
    assert (panel.voxels(panel.segments.GetNthSegmentID(0)) == drawn).all()
    assert panel.states() == states
    assert not left.exists()


def test_they_are_not_offered_for_another_volume_on_the_same_grid(a_panel_with_strokes: Panel, a_body: Any) -> None:
    panel = a_panel_with_strokes
    left = crash(panel)
    panel.host.close_scene()
    other = type(a_body)(voxels=a_body.voxels + 1)
    show(panel, other)
    assert panel.host.dialogs.texts() == [] and panel.states() == {}
    left.unlink()


def test_the_file_is_small_and_gone_once_slicer_ends_as_it_should(a_panel_with_strokes: Panel) -> None:
    panel = a_panel_with_strokes
    panel.widget.saving.timeout.emit()
    own = next(folder().glob("autosave-*.json"))
    assert own.stat().st_size < 20_000
    assert "Body" not in json.dumps(json.loads(own.read_text()))
    panel.widget.close()
    assert not own.exists()


def test_a_folder_that_cannot_be_written_stops_nobody(a_panel_with_strokes: Panel, caplog: Any) -> None:
    folder().parent.mkdir(exist_ok=True)
    folder().write_text("in the way")
    a_panel_with_strokes.widget.saving.timeout.emit()
    assert "could not be kept" in caplog.text
    assert np.any(a_panel_with_strokes.voxels(a_panel_with_strokes.segments.GetNthSegmentID(0)))
    folder().unlink()
