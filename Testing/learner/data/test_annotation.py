"""Annotations: annotated slices are found in every plane, and advice is given where nothing can be learnt."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk
from helpers.grids import geometry_with
from hypothesis import given, settings
from hypothesis import strategies as st

from metasegment.annotation import (
    BACKGROUND,
    AnnotatedSlice,
    Annotation,
    add_oblique_slice,
    annotated_slices,
    annotation_from_labels,
    empty_annotation,
    require_usable,
)
from metasegment.errors import InputError
from metasegment.io.annotation_file import read_annotation
from metasegment.io.volume_file import write_volume
from metasegment.volume import Geometry, Volume

SHAPE = (9, 11, 13)  # k, j, i of the synthetic grids
OBLIQUE_PLANE = np.array(  # rows lean 30 degrees out of the axial plane, columns run along x
    [[0, 1, 0, 0], [np.cos(np.pi / 6), 0, 0, 0], [np.sin(np.pi / 6), 0, 0, 1], [0, 0, 0, 1]]
)


@pytest.fixture
def grid() -> Geometry:
    return geometry_with()


def labels_with(*planes: tuple[int, int], structure: int = 1) -> np.ndarray:
    """Labels known on some planes (axis, index): background with a block of a structure in the middle."""
    full = np.full(SHAPE, BACKGROUND, np.uint8)
    full[2:7, 3:8, 4:9] = structure
    labels = np.zeros(SHAPE, np.uint8)
    for axis, index in planes:
        plane = [slice(None)] * 3
        plane[axis] = index
        labels[tuple(plane)] = full[tuple(plane)]
    return labels


def refusal_of(labels: np.ndarray, grid: Geometry, names: dict[int, str] | None = None) -> str:
    with pytest.raises(InputError) as caught:
        annotation_from_labels(labels, grid, names)
    assert "\n" not in str(caught.value)
    return str(caught.value)


@pytest.mark.parametrize("planes", [[(0, 4)], [(1, 5)], [(2, 6)], [(0, 2), (0, 3), (0, 8)], [(1, 0), (1, 10)]])
def test_slices_of_one_axis_are_found(grid: Geometry, planes: list[tuple[int, int]]) -> None:
    labels = labels_with(*planes)
    labels[tuple(positions[0] for positions in labels.nonzero())] = 1
    found = annotation_from_labels(labels, grid)
    assert found.slices == tuple(AnnotatedSlice(*plane) for plane in planes)
    assert found.oblique == ()
    assert found.structures == (1,)


def test_slices_of_several_axes_are_found_together(grid: Geometry) -> None:
    found = annotation_from_labels(labels_with((0, 4), (1, 5), (2, 6), (2, 7)), grid)
    assert found.slices == tuple(AnnotatedSlice(*plane) for plane in ((0, 4), (1, 5), (2, 6), (2, 7)))
    assert found.oblique == ()


def test_a_volume_known_everywhere_counts_as_axial_slices(grid: Geometry) -> None:
    found = annotation_from_labels(labels_with(*((0, k) for k in range(SHAPE[0]))), grid)
    assert found.slices == tuple(AnnotatedSlice(0, k) for k in range(SHAPE[0]))


def test_all_but_one_slice_known_does_not_make_other_planes_full(grid: Geometry) -> None:
    found = annotation_from_labels(labels_with(*((0, k) for k in range(1, SHAPE[0]))), grid)
    assert {plane.axis for plane in found.slices} == {0}


def test_a_slice_of_background_says_the_structure_is_absent(grid: Geometry) -> None:
    labels = labels_with((0, 4))
    labels[8] = BACKGROUND
    found = annotation_from_labels(labels, grid)
    assert found.slices == (AnnotatedSlice(0, 4), AnnotatedSlice(0, 8))
    assert found.structures == (1,)


def test_structures_are_those_with_voxels_in_order(grid: Geometry) -> None:
    labels = labels_with((0, 4), structure=254)
    labels[4, 0, :3] = (7, 3, 7)
    assert annotation_from_labels(labels, grid).structures == (3, 7, 254)


@settings(deadline=None, max_examples=60)
@given(planes=st.sets(st.integers(0, 2).flatmap(lambda a: st.tuples(st.just(a), st.integers(0, SHAPE[a] - 1)))))
def test_found_slices_cover_what_is_known_and_only_that(planes: set[tuple[int, int]]) -> None:
    labels = labels_with((0, 4), *planes)
    found = annotation_from_labels(labels, geometry_with())
    covered = np.zeros(labels.size, bool)
    for sheet in annotated_slices(found):
        covered[sheet.voxels(SHAPE)] = True
    np.testing.assert_array_equal(covered.reshape(SHAPE), labels != 0)


def test_a_slice_selects_its_voxels_and_crossings_belong_to_both(grid: Geometry) -> None:
    found = annotation_from_labels(labels_with((0, 4), (2, 6)), grid)
    axial, sagittal = (set(sheet.voxels(SHAPE).tolist()) for sheet in annotated_slices(found))
    everything = np.arange(np.prod(SHAPE)).reshape(SHAPE)
    assert axial == set(everything[4].ravel().tolist())
    assert sagittal == set(everything[:, :, 6].ravel().tolist())
    assert axial & sagittal == set(everything[4, :, 6].tolist())


def test_known_voxels_off_the_slices_are_strokes(grid: Geometry) -> None:
    labels = labels_with((0, 4))
    labels[1, 2, 3], labels[7, 2, 3] = 1, BACKGROUND
    found = annotation_from_labels(labels, grid)
    assert found.slices == (AnnotatedSlice(0, 4),) and found.oblique == ()
    inside, outside = np.ravel_multi_index(([1, 7], [2, 2], [3, 3]), SHAPE).tolist()
    assert (found.strokes[1].inside.tolist(), found.strokes[1].outside.tolist()) == ([inside], [outside])
    assert not found.labels[[1, 7], 2, 3].any()
    assert found.structures == (1,)


def drawn(shape: tuple[int, int] = (40, 40)) -> np.ndarray:
    mask = np.full(shape, BACKGROUND, np.uint8)
    mask[4:8, 4:9] = 5
    return mask


def test_an_oblique_slice_goes_where_its_affine_says(grid: Geometry) -> None:
    annotation = add_oblique_slice(empty_annotation(grid), drawn(), OBLIQUE_PLANE)
    require_usable(annotation)
    assert annotation.structures == (5,)
    k, j, i = np.unravel_index(annotation.oblique[0].voxels(SHAPE), SHAPE)
    plane_k = 1 + j * np.tan(np.pi / 6)
    assert np.abs(k - plane_k).max() <= 0.5
    row = j / np.cos(np.pi / 6)
    inside = (row > 3.6) & (row < 7.4) & (i >= 4) & (i <= 8)
    assert (annotation.labels[k, j, i][inside] == 5).all()
    assert np.count_nonzero(annotation.labels) == k.size


directions = st.tuples(*[st.floats(-1, 1)] * 3).filter(lambda v: np.linalg.norm(v) > 0.1)


@settings(deadline=None, max_examples=60)
@given(normal=directions, spacing=st.tuples(*[st.floats(0.5, 4)] * 3), turn=st.tuples(*[st.floats(-90, 90)] * 3))
def test_an_oblique_slice_has_no_holes_and_cuts_the_volume_in_two(
    normal: tuple[float, float, float], spacing: tuple[float, float, float], turn: tuple[float, float, float]
) -> None:
    geometry = geometry_with(spacing=spacing, angles=turn, flips=(1, -1, 1))
    unit = np.asarray(normal) / np.linalg.norm(normal)
    row = np.cross(unit, np.eye(3)[np.abs(unit).argmin()])
    row /= np.linalg.norm(row)
    column = np.cross(unit, row)
    middle = (geometry.index_to_world @ (6, 5, 4, 1))[:3]
    affine = np.eye(4)
    affine[:3, 0], affine[:3, 1] = row, column
    affine[:3, 3] = middle - 100 * (row + column)
    labels = add_oblique_slice(empty_annotation(geometry), np.full((201, 201), 3, np.uint8), affine).labels
    # Faces between unknown voxels join regions: a hole would join the two sides of the sheet.
    sides = sitk.GetArrayFromImage(sitk.ConnectedComponent(sitk.GetImageFromArray((labels == 0).astype(np.uint8))))
    index = np.stack(np.indices(SHAPE)[::-1], axis=-1)
    world = index @ geometry.index_to_world[:3, :3].T + geometry.index_to_world[:3, 3]
    above = (world - middle) @ unit > 0
    unknown = labels == 0
    assert not set(sides[unknown & above].tolist()) & set(sides[unknown & ~above].tolist())


def test_an_oblique_slice_keeps_the_other_slices(grid: Geometry) -> None:
    before = annotation_from_labels(labels_with((0, 4), (1, 5)), grid)
    after = add_oblique_slice(before, drawn(), OBLIQUE_PLANE)
    assert after.slices == before.slices
    assert len(annotated_slices(after)) == 3
    assert after.structures == (1, 5)
    assert not (before.labels == 5).any()


def test_an_oblique_slice_that_lies_in_a_plane_of_the_volume_is_an_annotated_slice(grid: Geometry) -> None:
    axial = np.array([[0, 1, 0, 0], [1, 0, 0, 0], [0, 0, 1, 6], [0, 0, 0, 1]], float)
    annotation = add_oblique_slice(empty_annotation(grid), drawn(), axial)
    assert annotation.slices == (AnnotatedSlice(0, 6),)
    assert annotation.oblique == ()


def test_unknown_pixels_of_an_oblique_slice_stay_unknown(grid: Geometry) -> None:
    mask = drawn()
    mask[:, 6:] = 0
    annotation = add_oblique_slice(empty_annotation(grid), mask, OBLIQUE_PLANE)
    assert not annotation.labels[:, :, 6:].any()
    assert annotation.labels[:, :, :6].any()


def test_an_oblique_slice_beside_the_volume_is_refused(grid: Geometry) -> None:
    far = OBLIQUE_PLANE.copy()
    far[:3, 3] = 500
    with pytest.raises(InputError, match="does not meet the volume"):
        add_oblique_slice(empty_annotation(grid), drawn(), far)


def test_an_affine_without_a_plane_is_refused(grid: Geometry) -> None:
    with pytest.raises(InputError, match="two different directions"):
        add_oblique_slice(empty_annotation(grid), drawn(), np.diag([1.0, 0, 0, 1]))


def test_an_oblique_slice_is_recognised_in_a_label_array(grid: Geometry) -> None:
    labels = add_oblique_slice(empty_annotation(grid), drawn(), OBLIQUE_PLANE).labels
    found = annotation_from_labels(labels, grid)
    assert len(found.oblique) == 1
    assert found.structures == (5,)


def test_an_annotation_without_any_known_voxel_is_refused(grid: Geometry) -> None:
    assert "nothing is annotated" in refusal_of(np.zeros(SHAPE, np.uint8), grid)


def test_structures_without_background_ask_for_255(grid: Geometry) -> None:
    labels = np.where(labels_with((0, 4), (0, 5)) == 1, 1, 0)
    assert "no voxel is marked as background (255)" in refusal_of(labels, grid)


def test_a_slice_with_an_unknown_voxel_is_named(grid: Geometry) -> None:
    labels = labels_with((1, 5))
    labels[0, 5, 0] = 0
    message = refusal_of(labels, grid)
    assert "no slice is fully annotated: 1 of 117 voxels of slice j = 5 are still unknown" in message
    assert "255" in message


def test_background_alone_is_refused(grid: Geometry) -> None:
    labels = np.zeros(SHAPE, np.uint8)
    labels[3] = BACKGROUND
    assert "only background (255) is annotated" in refusal_of(labels, grid)


def test_a_named_structure_without_voxels_is_refused(grid: Geometry) -> None:
    message = refusal_of(labels_with((0, 4)), grid, {1: "liver", 2: "spleen"})
    assert "structure 'spleen' (label 2) has no voxel" in message


@pytest.mark.parametrize(
    ("dtype", "value"), [(np.int16, -1), (np.uint16, 256), (np.float32, np.nan), (np.float32, 1e9)]
)
def test_labels_out_of_range_are_refused(grid: Geometry, dtype: type, value: float) -> None:
    labels = labels_with((0, 4)).astype(dtype)
    labels[4, 0, 0] = value
    assert "labels out of range" in refusal_of(labels, grid)


def test_fractions_as_labels_are_refused(grid: Geometry) -> None:
    labels = labels_with((0, 4)).astype(np.float32)
    labels[4, 0, 0] = 1.5
    assert "fractions" in refusal_of(labels, grid)


@pytest.mark.parametrize("dtype", [np.float32, np.int32, np.uint16])
def test_whole_numbers_of_any_type_are_accepted(grid: Geometry, dtype: type) -> None:
    found = annotation_from_labels(labels_with((0, 4)).astype(dtype), grid)
    assert found.labels.dtype == np.uint8
    np.testing.assert_array_equal(found.labels, labels_with((0, 4)))


def test_labels_of_another_shape_are_refused(grid: Geometry) -> None:
    assert "(8, 11, 13)" in refusal_of(np.ones((8, 11, 13), np.uint8), grid)


@pytest.mark.parametrize("suffix", [".nrrd", ".nii.gz", ".mha"])
def test_a_label_file_is_read_on_the_grid_of_the_image(awkward_geometry: Geometry, tmp_path: Path, suffix: str) -> None:
    write_volume(Volume(labels_with((0, 4), (2, 6)), awkward_geometry), tmp_path / f"slices{suffix}")
    found = read_annotation(tmp_path / f"slices{suffix}", awkward_geometry)
    assert found.slices == (AnnotatedSlice(0, 4), AnnotatedSlice(2, 6))
    assert found.geometry == awkward_geometry
    assert found.names == {}


def refusal_of_file(path: Path, grid: Geometry) -> str:
    with pytest.raises(InputError) as caught:
        read_annotation(path, grid)
    message = str(caught.value)
    assert "\n" not in message
    assert str(path) in message
    return message


def test_a_label_file_on_another_grid_says_how_it_differs(tmp_path: Path) -> None:
    write_volume(Volume(labels_with((0, 4)), geometry_with(spacing=(1, 1, 3))), tmp_path / "slices.nrrd")
    message = refusal_of_file(tmp_path / "slices.nrrd", geometry_with())
    assert "spacing 1 x 1 x 3 mm instead of 1 x 1 x 1 mm" in message


def test_what_is_wrong_with_a_label_file_names_the_file(grid: Geometry, tmp_path: Path) -> None:
    write_volume(Volume(np.zeros(SHAPE, np.uint8), grid), tmp_path / "empty.nrrd")
    assert "nothing is annotated" in refusal_of_file(tmp_path / "empty.nrrd", grid)


def drawn_in_slicer(path: Path, labels: np.ndarray, *segments: tuple[int, str]) -> None:
    image = sitk.GetImageFromArray(labels)
    for n, (label, name) in enumerate(segments):
        fields = {"ID": name, "Name": name, "Color": "0.5 0.25 1", "LabelValue": str(label), "Layer": "0"}
        for key, value in fields.items():
            image.SetMetaData(f"Segment{n}_{key}", value)
    sitk.WriteImage(image, str(path), True)


@pytest.fixture
def a_slicer_segmentation(tmp_path: Path) -> Path:
    """As Slicer saves it: label values count up, the background is a segment like any other."""
    labels = labels_with((0, 4))
    labels[labels == BACKGROUND] = 2
    drawn_in_slicer(tmp_path / "drawn.seg.nrrd", labels, (1, "Left kidney"), (2, "Background"))
    return tmp_path / "drawn.seg.nrrd"


def test_names_and_colours_of_a_slicer_segmentation_are_kept(a_slicer_segmentation: Path, grid: Geometry) -> None:
    found = read_annotation(a_slicer_segmentation, grid)
    assert found.names == {1: "Left kidney"}
    assert found.colors == {1: (0.5, 0.25, 1.0)}


def test_a_segment_named_background_is_background(a_slicer_segmentation: Path, grid: Geometry) -> None:
    found = read_annotation(a_slicer_segmentation, grid)
    assert found.slices == (AnnotatedSlice(0, 4),)
    np.testing.assert_array_equal(found.labels, labels_with((0, 4)))


def test_an_empty_segment_is_refused_by_its_name(grid: Geometry, tmp_path: Path) -> None:
    drawn_in_slicer(tmp_path / "a.seg.nrrd", labels_with((0, 4)), (1, "Liver"), (2, "Spleen"))
    assert "'Spleen' (label 2) has no voxel" in refusal_of_file(tmp_path / "a.seg.nrrd", grid)


def test_overlapping_segments_are_refused(grid: Geometry, tmp_path: Path) -> None:
    layers = sitk.Compose([sitk.GetImageFromArray((labels_with((0, 4)) == 1).astype(np.uint8))] * 2)
    for n, name in enumerate(("Liver", "Tumour")):
        layers.SetMetaData(f"Segment{n}_ID", name)
    sitk.WriteImage(layers, str(tmp_path / "a.seg.nrrd"))
    assert "segments 'Liver' and 'Tumour' overlap" in refusal_of_file(tmp_path / "a.seg.nrrd", grid)


def test_an_unreadable_label_value_is_refused(grid: Geometry, tmp_path: Path) -> None:
    image = sitk.GetImageFromArray(labels_with((0, 4)))
    image.SetMetaData("Segment0_ID", "Liver")
    image.SetMetaData("Segment0_LabelValue", "red")
    sitk.WriteImage(image, str(tmp_path / "a.seg.nrrd"))
    assert "'Liver' has an unreadable" in refusal_of_file(tmp_path / "a.seg.nrrd", grid)


def test_an_empty_annotation_is_not_usable(grid: Geometry) -> None:
    nothing: Annotation = empty_annotation(grid)
    with pytest.raises(InputError, match="nothing is annotated"):
        require_usable(nothing)
