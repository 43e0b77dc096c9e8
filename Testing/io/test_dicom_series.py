"""Folders of DICOM slices: stacked by position, refused in one line unless one complete series."""

from __future__ import annotations

import os
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pydicom
import pytest
import SimpleITK as sitk
from helpers.dicom_files import write_frames, write_series
from helpers.refusals import refusal

from metasegment.io.volume_file import read_volume
from metasegment.volume import Volume


def test_a_dicom_series_is_read_with_its_geometry_and_hounsfield_units(
    a_ct_series: Path,
) -> None:
    volume = read_volume(a_ct_series)
    assert volume.array.shape == (48, 143, 161)
    np.testing.assert_allclose(volume.geometry.spacing, (0.976562, 0.976562, 3.27), rtol=1e-6)
    np.testing.assert_allclose(volume.geometry.origin, (1.952996, 59.570154, -629.04), rtol=1e-6)
    assert -1024 <= volume.array.min() < -900


def test_rescale_slope_and_intercept_are_applied(
    data_folder: Path,
) -> None:
    folder = data_folder / "dicom" / "dcmqi_ct3slice" / "ct"
    first = sitk.ImageFileReader()
    first.SetFileName(sitk.ImageSeriesReader.GetGDCMSeriesFileNames(str(folder))[0])
    slice_image = first.Execute()
    assert int(float(first.GetMetaData("0028|1052"))) == -1024
    volume = read_volume(folder)
    np.testing.assert_array_equal(volume.array[0], sitk.GetArrayViewFromImage(slice_image)[0])
    assert volume.array.min() < -1024


def test_slices_are_sorted_by_position_whatever_their_names(
    a_ct_series: Path,
    tmp_path: Path,
) -> None:
    names = sorted(file.name for file in a_ct_series.iterdir())
    for name, other in zip(names, reversed(names), strict=True):
        shutil.copyfile(a_ct_series / name, tmp_path / other)
    shuffled, original = read_volume(tmp_path), read_volume(a_ct_series)
    assert original.geometry.difference(shuffled.geometry) is None
    np.testing.assert_array_equal(shuffled.array, original.array)


@pytest.mark.parametrize("lost", [1, 20, 46])
def test_a_missing_slice_is_found_and_placed(a_ct_series: Path, tmp_path: Path, lost: int) -> None:
    files = sitk.ImageSeriesReader.GetGDCMSeriesFileNames(str(a_ct_series))
    for file in files[:lost] + files[lost + 1 :]:
        shutil.copy(file, tmp_path)
    message = refusal(tmp_path)
    assert "slices are missing: 6.54 mm between" in message
    assert "3.27 mm elsewhere" in message
    assert Path(files[lost - 1]).name in message
    assert Path(files[lost + 1]).name in message


def test_a_repeated_slice_is_refused(a_ct_series: Path, tmp_path: Path) -> None:
    shutil.copytree(a_ct_series, tmp_path, dirs_exist_ok=True)
    again = pydicom.dcmread(sorted(a_ct_series.iterdir())[10])
    again.PixelData = bytes(len(again.PixelData))
    again.save_as(tmp_path / "again.dcm")
    assert "repeated" in refusal(tmp_path)


def test_several_series_are_listed(a_ct_series: Path, an_mr_series: Path, tmp_path: Path) -> None:
    for n, folder in enumerate((a_ct_series, an_mr_series)):
        for file in folder.iterdir():
            shutil.copyfile(file, tmp_path / f"{n}_{file.name}")
    message = refusal(tmp_path)
    assert "2 DICOM series" in message
    assert "'IBSI_1_STS_002_CT_image' (CT, 48 slices)" in message
    assert "'IBSI_1_STS_008_MR_T1_image' (MR, 28 slices)" in message


def test_segmentations_next_to_a_series_do_not_count_as_series(
    data_folder: Path,
    tmp_path: Path,
) -> None:
    source = data_folder / "dicom" / "dcmqi_ct3slice"
    shutil.copytree(source / "ct", tmp_path, dirs_exist_ok=True)
    shutil.copy(source / "liver_seg.dcm", tmp_path)
    assert read_volume(tmp_path).array.shape == (3, 512, 512)


def test_a_folder_with_segmentations_only_is_refused(data_folder: Path, tmp_path: Path) -> None:
    shutil.copy(data_folder / "dicom" / "dcmqi_ct3slice" / "liver_seg.dcm", tmp_path)
    assert "no DICOM image series (only SEG)" in refusal(tmp_path)


def test_a_folder_without_dicom_is_refused(tmp_path: Path) -> None:
    (tmp_path / "readme.txt").write_text("nothing here")
    assert "no DICOM image series" in refusal(tmp_path)


