"""Image files that need care, and those that cannot be segmented: refused with one line that says why."""

from __future__ import annotations

import gzip
import os
from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk
from helpers.refusals import refusal

from metasegment.errors import InputError
from metasegment.io.image_file import refuse_too_large
from metasegment.io.volume_file import read_volume, read_voxels
from metasegment.memory import free_memory

FORMATS = (".nrrd", ".nii", ".nii.gz", ".mha")


def test_a_fourth_dimension_of_one_is_dropped(tmp_path: Path, a_scan: sitk.Image) -> None:
    sitk.WriteImage(sitk.JoinSeries([a_scan]), str(tmp_path / "scan.nii.gz"))
    assert read_volume(tmp_path / "scan.nii.gz").array.shape == (6, 20, 30)


def test_a_nifti_next_to_its_unpacked_namesake_is_read_itself(tmp_path: Path, a_scan: sitk.Image) -> None:
    sitk.WriteImage(a_scan, str(tmp_path / "scan.nii.gz"))
    sitk.WriteImage(a_scan + 5, str(tmp_path / "scan.nii"))
    packed, plain = read_volume(tmp_path / "scan.nii.gz"), read_volume(tmp_path / "scan.nii")
    np.testing.assert_array_equal(packed.array, sitk.GetArrayViewFromImage(a_scan))
    np.testing.assert_array_equal(plain.array, packed.array + 5)


def test_a_nifti_in_several_gzip_members_is_read(tmp_path: Path, a_scan: sitk.Image) -> None:
    sitk.WriteImage(a_scan, str(tmp_path / "scan.nii"))
    raw = (tmp_path / "scan.nii").read_bytes()
    (tmp_path / "bgzip.nii.gz").write_bytes(gzip.compress(raw[:1000]) + gzip.compress(raw[1000:]))
    np.testing.assert_array_equal(read_volume(tmp_path / "bgzip.nii.gz").array, sitk.GetArrayViewFromImage(a_scan))


def test_an_absent_file_is_refused(tmp_path: Path) -> None:
    assert "does not exist" in refusal(tmp_path / "nothing.nrrd")


@pytest.mark.parametrize("suffix", FORMATS)
def test_an_empty_file_is_refused(tmp_path: Path, suffix: str) -> None:
    (tmp_path / f"scan{suffix}").touch()
    assert "empty" in refusal(tmp_path / f"scan{suffix}")


@pytest.mark.parametrize("suffix", FORMATS)
@pytest.mark.parametrize("kept", [0.002, 0.5, 0.99])
@pytest.mark.parametrize("compressed", [True, False])
def test_a_truncated_file_is_refused(
    tmp_path: Path, a_scan: sitk.Image, suffix: str, kept: float, compressed: bool
) -> None:
    path = tmp_path / f"scan{suffix}"
    sitk.WriteImage(a_scan, str(path), compressed)
    os.truncate(path, int(path.stat().st_size * kept))
    assert "truncated" in refusal(path)


