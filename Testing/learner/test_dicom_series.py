"""Folders of DICOM slices: stacked by position, refused in one line unless one complete series."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk

from metasegment.volume import read_volume


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
def test_a_missing_slice_is_found_and_placed(
    a_ct_series: Path, tmp_path: Path, refusal: Callable[[Path], str], lost: int
) -> None:
    files = sitk.ImageSeriesReader.GetGDCMSeriesFileNames(str(a_ct_series))
    for file in files[:lost] + files[lost + 1 :]:
        shutil.copy(file, tmp_path)
    message = refusal(tmp_path)
    assert "slices are missing: 6.54 mm between" in message
    assert "3.27 mm elsewhere" in message
    assert Path(files[lost - 1]).name in message
    assert Path(files[lost + 1]).name in message


def test_a_repeated_slice_is_refused(a_ct_series: Path, tmp_path: Path, refusal: Callable[[Path], str]) -> None:
    shutil.copytree(a_ct_series, tmp_path, dirs_exist_ok=True)
    shutil.copyfile(sorted(a_ct_series.iterdir())[10], tmp_path / "again.dcm")
    assert "repeated" in refusal(tmp_path)


def test_several_series_are_listed(
    a_ct_series: Path, an_mr_series: Path, tmp_path: Path, refusal: Callable[[Path], str]
) -> None:
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


def test_a_folder_with_segmentations_only_is_refused(data_folder: Path, refusal: Callable[[Path], str]) -> None:
    assert "no DICOM image series (only SEG)" in refusal(data_folder / "dicom" / "dcmqi_ct3slice")


def test_a_folder_without_dicom_is_refused(tmp_path: Path, refusal: Callable[[Path], str]) -> None:
    (tmp_path / "readme.txt").write_text("nothing here")
    assert "no DICOM image series" in refusal(tmp_path)


def test_one_dicom_slice_asks_for_its_folder(a_ct_series: Path, refusal: Callable[[Path], str]) -> None:
    assert "give the folder" in refusal(next(a_ct_series.iterdir()))


def test_a_damaged_dicom_slice_is_refused(a_ct_series: Path, tmp_path: Path, refusal: Callable[[Path], str]) -> None:
    shutil.copytree(a_ct_series, tmp_path, dirs_exist_ok=True)
    victim = sorted(tmp_path.iterdir())[5]
    os.truncate(victim, victim.stat().st_size - 9000)
    assert "damaged" in refusal(tmp_path)
