"""`metasegment segment` refuses images and annotations that are no good: code 2, one clear line, nothing written."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk
from helpers.study_files import NAMES, Study

from metasegment.annotation import BACKGROUND
from metasegment.export import write_segmentation
from metasegment.io.volume_file import write_volume
from metasegment.volume import Geometry, Volume


@pytest.fixture
def saved_image(study: Study, tmp_path: Path) -> Callable[[np.ndarray], Path]:
    """Writes voxels as an image on the study's grid."""

    def save(array: np.ndarray) -> Path:
        write_volume(replace(study.volume, array=array), tmp_path / "bad.nrrd")
        return tmp_path / "bad.nrrd"

    return save


@pytest.fixture
def saved_labels(study: Study, tmp_path: Path) -> Callable[..., Path]:
    """Writes labels as an annotation on the study's grid, or on another."""

    def save(labels: np.ndarray, geometry: Geometry = study.volume.geometry) -> Path:
        write_volume(Volume(labels, geometry), tmp_path / "bad_annotation.nrrd")
        return tmp_path / "bad_annotation.nrrd"

    return save


def test_an_annotation_without_a_label_is_refused(
    refused: Callable[..., str], saved_labels: Callable[..., Path], study: Study
) -> None:
    assert "nothing is annotated" in refused(annotation=saved_labels(np.zeros_like(study.labels)))


def test_an_annotation_without_a_full_slice_is_refused(
    refused: Callable[..., str], saved_labels: Callable[..., Path], study: Study
) -> None:
    labels = study.labels.copy()
    labels[:, 30:] = 0
    line = refused(annotation=saved_labels(labels))
    assert "no slice is fully annotated" in line
    assert "still unknown" in line


def test_a_structure_without_a_voxel_is_refused_by_name(
    refused: Callable[..., str], study: Study, tmp_path: Path
) -> None:
    path = tmp_path / "annotation.seg.nrrd"
    names = {**NAMES, 3: "Milz", BACKGROUND: "background"}
    write_segmentation(study.labels, study.volume.geometry, path, names)
    assert "structure 'Milz' (label 3) has no voxel" in refused(annotation=path)


def test_background_alone_is_refused(
    refused: Callable[..., str], saved_labels: Callable[..., Path], study: Study
) -> None:
    labels = np.where(study.labels, BACKGROUND, 0).astype(np.uint8)
    assert "draw each structure on at least one slice" in refused(annotation=saved_labels(labels))


@pytest.mark.parametrize(
    ("changed", "how"),
    [
        ({"origin": (5.0, 0.0, 0.0)}, "origin (5, 0, 0) instead of (0, 0, 0), 5 mm away"),
        ({"spacing": (0.9, 0.9, 3.0)}, "spacing 0.9 x 0.9 x 3 mm instead of 0.9 x 0.9 x 1.5 mm"),
        ({"direction": (1, 0, 0, 0, 1, 0, 0, 0, 1)}, "directions (1, 0, 0, 0, 1, 0, 0, 0, 1) instead of"),
    ],
)
def test_another_grid_is_refused_and_the_difference_told(
    refused: Callable[..., str], saved_labels: Callable[..., Path], study: Study, changed: dict[str, tuple], how: str
) -> None:
    line = refused(annotation=saved_labels(study.labels, replace(study.volume.geometry, **changed)))
    assert "its voxels are not the image's" in line
    assert how in line


def test_an_annotation_that_reaches_beyond_the_image_is_refused(
    refused: Callable[..., str], saved_labels: Callable[..., Path], study: Study
) -> None:
    larger = replace(study.volume.geometry, size=(56, 56, 41))
    line = refused(annotation=saved_labels(np.pad(study.labels, ((0, 1), (0, 0), (0, 0)), constant_values=255), larger))
    assert "it reaches beyond the image" in line


@pytest.mark.parametrize(("value", "dtype"), [(300, np.int16), (-1, np.int16), (1.5, np.float32)])
def test_labels_out_of_range_are_refused(
    refused: Callable[..., str], saved_labels: Callable[..., Path], study: Study, value: float, dtype: type
) -> None:
    labels: np.ndarray = study.labels.astype(dtype)
    labels[20, 26, 22] = value
    assert "labels out of range" in refused(annotation=saved_labels(labels))


def test_voxels_that_are_infinite_are_refused(
    refused: Callable[..., str], saved_image: Callable[[np.ndarray], Path], study: Study
) -> None:
    array = study.volume.array.astype(np.float32)
    array[3, 4, 5] = np.inf
    assert "1 of 125,440 voxels that are infinite" in refused(saved_image(array))


def test_a_constant_image_is_refused(
    refused: Callable[..., str], saved_image: Callable[[np.ndarray], Path], study: Study
) -> None:
    assert "is constant" in refused(saved_image(np.full_like(study.volume.array, -1024)))


