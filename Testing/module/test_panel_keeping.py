"""What is kept of the work: segments in files that others read."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import SimpleITK as sitk
from helpers.dicom_files import write_series
from helpers.grids import geometry_with

from metasegment.volume import Volume


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


@pytest.fixture
def a_panel_with_a_series(a_panel, tmp_path, monkeypatch):
    """The module on a volume as Slicer loads it from a series of oblique slices, the first of them in another folder,
    and an organ drawn on some.
    """
    import slicer
    from pydicom import dcmread

    a_panel.choose_python("slicer")
    geometry = geometry_with((24, 20, 12), (0.8, 0.9, 2.5), (10.0, -20.0, 30.0), angles=(10, 0, 20))
    voxels = np.random.default_rng(3).integers(-1000, 1000, geometry.shape).astype(np.int16)
    folder = write_series(tmp_path / "series", Volume(voxels, geometry))
    first = min(folder.iterdir())
    (tmp_path / "elsewhere").mkdir()
    first.rename(tmp_path / "elsewhere" / first.name)
    files = {str(dcmread(file).SOPInstanceUID): str(file) for file in sorted(tmp_path.glob("*/*.dcm"))}
    # ctkDICOMDatabase.h: fileForInstance(sopInstanceUID), a Q_INVOKABLE; empty for what it does not know
    database = SimpleNamespace(fileForInstance=lambda uid: files.get(uid, ""))
    monkeypatch.setattr(slicer, "dicomDatabase", database, raising=False)

    volume = slicer.util.addVolumeFromArray(voxels, name="CT")
    to_ras = np.diag([-1.0, -1.0, 1.0, 1.0]) @ geometry.index_to_world
    volume.SetIJKToRASMatrix(slicer.util.vtkMatrixFromArray(to_ras))
    volume.SetAttribute("DICOM.instanceUIDs", " ".join(files))
    slicer.util.setSliceViewerLayers(background=volume, fit=True)
    a_panel.ui.volumeSelector.setCurrentNode(volume)
    organ, truth = a_panel.add("liver"), np.zeros(geometry.shape, bool)
    truth[3:9, 4:15, 6:18] = True
    for k in (4, 7):
        a_panel.draw(organ, truth, k)
    return SimpleNamespace(panel=a_panel, files=files, geometry=geometry, organ=organ)


def _export_dicom(panel, entry: str, path: Path) -> str:
    """Chooses an entry of the export menu; what the panel says in the end."""
    panel.host.dialogs.answer(str(path))
    next(action for action in panel.ui.exportButton.menu().actions() if entry in action.text).trigger()
    panel.host.wait_until(lambda: not panel.ui.statusLabel.text.startswith("Writing"), 60)
    return panel.ui.statusLabel.text


@pytest.mark.parametrize("kind", ["RTSTRUCT", "DICOM SEG"])
def test_a_dicom_object_refers_to_the_series_and_has_the_voxels(a_panel_with_a_series, kind, tmp_path):
    from pydicom import dcmread

    from metasegment.export import read_structures

    panel, path = a_panel_with_a_series.panel, tmp_path / "plan.dcm"
    assert _export_dicom(panel, kind, path) == f"Exported to {path}"
    header = dcmread(path)
    assert header.Modality == kind.removeprefix("DICOM ")
    referred = {each.value for each in header.iterall() if each.keyword == "ReferencedSOPInstanceUID"}
    assert referred - {header.StudyInstanceUID} <= set(a_panel_with_a_series.files)
    assert len(referred) > 2
    found = read_structures(path, a_panel_with_a_series.geometry)
    assert [segment.name for segment in found.segments] == ["liver"]
    assert ((found.labels == 1) == panel.voxels(a_panel_with_a_series.organ)).all()
    assert sorted(each.name for each in tmp_path.iterdir() if each.suffix == ".dcm") == ["plan.dcm"]


def test_a_volume_that_is_not_from_dicom_is_told_so(a_panel_with_strokes, tmp_path):
    assert "not loaded from DICOM" in _export_dicom(a_panel_with_strokes, "RTSTRUCT", tmp_path / "plan.dcm")


def test_a_series_whose_files_are_gone_is_told_so(a_panel_with_a_series, tmp_path):
    Path(next(iter(a_panel_with_a_series.files.values()))).unlink()
    said = _export_dicom(a_panel_with_a_series.panel, "DICOM SEG", tmp_path / "plan.dcm")
    assert "are gone: import them again" in said
    assert not (tmp_path / "plan.dcm").exists()


def test_what_the_exporter_refuses_is_told_in_its_words(a_panel_with_a_series, tmp_path):
    from pydicom import dcmread

    file = Path(next(iter(a_panel_with_a_series.files.values())))
    header = dcmread(file)
    header.SOPClassUID = "1.2.3.4"
    header.save_as(file)
    said = _export_dicom(a_panel_with_a_series.panel, "RTSTRUCT", tmp_path / "plan.dcm")
    assert "is none that DICOM knows" in said
    assert not (tmp_path / "plan.dcm").exists()


@pytest.mark.parametrize("kind", ["RTSTRUCT", "DICOM SEG"])
def test_segments_that_overlap_are_exported_whole(a_panel_with_a_series, kind, tmp_path):
    from pydicom import dcmread

    panel, everywhere = a_panel_with_a_series.panel, np.ones(a_panel_with_a_series.geometry.shape, bool)
    for name in ("tumour", "vessel"):
        panel.draw(panel.add(name), everywhere, 5)
    assert _export_dicom(panel, kind, tmp_path / "plan.dcm").startswith("Exported")
    header = dcmread(tmp_path / "plan.dcm")
    parts = header.StructureSetROISequence if kind == "RTSTRUCT" else header.SegmentSequence
    assert len(parts) == 3


def test_segments_that_were_moved_against_the_volume_are_not_exported_where_they_seem_to_be(
    a_panel_with_a_series, tmp_path
):
    panel = a_panel_with_a_series.panel
    shift = panel.host.scene.AddNewNodeByClass("vtkMRMLLinearTransformNode", "shift")
    panel.session.segmentationNode.SetAndObserveTransformNodeID(shift.GetID())
    assert "different transforms" in _export_dicom(panel, "RTSTRUCT", tmp_path / "plan.dcm")
    panel.session.volumeNode.SetAndObserveTransformNodeID(shift.GetID())
    assert _export_dicom(panel, "RTSTRUCT", tmp_path / "plan.dcm").startswith("Exported")
