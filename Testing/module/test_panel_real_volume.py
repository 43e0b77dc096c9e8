"""One real case from start to end, as a radiologist would work: CT of a head and neck, the lower jaw.

The learner has never seen a mandible (shared/data/README.md). How long the GUI thread was blocked is printed (-s).
"""

from __future__ import annotations

import numpy as np
import pytest
import SimpleITK as sitk
from module.panel_fixtures import dice

_MANDIBLE = 7


@pytest.fixture
def a_ct(data_folder):
    """Folder of a CT with the mandible drawn in it by hand."""
    folder = data_folder / "validation" / "openkbp_headneck_ct" / "pt_60"
    if not folder.is_dir():
        pytest.skip(f"{folder} is not there")
    return folder


def test_a_mandible_from_three_slices_to_an_exported_file(a_panel, a_ct, tmp_path, record_property):
    import slicer

    panel = a_panel
    truth = sitk.GetArrayFromImage(sitk.ReadImage(str(a_ct / "labels.nii.gz"))) == _MANDIBLE
    slicer.util.loadVolume(str(a_ct / "image.nii.gz"), {"name": "CT"})
    panel.host.leave_module()
    panel.host.open_module("MetaSegment")
    assert panel.ui.volumeInfo.text.startswith("CT (by its values), 112 × 68 × 128")
    jaw = panel.add("mandible")
    used = np.flatnonzero(truth.any(axis=(1, 2)))
    for k in (int(used[len(used) * part // 8]) for part in (1, 4, 7)):
        panel.draw(jaw, truth, k)
    panel.widget._parameters.seconds = 3.0

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
    panel.host.dialogs.answer(str(tmp_path / "jaw.seg.nrrd"), str(tmp_path / "jaw.nii.gz"), str(tmp_path))
    for action in panel.ui.exportButton.menu().actions():
        action.trigger()
    written = sitk.GetArrayFromImage(sitk.ReadImage(str(tmp_path / "jaw.nii.gz")))
    assert (written == panel.voxels(jaw)).all()
    assert (tmp_path / "jaw.seg.nrrd").stat().st_size > 0
    assert ["mandible" in path.name for path in tmp_path.glob("*.stl")] == [True], panel.host.dialogs.texts()