@pytest.mark.parametrize("name", ["notes.txt", "scan.nrrd", "scan.nii.gz", "scan.dcm"])
def test_a_file_that_is_no_image_is_refused(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_text("Dear colleague, please find attached the scan of Mr Smith.\n" * 20)
    assert "not a readable image" in refusal(tmp_path / name)


def test_a_4d_image_is_refused(tmp_path: Path, a_scan: sitk.Image) -> None:
    sitk.WriteImage(sitk.JoinSeries([a_scan, a_scan]), str(tmp_path / "scan.nii.gz"))
    message = refusal(tmp_path / "scan.nii.gz")
    assert "4D" in message
    assert "3D volumes" in message


def test_a_colour_image_is_refused(tmp_path: Path, a_scan: sitk.Image) -> None:
    sitk.WriteImage(sitk.Compose([sitk.Cast(a_scan, sitk.sitkUInt8)] * 3), str(tmp_path / "scan.nrrd"))
    message = refusal(tmp_path / "scan.nrrd")
    assert "3 values per voxel" in message
    assert "one value per voxel" in message


def test_a_complex_image_is_refused(tmp_path: Path, a_scan: sitk.Image) -> None:
    real = sitk.Cast(a_scan, sitk.sitkFloat32)
    sitk.WriteImage(sitk.RealAndImaginaryToComplex(real, real), str(tmp_path / "scan.nii"))
    assert "complex" in refusal(tmp_path / "scan.nii")


def test_a_2d_image_is_refused(tmp_path: Path, a_scan: sitk.Image) -> None:
    sitk.WriteImage(a_scan[:, :, 2], str(tmp_path / "slice.mha"))
    assert "2D" in refusal(tmp_path / "slice.mha")


@pytest.mark.parametrize("axis", [0, 1, 2])
def test_a_volume_one_voxel_thick_is_refused(tmp_path: Path, a_scan: sitk.Image, axis: int) -> None:
    thin = [slice(None)] * 3
    thin[axis] = slice(2, 3)
    sitk.WriteImage(a_scan[tuple(thin)], str(tmp_path / "thin.nrrd"))
    assert "one voxel thick" in refusal(tmp_path / "thin.nrrd")


@pytest.mark.parametrize("bad", [np.inf, -np.inf])
def test_voxels_that_are_infinite_are_counted_and_refused(tmp_path: Path, bad: float) -> None:
    values = np.random.default_rng(0).normal(size=(5, 6, 7)).astype(np.float32)
    values[1, 2:4, 3] = bad
    sitk.WriteImage(sitk.GetImageFromArray(values), str(tmp_path / "scan.nrrd"))
    assert "2 of 210 voxels that are infinite" in refusal(tmp_path / "scan.nrrd")


def test_a_constant_image_is_refused(tmp_path: Path) -> None:
    sitk.WriteImage(sitk.GetImageFromArray(np.full((4, 5, 6), -1024, np.int16)), str(tmp_path / "air.nrrd"))
    assert "constant (every voxel is -1024)" in refusal(tmp_path / "air.nrrd")
    assert read_voxels(tmp_path / "air.nrrd").array.shape == (4, 5, 6)


def test_sheared_axes_are_refused(tmp_path: Path, a_scan: sitk.Image) -> None:
    a_scan.SetDirection((1, 0.3, 0, 0, 1, 0, 0, 0, 1))
    sitk.WriteImage(a_scan, str(tmp_path / "sheared.nrrd"))
    assert "sheared" in refusal(tmp_path / "sheared.nrrd")


def test_a_nifti_with_a_sheared_sform_is_refused(tmp_path: Path, a_scan: sitk.Image) -> None:
    path = tmp_path / "sheared.nii"
    sitk.WriteImage(a_scan, str(path))
    header = bytearray(path.read_bytes())
    header[252:256] = np.array([0, 1], "<i2").tobytes()  # qform_code, sform_code
    header[280:328] = np.array([[1, 0.5, 0, 0], [0, 1, 0, 0], [0, 0, 1, 0]], "<f4").tobytes()
    path.write_bytes(header)
    assert "sheared" in refusal(path)


def header_of_size(path: Path, size: str) -> Path:
    """A NRRD file that promises int16 voxels and holds none."""
    path.write_text(
        f"NRRD0004\ntype: short\ndimension: 3\nspace: left-posterior-superior\nsizes: {size}\n"
        "space directions: (1,0,0) (0,1,0) (0,0,1)\nendian: little\nencoding: raw\n"
        "space origin: (0,0,0)\n\n"
    )
    return path


def test_an_image_larger_than_the_memory_is_refused_by_its_header(tmp_path: Path) -> None:
    assert "too large for this computer" in refusal(header_of_size(tmp_path / "huge.nrrd", "30000 30000 30000"))


def test_1024_x_1024_x_1000_is_not_too_large(tmp_path: Path) -> None:
    needed = 1024 * 1024 * 1000 * 2 * 2  # bytes: int16, in ITK's and in numpy's memory
    if (free_memory() or needed) < needed:
        pytest.skip("less than 4.2 GB of memory are free")
    refuse_too_large(tmp_path, sitk.sitkInt16, 1024 * 1024 * 1000)
    with pytest.raises(InputError):
        refuse_too_large(tmp_path, sitk.sitkInt16, 1024 * 1024 * 1000 * 1000)
