"""Segmentations whose structures share voxels, in each format: each structure is whole wherever the format can."""

from __future__ import annotations

from pathlib import Path

import highdicom as hd
import numpy as np
import pydicom
import pytest
import SimpleITK as sitk
from helpers.dicom_files import write_frames, write_series
from helpers.grids import geometry_with

from metasegment.export import read_structures, to_file, write_segmentation
from metasegment.io.volume_file import read_volume
from metasegment.layers import as_layers, paint
from metasegment.volume import Volume

GEOMETRY = geometry_with((18, 16, 12), (1.0, 1.0, 2.0))
NAMES = {1: "liver", 2: "tumour", 3: "kidney"}


@pytest.fixture
def masks() -> dict[int, np.ndarray]:
    """A tumour, 2, in a liver, 1, and a kidney, 3, that shares voxels with neither."""
    found = {label: np.zeros(GEOMETRY.shape, bool) for label in NAMES}
    found[1][2:10, 3:12, 3:10] = True
    found[2][4:7, 5:8, 5:8] = True
    found[3][2:8, 3:10, 12:16] = True
    return found


@pytest.fixture
def drawn(masks: dict[int, np.ndarray]) -> tuple[np.ndarray, dict[int, np.ndarray]]:
    labels = np.zeros(GEOMETRY.shape, np.uint8)
    return labels, paint(labels, {label: np.flatnonzero(mask) for label, mask in masks.items()})


@pytest.fixture
def layered(drawn: tuple[np.ndarray, dict[int, np.ndarray]], tmp_path: Path) -> Path:
    write_segmentation(drawn[0], GEOMETRY, tmp_path / "layered.seg.nrrd", NAMES, covered=drawn[1])
    return tmp_path / "layered.seg.nrrd"


@pytest.fixture
def image() -> Volume:
    return Volume(np.random.default_rng(0).integers(-100, 100, GEOMETRY.shape).astype(np.int16), GEOMETRY)


def test_the_smallest_is_shown_and_the_rest_is_covered(
    drawn: tuple[np.ndarray, dict[int, np.ndarray]], masks: dict[int, np.ndarray]
) -> None:
    labels, covered = drawn
    assert (labels[masks[2]] == 2).all() and list(covered) == [1]
    np.testing.assert_array_equal(covered[1], np.flatnonzero(masks[2]))


def test_structures_that_share_no_voxel_are_on_one_layer(masks: dict[int, np.ndarray]) -> None:
    labels = np.zeros(GEOMETRY.shape, np.uint8)
    layers, layer_of = as_layers(labels, paint(labels, {n: np.flatnonzero(masks[n]) for n in (1, 3)}))
    assert len(layers) == 1 and layers[0] is labels and not layer_of


def test_a_seg_nrrd_has_layers_as_slicer_reads_them(layered: Path, masks: dict[int, np.ndarray]) -> None:
    image = sitk.ReadImage(str(layered))
    assert image.GetNumberOfComponentsPerPixel() == 2
    values = sitk.GetArrayFromImage(image)
    for n, label in enumerate(NAMES):
        layer = int(image.GetMetaData(f"Segment{n}_Layer"))
        mask = values[..., layer] == int(image.GetMetaData(f"Segment{n}_LabelValue"))
        np.testing.assert_array_equal(mask, masks[label])


@pytest.mark.parametrize("suffix", [".nii.gz", ".nrrd"])
def test_a_label_map_has_one_more_beside_it_for_each_structure_that_is_covered(
    suffix: str, layered: Path, masks: dict[int, np.ndarray], tmp_path: Path
) -> None:
    written = to_file(layered, tmp_path / f"out{suffix}")
    assert [file.name for file in written.files] == [f"out{suffix}", f"out_liver{suffix}"]
    top, liver = (read_volume(file).array for file in written.files)
    np.testing.assert_array_equal(liver == 1, masks[1])
    np.testing.assert_array_equal(top == 2, masks[2])
    np.testing.assert_array_equal(top == 3, masks[3])


@pytest.mark.parametrize("writer", [write_series, None])
def test_a_dicom_segmentation_has_segments_that_overlap(
    writer: object, image: Volume, layered: Path, masks: dict[int, np.ndarray], tmp_path: Path
) -> None:
    folder = tmp_path / "series"
    if writer is None:
        folder.mkdir()
        write_frames(folder, image, range(GEOMETRY.size[2]))
    else:
        write_series(folder, image)
    to_file(layered, tmp_path / "out.dcm", folder)
    seg = hd.seg.segread(tmp_path / "out.dcm")
    assert [seg.get_segment_description(n).SegmentLabel for n in (1, 2, 3)] == list(NAMES.values())
    for n, label in enumerate(NAMES, start=1):
        found = read_structures(tmp_path / "out.dcm", GEOMETRY, names=(NAMES[label],))
        np.testing.assert_array_equal(found.labels == n, masks[label])


def test_a_structure_set_has_whole_contours(
    image: Volume, layered: Path, masks: dict[int, np.ndarray], tmp_path: Path
) -> None:
    write_series(tmp_path / "series", image)
    to_file(layered, tmp_path / "out.rtstruct.dcm", tmp_path / "series")
    contours = pydicom.dcmread(tmp_path / "out.rtstruct.dcm").ROIContourSequence
    assert [len(roi.ContourSequence) for roi in contours] == [8, 3, 6], "one a slice, no hole for the tumour"
    found = read_structures(tmp_path / "out.rtstruct.dcm", GEOMETRY, names=("liver",))
    np.testing.assert_array_equal(found.labels > 0, masks[1])


def test_a_table_measures_the_whole_of_each(layered: Path, masks: dict[int, np.ndarray], tmp_path: Path) -> None:
    to_file(layered, tmp_path / "out.csv")
    rows = [line.split(",") for line in (tmp_path / "out.csv").read_text("utf-8-sig").splitlines()]
    voxels = rows[0].index("voxels")
    assert {row[1]: int(row[voxels]) for row in rows[1:]} == {
        NAMES[label]: np.count_nonzero(mask) for label, mask in masks.items()
    }
