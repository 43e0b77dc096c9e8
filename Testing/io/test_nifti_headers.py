"""NIfTI files as programs write them: read where they say they are, and results that lie on their image everywhere."""

from __future__ import annotations

import gzip
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
import SimpleITK as sitk
from helpers.refusals import refusal

from metasegment.errors import InputError
from metasegment.io.annotation_file import places_of, read_annotation
from metasegment.io.volume_file import read_frame, read_volume, write_volume
from metasegment.volume import Volume

_SHAPE = (9, 8, 7)  # i, j, k
_RAS = np.array([[-2.0, 0, 0, 30], [0, -1.5, 0, 50], [0, 0, 3.0, 20], [0, 0, 0, 1]])
_TURNED = np.array([[0, -1.5, 0, 10.0], [2.0, 0, 0, -70], [0, 0, 3.0, 40], [0, 0, 0, 1]])
_LPS = np.diag([-1.0, -1.0, 1.0, 1.0])
Edit = Callable[[nib.Nifti1Image], None]


def voxels() -> np.ndarray:
    return np.arange(np.prod(_SHAPE), dtype=np.int16).reshape(_SHAPE)


def saved(path: Path, edit: Edit | None = None, array: np.ndarray | None = None, kind: type = nib.Nifti1Image) -> Path:
    array = voxels() if array is None else array
    image = kind(array, _RAS, dtype=array.dtype)
    image.set_qform(_RAS, 1)
    image.set_sform(_RAS, 1)
    if edit:
        edit(image)
    nib.save(image, path)
    return path


def disagreeing(image: nib.Nifti1Image) -> None:
    image.set_qform(_TURNED, 1)
    image.set_sform(_RAS, 2)


def unplaced(image: nib.Nifti1Image) -> None:
    image.set_qform(_RAS, 0)
    image.set_sform(_RAS, 0)


def in_micrometres(image: nib.Nifti1Image) -> None:
    scaled = np.diag([1000.0, 1000, 1000, 1]) @ _RAS
    image.set_qform(scaled, 1)
    image.set_sform(scaled, 1)
    image.header.set_xyzt_units("micron")


def only_qform(image: nib.Nifti1Image) -> None:
    image.set_sform(None, 0)


@pytest.mark.parametrize("edit", [disagreeing, unplaced, in_micrometres, only_qform])
@pytest.mark.parametrize("kind", [nib.Nifti1Image, nib.Nifti2Image])
def test_a_result_lies_on_its_image_in_every_program(tmp_path: Path, edit: Edit, kind: type) -> None:
    image = saved(tmp_path / "image.nii.gz", edit, kind=kind)
    volume = read_volume(image)
    result = Volume((volume.array > 200).astype(np.uint8), volume.geometry)
    write_volume(result, tmp_path / "result.nii.gz", like=image)
    wanted, found = nib.load(image), nib.load(tmp_path / "result.nii.gz")
    np.testing.assert_allclose(found.affine, wanted.affine)
    np.testing.assert_allclose(found.get_qform(), wanted.get_qform(), atol=1e-5)
    for code in ("qform_code", "sform_code", "xyzt_units"):
        assert found.header[code] == wanted.header[code]
    np.testing.assert_array_equal(np.asarray(found.dataobj), voxels() > 200)
    if kind is nib.Nifti1Image:
        mine, theirs = (sitk.ReadImage(str(tmp_path / name)) for name in ("image.nii.gz", "result.nii.gz"))
        assert mine.GetOrigin() == theirs.GetOrigin()
        assert mine.GetDirection() == theirs.GetDirection()


def test_a_result_on_another_grid_takes_no_header_from_the_image(tmp_path: Path) -> None:
    image = saved(tmp_path / "image.nii", disagreeing)
    volume = read_volume(image)
    moved = Volume(volume.array, replace(volume.geometry, origin=(1.0, 2.0, 3.0)))
    write_volume(moved, tmp_path / "moved.nii", like=image)
    np.testing.assert_allclose((_LPS @ nib.load(tmp_path / "moved.nii").affine)[:3, 3], (1, 2, 3))


@pytest.mark.parametrize(
    ("edit", "wanted"),
    [(disagreeing, _RAS), (in_micrometres, _RAS), (only_qform, _RAS)],
)
def test_voxels_are_read_where_the_header_places_them(tmp_path: Path, edit: Edit, wanted: np.ndarray) -> None:
    volume = read_volume(saved(tmp_path / "image.nii", edit))
    np.testing.assert_allclose(volume.geometry.index_to_world, _LPS @ wanted, atol=1e-4)
    np.testing.assert_array_equal(volume.array, voxels().transpose(2, 1, 0))


def test_annotation_placed_by_either_of_two_disagreeing_forms_is_on_the_image(tmp_path: Path) -> None:
    image = saved(tmp_path / "image.nii.gz", disagreeing)
    labels = np.zeros(_SHAPE, np.uint8)
    labels[:, :, 3] = 255
    labels[2:4, 2:5, 3] = 1
    grid = read_volume(image).geometry
    for place in (_RAS, _TURNED):
        drawn = nib.Nifti1Image(labels, place)
        nib.save(drawn, tmp_path / "drawn.nii.gz")
        found = read_annotation(tmp_path / "drawn.nii.gz", grid, same_grids=places_of(image))
        np.testing.assert_array_equal(found.labels, labels.transpose(2, 1, 0))


