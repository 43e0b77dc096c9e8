"""RTSTRUCT: contours that give the voxels back, on the slices of their series, usable as annotation."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pydicom
import pytest
from helpers.dicom_files import write_series
from helpers.grids import geometry_with
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from matplotlib.path import Path as Outline

from metasegment.annotation import BACKGROUND
from metasegment.errors import InputError
from metasegment.export import read_structures, to_file, write_segmentation
from metasegment.io.annotation_file import read_annotation
from metasegment.io.dicom_contours import filled, polygons_around
from metasegment.io.volume_file import read_volume
from metasegment.measures.dice import dice
from metasegment.volume import Geometry, Volume

HOLE = np.zeros((9, 11), bool)
HOLE[1:8, 1:10] = True
HOLE[3:6, 3:8] = False
ISLAND = HOLE.copy()
ISLAND[4, 5] = True


def test_polygons_that_leave_the_image_are_cut_off() -> None:
    beyond = np.array([[-3.2, -4.5], [-3.2, 20.5], [2.6, 20.5], [2.6, -4.5]])
    np.testing.assert_array_equal(filled([beyond], (6, 8)), np.arange(6)[:, None] <= np.full(8, 2))


@given(mask=arrays(bool, st.tuples(st.integers(1, 9), st.integers(1, 9))))
@settings(max_examples=150, deadline=None)
def test_any_mask_comes_back_from_its_polygons(mask: np.ndarray) -> None:
    np.testing.assert_array_equal(filled(polygons_around(mask), mask.shape), mask)


@pytest.mark.parametrize("mask", [HOLE, ISLAND])
def test_holes_are_left_out_by_readers_that_unite_polygons(mask: np.ndarray) -> None:
    centres = np.argwhere(np.ones_like(mask))
    united = np.zeros(mask.size, bool)
    for polygon in polygons_around(mask):
        united |= Outline(polygon).contains_points(centres)
    np.testing.assert_array_equal(united.reshape(mask.shape), mask)


@pytest.fixture
def a_drawn_series(textured_volume: Volume, tmp_path: Path) -> tuple[Path, Path]:
    labels = np.zeros(textured_volume.array.shape, np.uint8)
    labels[2:5, :9, :11] = np.where(HOLE, 1, 0)[:, : labels.shape[2]]
    labels[3, 4, 5] = 4
    labels[6, 1:4, 2:7] = 4
    names, colors = {1: "Rind, äußere", 4: "Kern"}, {1: (1.0, 0.0, 0.0), 4: (0.0, 0.2, 1.0)}
    write_segmentation(labels, textured_volume.geometry, tmp_path / "drawn.seg.nrrd", names, colors)
    return tmp_path / "drawn.seg.nrrd", write_series(tmp_path / "series", textured_volume, "MR")


def test_a_structure_set_gives_the_voxels_back(a_drawn_series: tuple[Path, Path], tmp_path: Path) -> None:
    drawn, series = a_drawn_series
    to_file(drawn, tmp_path / "out.rtstruct.dcm", series)
    grid = read_volume(series).geometry
    wanted, found = read_structures(drawn, grid), read_structures(tmp_path / "out.rtstruct.dcm", grid)
    np.testing.assert_array_equal(found.labels, np.array([0, 1, 0, 0, 2], np.uint8)[wanted.labels])
    assert [segment.name for segment in found.segments] == ["Rind, äußere", "Kern"]
    assert [segment.color for segment in found.segments] == [(1.0, 0.0, 0.0), (0.0, 0.2, 1.0)]


@pytest.mark.parametrize("awkward_geometry", ["oblique"], indirect=True)
def test_contours_lie_on_the_slice_that_they_refer_to(a_drawn_series: tuple[Path, Path], tmp_path: Path) -> None:
    drawn, series = a_drawn_series
    to_file(drawn, tmp_path / "out.rtstruct.dcm", series)
    structure_set = pydicom.dcmread(tmp_path / "out.rtstruct.dcm")
    slices = {header.SOPInstanceUID: header for header in map(pydicom.dcmread, series.iterdir())}
    first = next(iter(slices.values()))
    referred = structure_set.ReferencedFrameOfReferenceSequence[0]
    assert referred.FrameOfReferenceUID == structure_set.FrameOfReferenceUID == first.FrameOfReferenceUID
    of_series = referred.RTReferencedStudySequence[0].RTReferencedSeriesSequence[0]
    assert of_series.SeriesInstanceUID == first.SeriesInstanceUID
    assert {image.ReferencedSOPInstanceUID for image in of_series.ContourImageSequence} == set(slices)
    contours = [contour for roi in structure_set.ROIContourSequence for contour in roi.ContourSequence]
    assert len(contours) == 3 + 2  # a keyhole a slice, and the other structure on two
    for contour in contours:
        header = slices[contour.ContourImageSequence[0].ReferencedSOPInstanceUID]
        normal = np.cross(header.ImageOrientationPatient[:3], header.ImageOrientationPatient[3:])
        points = np.reshape(contour.ContourData, (-1, 3)).astype(float) - header.ImagePositionPatient
        assert np.abs(points @ normal).max() < 1e-3
        assert len(points) == contour.NumberOfContourPoints


@pytest.mark.parametrize("awkward_geometry", ["oblique"], indirect=True)
def test_as_annotation_its_slices_are_annotated_and_no_others(
    a_drawn_series: tuple[Path, Path], tmp_path: Path
) -> None:
    drawn, series = a_drawn_series
    to_file(drawn, tmp_path / "out.rtstruct.dcm", series)
    annotation = read_annotation(tmp_path / "out.rtstruct.dcm", read_volume(series).geometry)
    assert [(plane.axis, plane.index) for plane in annotation.slices] == [(0, 2), (0, 3), (0, 4), (0, 6)]
    assert annotation.names == {1: "Rind, äußere", 2: "Kern"}
    assert not annotation.labels[5].any()
    assert annotation.labels[6, 0, 0] == BACKGROUND


@pytest.mark.parametrize("awkward_geometry", ["oblique"], indirect=True)
def test_what_is_not_on_the_images_slices_is_refused(
    a_drawn_series: tuple[Path, Path], tmp_path: Path, textured_volume: Volume
) -> None:
    drawn, series = a_drawn_series
    to_file(drawn, tmp_path / "out.rtstruct.dcm", series)
    shifted = pydicom.dcmread(tmp_path / "out.rtstruct.dcm")
    half_a_slice = textured_volume.geometry.index_to_world[:3, 2] / 2
    for roi in shifted.ROIContourSequence:
        for contour in roi.ContourSequence:
            contour.ContourData = (
                (np.reshape(contour.ContourData, (-1, 3)).astype(float) + half_a_slice).ravel().tolist()
            )
    shifted.save_as(tmp_path / "shifted.dcm")
    with pytest.raises(InputError, match=r"shifted\.dcm: its contours are not on the image's slices"):
        read_structures(tmp_path / "shifted.dcm", read_volume(series).geometry)
    with pytest.raises(InputError, match="contours have no grid of their own"):
        read_structures(tmp_path / "out.rtstruct.dcm")
    other = write_series(tmp_path / "other", textured_volume)
    with pytest.raises(InputError, match="frames of reference differ"):
        to_file(tmp_path / "out.rtstruct.dcm", tmp_path / "x.nrrd", other)


@pytest.mark.parametrize(("reach", "refused"), [(0.9, False), (6.0, True)])
def test_shared_borders_go_to_the_smaller_and_larger_overlaps_are_refused(
    tmp_path: Path, reach: float, refused: bool
) -> None:
    grid = geometry_with((24, 16, 4))
    series = write_series(tmp_path / "series", Volume(np.arange(24 * 16 * 4, dtype=np.int16).reshape(4, 16, 24), grid))
    labels = np.zeros(grid.shape, np.uint8)
    labels[1, 2:12, 2:12] = 1
    labels[1, 3:12, 12:22] = 2
    write_segmentation(labels, grid, tmp_path / "a.nrrd")
    to_file(tmp_path / "a.nrrd", tmp_path / "a.rtstruct.dcm", series)
    overlapping = pydicom.dcmread(tmp_path / "a.rtstruct.dcm")
    contour = overlapping.ROIContourSequence[0].ContourSequence[0]
    points = np.reshape(contour.ContourData, (-1, 3)).astype(float)
    points[points[:, 0] > 11, 0] += reach  # the larger one's border with the other
    contour.ContourData = [f"{value:.3f}" for value in points.ravel()]
    overlapping.save_as(tmp_path / "b.dcm")
    if refused:
        with pytest.raises(InputError, match="structures overlap: 'Structure 1' shares"):
            read_structures(tmp_path / "b.dcm", grid)
    else:
        np.testing.assert_array_equal(read_structures(tmp_path / "b.dcm", grid).labels == 2, labels == 2)


@pytest.mark.parametrize("sample", ["sts002_ct_rtstruct", "sts008_mr_t1_rtstruct", "lung_pat2_ct_rtstruct"])
def test_the_samples_come_back_with_a_dice_of_one(data_folder: Path, tmp_path: Path, sample: str) -> None:
    folder = data_folder / "dicom" / sample
    series = folder / "image" if (folder / "image").is_dir() else folder
    contours = folder / "mask" / "RS.dcm" if series != folder else folder / "DCM_RS_00041.dcm"
    to_file(contours, tmp_path / "out.rtstruct.dcm", series)
    grid = read_volume(series).geometry
    wanted, found = read_structures(contours, grid), read_structures(tmp_path / "out.rtstruct.dcm", grid)
    assert np.count_nonzero(wanted.labels) > 500
    assert dice(found.labels > 0, wanted.labels > 0) == 1
    assert [segment.name for segment in found.segments] == [segment.name for segment in wanted.segments]
    independent = _filled_by_matplotlib(contours, grid)
    assert dice(found.labels > 0, independent) >= 0.99


def _filled_by_matplotlib(path: Path, grid: Geometry) -> np.ndarray:
    """The contours of an axial series by another library's test of points in polygons."""
    mask = np.zeros(grid.shape, bool)
    to_index = np.linalg.inv(grid.index_to_world)
    rows, columns = np.indices(grid.shape[1:])
    centres = np.column_stack([columns.ravel(), rows.ravel()])
    for contour in pydicom.dcmread(path).ROIContourSequence[0].ContourSequence:
        points = np.reshape(contour.ContourData, (-1, 3)).astype(float) @ to_index[:3, :3].T + to_index[:3, 3]
        mask[round(points[0, 2])] ^= Outline(points[:, :2]).contains_points(centres).reshape(rows.shape)
    return mask