def test_one_dicom_slice_asks_for_its_folder(a_ct_series: Path) -> None:
    assert "give the folder" in refusal(next(a_ct_series.iterdir()))


def test_a_damaged_dicom_slice_is_refused(a_ct_series: Path, tmp_path: Path) -> None:
    shutil.copytree(a_ct_series, tmp_path, dirs_exist_ok=True)
    victim = sorted(tmp_path.iterdir())[5]
    os.truncate(victim, victim.stat().st_size - 9000)
    assert "damaged" in refusal(tmp_path)


def _tilted(volume: Volume, pixels: float) -> Volume:
    """Each slice lies beside the one before, as many pixels as told."""
    _, j, k = volume.geometry.spacing
    direction = np.reshape(volume.geometry.direction, (3, 3))
    direction[:, 2] = direction[:, 2] + direction[:, 1] * pixels * j / k
    return Volume(volume.array, replace(volume.geometry, direction=tuple(direction.ravel().tolist())))


@pytest.mark.parametrize("awkward_geometry", ["anisotropic"], indirect=True)
@pytest.mark.parametrize("pixels", [0.8, 0.1])
def test_a_tilted_gantry_is_refused_even_where_it_only_adds_up(
    textured_volume: Volume, tmp_path: Path, pixels: float
) -> None:
    assert "tilted gantry" in refusal(write_series(tmp_path / "tilted", _tilted(textured_volume, pixels)))


@pytest.mark.parametrize("awkward_geometry", ["anisotropic"], indirect=True)
def test_a_time_series_in_one_folder_is_refused(textured_volume: Volume, tmp_path: Path) -> None:
    folder = write_series(tmp_path / "series", textured_volume)
    for file in sorted(folder.iterdir()):
        later = pydicom.dcmread(file)
        later.PixelData = later.PixelData[::-1]
        later.SOPInstanceUID = later.file_meta.MediaStorageSOPInstanceUID = pydicom.uid.generate_uid()
        later.save_as(folder / f"later_{file.name}")
    message = refusal(folder)
    assert "slices are repeated" in message
    assert "give one image per position" in message


@pytest.mark.parametrize("order", ["as they are", "reversed", "shuffled"])
def test_frames_of_one_file_are_put_in_order_by_their_positions(
    textured_volume: Volume, tmp_path: Path, order: str
) -> None:
    at = list(range(9))
    if order != "as they are":
        at = at[::-1] if order == "reversed" else [0, 4, 2, 1, 8, 6, 3, 7, 5]
    frames = write_frames(tmp_path / "frames", textured_volume, at, intercept=-100)
    slices = read_volume(write_series(tmp_path / "slices", textured_volume))
    for path in (frames, frames / "frames.dcm"):
        found = read_volume(path)
        assert slices.geometry.difference(found.geometry) is None
        np.testing.assert_array_equal(found.array, slices.array - 100)


@pytest.mark.parametrize("awkward_geometry", ["oblique"], indirect=True)
@pytest.mark.parametrize(
    ("at", "words"),
    [
        ([0, 1, 2, 4, 5], "slices are missing: 8.00 mm between frame 3 and frame 4"),
        ([0, 1, 1, 2, 3], "slices are repeated or too close: 0.00 mm between frame 2 and frame 3"),
        ([0, 1, 2, 0, 1, 2], "slices are repeated or too close: 0.00 mm between frame 1 and frame 4"),
    ],
    ids=["gap", "repeated", "time series"],
)
def test_frames_that_make_no_even_stack_are_refused(
    textured_volume: Volume, tmp_path: Path, at: list[int], words: str
) -> None:
    write_frames(tmp_path, textured_volume, at)
    assert words in refusal(tmp_path / "frames.dcm")


def test_a_file_of_frames_without_positions_is_refused(textured_volume: Volume, tmp_path: Path) -> None:
    file = write_frames(tmp_path, textured_volume, range(9)) / "frames.dcm"
    header = pydicom.dcmread(file)
    del header.PerFrameFunctionalGroupsSequence[4].PlanePositionSequence
    header.save_as(file)
    assert "no position and orientation" in refusal(file)


@pytest.mark.parametrize("awkward_geometry", ["anisotropic"], indirect=True)
@pytest.mark.parametrize("first", [1.0, 0.25])
def test_each_slice_is_rescaled_by_its_own_slope(textured_volume: Volume, tmp_path: Path, first: float) -> None:
    folder = write_series(tmp_path, textured_volume)
    slopes = first + 0.125 * np.arange(9)
    for k, slope in enumerate(slopes):
        file = folder / f"{9 - k:04d}.dcm"
        header = pydicom.dcmread(file)
        header.RescaleSlope = str(slope)
        header.save_as(file)
    np.testing.assert_allclose(read_volume(folder).array, textured_volume.array * slopes[:, None, None], rtol=1e-6)