@pytest.mark.parametrize(
    "kind", ["plain as gz", "gz as plain", "trailing bytes", "capitals", "other dots", "version 2"]
)
def test_the_content_tells_how_a_file_is_packed(tmp_path: Path, kind: str) -> None:
    plain, packed = saved(tmp_path / "a.nii"), saved(tmp_path / "b.nii.gz")
    if kind == "plain as gz":
        path = Path(shutil.copy(plain, tmp_path / "image.nii.gz"))
    elif kind == "gz as plain":
        path = Path(shutil.copy(packed, tmp_path / "image.nii"))
    elif kind == "trailing bytes":
        path = tmp_path / "image.nii.gz"
        path.write_bytes(packed.read_bytes() + bytes(512))
    elif kind == "capitals":
        path = Path(shutil.copy(packed, tmp_path / "IMAGE.NII.GZ"))
    elif kind == "other dots":
        path = Path(shutil.copy(packed, tmp_path / "pat.img.nii.gz"))
    else:
        path = saved(tmp_path / "image.nii", kind=nib.Nifti2Image)
    volume = read_volume(path)
    np.testing.assert_array_equal(volume.array, voxels().transpose(2, 1, 0))
    np.testing.assert_allclose(volume.geometry.index_to_world, _LPS @ _RAS, atol=1e-4)


def test_results_are_written_packed_as_their_name_says_in_any_case(tmp_path: Path) -> None:
    volume = read_volume(saved(tmp_path / "a.nii"))
    write_volume(volume, tmp_path / "OUT.NII.GZ")
    assert gzip.decompress((tmp_path / "OUT.NII.GZ").read_bytes())[344:348] == b"n+1\0"
    np.testing.assert_array_equal(read_volume(tmp_path / "OUT.NII.GZ").array, volume.array)


@pytest.mark.parametrize("given", [".hdr", ".img"])
def test_a_pair_of_files_is_read_from_either_and_its_absent_half_named(tmp_path: Path, given: str) -> None:
    saved(tmp_path / "scan.hdr", kind=nib.Nifti1Pair)
    np.testing.assert_array_equal(read_volume(tmp_path / f"scan{given}").array, voxels().transpose(2, 1, 0))
    other = {".hdr": ".img", ".img": ".hdr"}[given]
    (tmp_path / f"scan{other}").unlink()
    with pytest.raises(InputError, match=f"its {other} is not beside it"):
        read_volume(tmp_path / f"scan{given}")


def test_directions_that_rounding_sheared_are_straightened(tmp_path: Path) -> None:
    sheared = _RAS.copy()
    sheared[:3, :3] = np.array([[1, 0, 0], [0, 1, 2e-4], [0, 0, 1]]) @ sheared[:3, :3]
    volume = read_volume(
        saved(tmp_path / "a.nii", lambda image: (image.set_sform(sheared, 1), image.set_qform(None, 0)))
    )
    directions = np.reshape(volume.geometry.direction, (3, 3))
    np.testing.assert_allclose(directions.T @ directions, np.eye(3), atol=1e-12)
    corner = np.array([8, 7, 6, 1])
    np.testing.assert_allclose(volume.geometry.index_to_world @ corner, _LPS @ sheared @ corner, atol=0.01)


def test_voxels_without_a_size_are_refused(tmp_path: Path) -> None:
    path = saved(tmp_path / "a.nii", unplaced)
    header = bytearray(path.read_bytes())
    header[84:88] = bytes(4)  # pixdim[2]
    path.write_bytes(header)
    assert "does not tell the size of its voxels" in refusal(path)


def test_an_analyze_file_is_refused_for_its_lack_of_orientation(tmp_path: Path) -> None:
    nib.save(nib.AnalyzeImage(voxels(), None), tmp_path / "a.img")
    assert "does not tell left from right" in refusal(tmp_path / "a.hdr")


def test_scaled_voxels_and_big_endian_ones_have_their_values(tmp_path: Path) -> None:
    image = nib.Nifti1Image(voxels(), _RAS, header=nib.Nifti1Header(endianness=">"))
    image.header.set_slope_inter(0.5, -100)
    nib.save(image, tmp_path / "a.nii")
    np.testing.assert_allclose(
        read_volume(tmp_path / "a.nii").array, np.asarray(nib.load(tmp_path / "a.nii").dataobj).transpose(2, 1, 0)
    )


def test_frames_of_a_4d_file_are_read_one_by_one(tmp_path: Path) -> None:
    path = saved(tmp_path / "a.nii.gz", array=np.stack([voxels(), voxels() + 1000], -1))
    np.testing.assert_array_equal(read_frame(path, 1).array, voxels().transpose(2, 1, 0) + 1000)


@pytest.mark.parametrize("suffix", [".nii.gz", ".nrrd", ".mha"])
def test_nan_counts_as_the_lowest_value_in_every_format_and_is_told(tmp_path: Path, suffix: str) -> None:
    array = voxels().astype(np.float32) + 5
    array[:2] = np.nan
    image = sitk.GetImageFromArray(array.transpose(2, 1, 0))
    sitk.WriteImage(image, str(tmp_path / f"a{suffix}"))
    volume = read_volume(tmp_path / f"a{suffix}")
    assert volume.array[:, :, :2].max() == volume.array.min() == np.nanmin(array)
    assert "112 of 504 voxels are NaN" in volume.notes[0]
