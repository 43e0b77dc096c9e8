"""What is kept of the work: segments in files that others read."""

from __future__ import annotations

from pathlib import Path

import pytest
import SimpleITK as sitk


@pytest.fixture
def export(a_panel_with_strokes):
    """Chooses an entry of the export menu by its beginning, and answers its question for a path."""

    def choose(entry: str, path: Path | str) -> None:
        panel = a_panel_with_strokes
        panel.host.dialogs.answer(str(path))
        next(action for action in panel.ui.exportButton.menu().actions() if action.text.startswith(entry)).trigger()

    return choose


def _names(panel) -> list[str]:
    """Names of all nodes of the scene."""
    scene = panel.host.scene
    return [scene.GetNthNode(index).GetName() for index in range(scene.GetNumberOfNodes())]


def test_segments_are_exported_with_names_and_colours(a_panel_with_strokes, export, tmp_path):
    import slicer

    panel = a_panel_with_strokes
    before = panel.voxels(panel.segments.GetNthSegmentID(0))
    export("Segmentation", tmp_path / "organ.seg.nrrd")
    again = slicer.util.loadSegmentation(str(tmp_path / "organ.seg.nrrd"))
    segment = again.GetSegmentation().GetNthSegment(0)
    assert segment.GetName() == "organ"
    assert segment.GetColor() == pytest.approx(panel.segments.GetNthSegment(0).GetColor(), abs=1e-5)
    assert (panel.voxels(again.GetSegmentation().GetNthSegmentID(0), again) == before).all()


def test_a_label_map_is_exported_on_the_volumes_grid(a_panel_with_strokes, export, tmp_path):
    panel = a_panel_with_strokes
    nodes = _names(panel)
    export("Label map", tmp_path / "organ")
    assert _names(panel) == nodes
    written = sitk.ReadImage(str(tmp_path / "organ.nii.gz"))
    assert written.GetSpacing() == pytest.approx((2.0, 2.0, 3.0))
    assert (sitk.GetArrayFromImage(written) == panel.voxels(panel.segments.GetNthSegmentID(0))).all()


def test_surfaces_are_exported_one_file_a_structure(a_panel_with_strokes, export, tmp_path, a_body):
    panel = a_panel_with_strokes
    panel.draw(panel.add("second"), ~a_body.truth, 5)
    export("Surfaces", tmp_path)
    assert sorted(path.stem.split("_")[-1] for path in tmp_path.glob("*.stl")) == ["organ", "second"]


def test_a_dialog_that_is_cancelled_writes_nothing(a_panel_with_strokes, export, tmp_path):
    export("Segmentation", "")
    assert a_panel_with_strokes.host.errors == []


def test_a_folder_that_cannot_be_written_to_is_named(a_panel_with_strokes, export, tmp_path):
    panel = a_panel_with_strokes
    export("Surfaces", tmp_path / "nowhere")
    assert str(tmp_path / "nowhere") in panel.host.dialogs.texts()[-1]
    panel.host.errors.clear()
