"""Real cases from start to end, as a radiologist would work: CT of heads and necks, the lower jaw.

The learner has never seen a mandible (shared/data/README.md). How long the GUI thread was blocked is printed (-s).
"""

from __future__ import annotations

import numpy as np
import pytest
import SimpleITK as sitk
from module.panel_fixtures import use_this_python

from metasegment.measures.dice import dice

_MANDIBLE = 7
_LESSON = 600.0  # seconds that teaching may take on a crowded machine


@pytest.fixture
def patients(data_folder):
    """Folders of two patients' CTs with the mandible drawn in them by hand."""
    folders = [data_folder / "validation" / "openkbp_headneck_ct" / name for name in ("pt_60", "pt_83")]
    for folder in folders:
        if not folder.is_dir():
            pytest.skip(f"{folder} is not there")
    return folders


@pytest.fixture
def a_ct(patients):
    return patients[0]


def _mandible(folder):
    return sitk.GetArrayFromImage(sitk.ReadImage(str(folder / "labels.nii.gz"))) == _MANDIBLE


def _slices_of(truth):
    """Three axial slices, spread over the structure."""
    used = np.flatnonzero(truth.any(axis=(1, 2)))
    return [int(used[len(used) * part // 8]) for part in (1, 4, 7)]


def test_a_mandible_from_three_slices_to_an_exported_file(a_panel, a_ct, tmp_path, record_property):
    import slicer

    panel = a_panel
    use_this_python(panel)
    truth = _mandible(a_ct)
    slicer.util.loadVolume(str(a_ct / "image.nii.gz"), {"name": "CT"})
    panel.host.leave_module()
    panel.host.open_module("MetaSegment")
    assert panel.ui.volumeInfo.text.startswith("CT (by its values), 112 × 68 × 128")
    jaw = panel.add("mandible")
    for k in _slices_of(truth):
        panel.draw(jaw, truth, k)
    panel.widget.parameters.seconds = 3.0

    with panel.host.blockage() as meter:
        panel.ui.segmentButton.click()
        panel.wait()
    record_property("longest_blockage_ms", meter.longest_ms)
    print(f"\nGUI thread blocked for at most {meter.longest_ms:.0f} ms while the job ran")
    first = dice(panel.voxels(jaw, panel.session.preview.node), truth)

    panel.ui.nextSliceButton.click()
    panel.wait()
    plane = panel.widget.slices.plane
    mask = panel.voxels(jaw).astype(np.uint8)
    np.moveaxis(mask, plane[0], 0)[plane[1]] = np.moveaxis(truth, plane[0], 0)[plane[1]]
    slicer.util.updateSegmentBinaryLabelmapFromArray(
        mask, panel.session.segmentationNode, jaw, panel.session.volumeNode
    )
    if plane not in [entry.plane for entry in panel.session.slices.entries()]:
        panel.ui.absentButton.click()
    panel.ui.segmentButton.click()
    panel.wait()
    second = dice(panel.voxels(jaw, panel.session.preview.node), truth)
    print(f"Dice {first:.3f} with three slices, {second:.3f} with one more")
    assert first > 0.6
    assert second > first - 0.05

    panel.ui.acceptButton.click()
    panel.host.dialogs.answer(str(tmp_path / "jaw.seg.nrrd"), str(tmp_path / "jaw.nii.gz"), str(tmp_path), "", "")
    for action in panel.ui.exportButton.menu().actions():
        action.trigger()
    written = sitk.GetArrayFromImage(sitk.ReadImage(str(tmp_path / "jaw.nii.gz")))
    assert (written == panel.voxels(jaw)).all()
    assert (tmp_path / "jaw.seg.nrrd").stat().st_size > 0
    assert ["mandible" in path.name for path in tmp_path.glob("*.stl")] == [True], panel.host.dialogs.texts()


def test_a_mandible_taught_by_one_patient_is_found_in_the_next(a_panel, patients, tmp_path):
    import slicer

    panel = a_panel
    use_this_python(panel)
    truths = [_mandible(folder) for folder in patients]
    volumes = [slicer.util.loadVolume(str(folder / "image.nii.gz"), {"name": folder.name}) for folder in patients]
    panel.host.leave_module()
    panel.host.open_module("MetaSegment")
    panel.ui.volumeSelector.setCurrentNode(volumes[0])
    panel.accept_whole(panel.add("mandible"), truths[0])
    with panel.host.blockage() as meter:
        panel.ui.teachButton.click()
        panel.wait(_LESSON)
    print(f"\nGUI thread blocked for at most {meter.longest_ms:.0f} ms while the task was learnt")
    assert panel.ui.taskLabel.text == "Task: mandible (from 1 volume)"

    panel.ui.volumeSelector.setCurrentNode(volumes[1])
    panel.widget.parameters.seconds = 3.0
    with panel.host.blockage() as meter:
        panel.ui.applyButton.click()
        panel.wait()
    jaw = panel.segments.GetNthSegmentID(0)
    none = dice(panel.voxels(jaw, panel.session.preview.node), truths[1])
    familiarity = panel.workflow.answer.familiarity
    print(f"blocked for at most {meter.longest_ms:.0f} ms while it was applied")
    print(f"Dice {none:.3f} without a slice, familiarity {familiarity:.2f}")

    for k in _slices_of(truths[1]):
        panel.draw(jaw, truths[1], k)
    panel.ui.applyButton.click()
    panel.wait()
    three = dice(panel.voxels(jaw, panel.session.preview.node), truths[1])
    print(f"Dice {three:.3f} with three slices")
    panel.ui.acceptButton.click()
    slicer.util.saveScene(str(tmp_path / "patients.mrb"))
    panel.host.close_scene()
    slicer.util.loadScene(str(tmp_path / "patients.mrb"))
    panel.host.process_events()
    assert panel.ui.taskLabel.text == "Task: mandible (from 1 volume)"
    assert none > 0.3
    assert three > max(none, 0.6)
