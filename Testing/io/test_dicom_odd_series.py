"""DICOM series as scanners, anonymisers and discs leave them: the right values in their place, or the true reason."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pydicom
import pytest
from helpers.dicom_files import write_frames, write_series
from helpers.refusals import refusal
from pydicom import Dataset, uid

from metasegment.io.volume_file import read_volume
from metasegment.volume import Geometry, Volume

_GRID = Geometry((12, 10, 8), (0.8, 1.2, 3.0), (-20.0, 30.0, 100.0), (1, 0, 0, 0, 1, 0, 0, 0, 1))
WriteSeries = Callable[..., Path]


@pytest.fixture
def volume() -> Volume:
    return Volume(np.random.default_rng(1).integers(-1000, 1000, _GRID.shape).astype(np.int16), _GRID)


@pytest.fixture
def series(tmp_path: Path, volume: Volume) -> Path:
    return write_series(tmp_path / "series", volume)


def change(folder: Path, edit: Callable[[Dataset, int], None]) -> Path:
    """Edits each slice of a series, given its index k."""
    for file in sorted(folder.glob("*.dcm")):
        dataset = pydicom.dcmread(file)
        edit(dataset, round((float(dataset.ImagePositionPatient[2]) - _GRID.origin[2]) / _GRID.spacing[2]))
        dataset.save_as(file)
    return folder


def expect(folder: Path, volume: Volume) -> Volume:
    found = read_volume(folder)
    assert _GRID.difference(found.geometry) is None
    np.testing.assert_array_equal(found.array, volume.array)
    return found


def test_monochrome1_says_how_to_show_values_and_not_what_they_are(series: Path, volume: Volume) -> None:
    expect(change(series, lambda d, k: setattr(d, "PhotometricInterpretation", "MONOCHROME1")), volume)


def test_monochrome1_of_few_bits_without_sign_keeps_its_values(series: Path, volume: Volume) -> None:
    def edit(dataset: Dataset, k: int) -> None:
        dataset.PhotometricInterpretation, dataset.PixelRepresentation = "MONOCHROME1", 0
        dataset.BitsStored, dataset.HighBit, dataset.RescaleIntercept = 12, 11, "-1024"
        dataset.PixelData = (volume.array[k] + 1024).astype("<u2").tobytes()

    expect(change(series, edit), volume)


@pytest.mark.parametrize("absent", [True, False])
def test_pixels_without_a_size_are_refused(series: Path, absent: bool) -> None:
    def edit(dataset: Dataset, k: int) -> None:
        if absent:
            del dataset.PixelSpacing
        else:
            dataset.PixelSpacing = ["0", "0"]

    assert "does not tell the size of its pixels" in refusal(change(series, edit))


def test_distances_that_drift_are_refused_with_the_error_they_would_make(series: Path) -> None:
    def edit(dataset: Dataset, k: int) -> None:
        dataset.ImagePositionPatient = ["-20", "30", str(100 + 3 * k + 0.27 * max(0, k - 4))]

    assert "distances between its slices change (3.00 to 3.27 mm)" in refusal(change(series, edit))


def test_a_slice_without_rescaling_has_that_of_the_others_and_is_named(series: Path, volume: Volume) -> None:
    def edit(dataset: Dataset, k: int) -> None:
        dataset.PixelData = (volume.array[k] + 1024).astype("<i2").tobytes()
        dataset.RescaleIntercept = "-1024"
        if k == 3:
            del dataset.RescaleSlope, dataset.RescaleIntercept

    assert "no rescaling told" in expect(change(series, edit), volume).notes[0]


def test_copies_of_slices_are_left_out_and_named(series: Path, volume: Volume) -> None:
    shutil.copy(series / "0004.dcm", series / "0004 (1).dcm")
    assert "copies of slices" in expect(series, volume).notes[0]


def test_a_localiser_in_the_series_is_left_out_and_named(series: Path, volume: Volume) -> None:
    other = pydicom.dcmread(series / "0001.dcm")
    other.ImageOrientationPatient, other.ImageType = (
        ["1", "0", "0", "0", "0", "-1"],
        ["ORIGINAL", "PRIMARY", "LOCALIZER"],
    )
    other.save_as(series / "scout.dcm")
    assert "scout.dcm left out of the 9 files" in expect(series, volume).notes[0]


def test_an_anonymisers_own_class_of_image_is_no_obstacle(series: Path, volume: Volume) -> None:
    expect(change(series, lambda d, k: setattr(d, "SOPClassUID", "1.2.3.4.5.6")), volume)


def test_a_disc_is_read_by_its_folder_and_by_its_contents(series: Path, volume: Volume, tmp_path: Path) -> None:
    from pydicom.fileset import FileSet

    disc = FileSet()
    for file in series.iterdir():
        disc.add(file)
    disc.write(tmp_path / "disc")
    for path in (tmp_path / "disc", tmp_path / "disc" / "DICOMDIR"):
        expect(path, volume)


def test_files_without_preamble_and_junk_beside_them_are_no_obstacle(series: Path, volume: Volume) -> None:
    for file in sorted(series.iterdir()):
        octets = file.read_bytes()
        meta = 132 + 12 + int.from_bytes(octets[140:144], "little")
        file.with_suffix("").write_bytes(octets[meta:])  # explicit little endian, as it can be told
        file.unlink()
    (series / "._0001").write_bytes(b"\0\5\x16\7" + bytes(200))
    (series / "Thumbs.db").write_bytes(b"junk" * 50)
    expect(series, volume)


def test_one_slice_in_a_folder_is_told_so(series: Path) -> None:
    for file in sorted(series.iterdir())[1:]:
        file.unlink()
    assert "holds a single slice" in refusal(series)


def test_a_compression_that_is_not_known_is_named(series: Path) -> None:
    def edit(dataset: Dataset, k: int) -> None:
        dataset.file_meta.TransferSyntaxUID = uid.HTJ2KLossless
        dataset.PixelData = pydicom.encaps.encapsulate([bytes(100)])
        dataset["PixelData"].VR = "OB"

    assert "its compression (High-Throughput JPEG 2000" in refusal(change(series, edit))


@pytest.mark.parametrize("sign", [1, -1])
def test_slices_of_nuclear_medicine_lie_along_the_sign_of_their_spacing(
    tmp_path: Path, volume: Volume, sign: int
) -> None:
    single = write_series(tmp_path / "one", Volume(volume.array[:1], _GRID))
    dataset = pydicom.dcmread(next(single.iterdir()))
    dataset.SOPClassUID = dataset.file_meta.MediaStorageSOPClassUID = uid.NuclearMedicineImageStorage
    dataset.Modality, dataset.NumberOfFrames, dataset.NumberOfSlices = "NM", 8, 8
    dataset.SpacingBetweenSlices = str(3 * sign)
    dataset.FrameIncrementPointer, dataset.SliceVector = 0x00540080, list(range(1, 9))
    place = Dataset()
    place.ImagePositionPatient = ["-20", "30", "100" if sign > 0 else "121"]
    place.ImageOrientationPatient = ["1", "0", "0", "0", "1", "0"]
    dataset.DetectorInformationSequence = [place]
    dataset.PixelData = volume.array[::sign].astype("<i2").tobytes()
    (tmp_path / "nm").mkdir()
    dataset.save_as(tmp_path / "nm" / "nm.dcm")
    expect(tmp_path / "nm", volume)


def test_bytes_after_the_pixels_are_no_obstacle(series: Path, volume: Volume) -> None:
    path = series / "0004.dcm"
    path.write_bytes(path.read_bytes() + bytes(range(1, 65)))
    expect(series, volume)


def test_pixels_that_end_too_early_are_told_by_their_file(series: Path) -> None:
    path = series / "0004.dcm"
    path.write_bytes(path.read_bytes()[:-2])
    assert "0004.dcm cannot be read: it is truncated" in refusal(series)


def test_an_empty_file_among_the_slices_is_named(series: Path) -> None:
    (series / "0003.dcm").write_bytes(b"")
    assert "0003.dcm is empty" in refusal(series)


def test_a_missing_slice_that_was_left_out_is_named_with_why(series: Path) -> None:
    def edit(dataset: Dataset, k: int) -> None:
        if k == 4:
            del dataset.ImagePositionPatient

    message = refusal(change(series, edit))
    assert "slices are missing: 6.00 mm" in message
    assert "left out of the 8 files" in message
    assert "has no position" in message


def test_frames_whose_places_are_not_told_are_refused_as_that(volume: Volume, tmp_path: Path) -> None:
    file = write_frames(tmp_path / "frames", volume, range(8)) / "frames.dcm"
    dataset = pydicom.dcmread(file)
    del dataset.PerFrameFunctionalGroupsSequence
    dataset.save_as(file)
    assert "does not tell where each of its frames lies" in refusal(file)


def test_frames_without_the_size_of_a_pixel_are_refused(volume: Volume, tmp_path: Path) -> None:
    file = write_frames(tmp_path / "frames", volume, range(8)) / "frames.dcm"
    dataset = pydicom.dcmread(file)
    dataset.SharedFunctionalGroupsSequence[0].PixelMeasuresSequence[0].PixelSpacing = ["0", "1.2"]
    dataset.save_as(file)
    assert "does not tell the size of its pixels" in refusal(file)


@pytest.mark.parametrize("modality", ["SEG", "RTDOSE"])
def test_objects_that_are_no_images_are_refused_as_what_they_are(volume: Volume, tmp_path: Path, modality: str) -> None:
    file = write_frames(tmp_path / "frames", volume, range(8)) / "frames.dcm"
    dataset = pydicom.dcmread(file)
    dataset.Modality = modality
    dataset.save_as(file)
    assert f"is a DICOM object that is no image ({modality})" in refusal(file)


def test_a_packed_folder_is_told_to_be_unpacked(series: Path, tmp_path: Path) -> None:
    packed = shutil.make_archive(str(tmp_path / "series"), "zip", series)
    assert "is a zip archive; unpack it first" in refusal(Path(packed))


def test_an_element_longer_than_the_file_is_told_and_not_allocated(series: Path) -> None:
    file = series / "0003.dcm"
    octets = file.read_bytes()
    at = octets.index(b"\x18\x00\x50\x00DS")  # SliceThickness
    file.write_bytes(octets[:at] + b"\x19\x00\x01\x00OB\0\0\xff\xff\xff\x7f" + octets[at:])
    assert "0003.dcm cannot be read: it is truncated or damaged" in refusal(series)