def as_4d(scan: sitk.Image) -> sitk.Image:
    return sitk.JoinSeries([scan, scan])


def as_colour(scan: sitk.Image) -> sitk.Image:
    return sitk.Compose([sitk.Cast(scan, sitk.sitkUInt8)] * 3)


@pytest.mark.parametrize(
    ("made", "message"),
    [
        (as_4d, "is a 4D image (30 x 20 x 6 x 2); only 3D volumes"),
        (as_colour, "is a colour or vector image (3 values per voxel); only 3D volumes"),
        (lambda scan: scan[:, :, 2], "is a 2D image (30 x 20); only 3D volumes"),
        (lambda scan: scan[:, :, 2:3], "is one voxel thick (30 x 20 x 1)"),
    ],
)
def test_what_is_no_scalar_3d_volume_is_refused(
    refused: Callable[..., str],
    a_scan: sitk.Image,
    tmp_path: Path,
    made: Callable[[sitk.Image], sitk.Image],
    message: str,
) -> None:
    sitk.WriteImage(made(a_scan), str(tmp_path / "bad.nrrd"))
    assert message in refused(tmp_path / "bad.nrrd")


@pytest.mark.parametrize("role", ["image", "annotation"])
@pytest.mark.parametrize(("kept", "message"), [(0, "is empty"), (0.6, "damaged"), (0.01, "damaged")])
def test_an_empty_or_truncated_file_is_refused(
    refused: Callable[..., str], study: Study, tmp_path: Path, role: str, kept: float, message: str
) -> None:
    path = Path(shutil.copy(getattr(study, role), tmp_path))
    os.truncate(path, int(kept * path.stat().st_size))
    line = refused(**{role: path})
    assert message in line
    assert str(path) in line


@pytest.mark.parametrize("role", ["image", "annotation"])
def test_an_absent_file_is_refused(refused: Callable[..., str], tmp_path: Path, role: str) -> None:
    assert f"{tmp_path / 'nothing.nrrd'} does not exist" in refused(**{role: tmp_path / "nothing.nrrd"})


def test_an_image_larger_than_the_memory_is_refused_by_its_header(refused: Callable[..., str], tmp_path: Path) -> None:
    path = tmp_path / "huge.nrrd"
    path.write_text("NRRD0004\ntype: short\ndimension: 3\nsizes: 30000 30000 30000\nendian: little\nencoding: raw\n\n")
    assert "crop or downsample it first" in refused(path)


def dicom_series(folder: Path, uid: str, positions: Sequence[float]) -> None:
    """CT slices of noise at the given z positions in mm."""
    writer = sitk.ImageFileWriter()
    writer.KeepOriginalImageUIDOn()
    noise = np.random.default_rng(0).integers(0, 1000, (len(positions), 24, 32)).astype(np.int16)
    for number, (z, voxels) in enumerate(zip(positions, noise, strict=True)):
        image = sitk.GetImageFromArray(voxels[None])
        tags = {
            "0008|0016": "1.2.840.10008.5.1.4.1.1.2",
            "0008|0018": f"{uid}.{number + 1}",
            "0008|0060": "CT",
            "0008|103e": f"series {uid}",
            "0020|000d": "1.2.3",
            "0020|000e": uid,
            "0020|0013": str(number + 1),
            "0020|0032": f"0\\0\\{z}",
            "0020|0037": "1\\0\\0\\0\\1\\0",
        }
        for key, value in tags.items():
            image.SetMetaData(key, value)
        writer.SetFileName(str(folder / f"{uid}-{number}.dcm"))
        writer.Execute(image)


def test_a_folder_with_several_series_is_refused_and_they_are_listed(
    refused: Callable[..., str], tmp_path: Path
) -> None:
    dicom_series(tmp_path, "1.2.3.4", [0, 2, 4, 6])
    dicom_series(tmp_path, "1.2.3.5", [0, 3, 6])
    line = refused(tmp_path)
    assert "holds 2 DICOM series" in line
    assert "'series 1.2.3.4' (CT, 4 slices)" in line
    assert "'series 1.2.3.5' (CT, 3 slices)" in line


def test_a_series_with_missing_slices_is_refused_and_the_gap_placed(
    refused: Callable[..., str], tmp_path: Path
) -> None:
    dicom_series(tmp_path, "1.2.3.4", [0, 2, 4, 8, 10])
    assert "slices are missing: 4.00 mm between 1.2.3.4-2.dcm and 1.2.3.4-3.dcm" in refused(tmp_path)


def test_a_folder_without_dicom_is_refused(refused: Callable[..., str], tmp_path: Path) -> None:
    assert "holds no DICOM image series" in refused(tmp_path)
