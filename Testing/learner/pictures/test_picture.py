"""The overlay picture: the right way round, in proportion, legible, and never the end of the process."""

from __future__ import annotations

import ctypes.util
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk

from metasegment.annotation import AnnotatedSlice
from metasegment.errors import InputError
from metasegment.pictures.overlay import save_overlay
from metasegment.pictures.surface import render_surfaces
from metasegment.pictures.vtk_child import NoDrawing
from metasegment.volume import Geometry, Volume

RED, GREEN, BLUE = (1.0, 0.0, 0.0), (0.0, 1.0, 0.0), (0.0, 0.0, 1.0)
UPRIGHT = (1.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 1.0)
SIDE = 24  # voxels of the cube-shaped volumes
NOTHING: dict[int, str] = {}


def volume_of(array: np.ndarray, spacing: tuple[float, float, float] = (1, 1, 1)) -> Volume:
    k, j, i = array.shape
    return Volume(array, Geometry((i, j, k), spacing, (0, 0, 0), UPRIGHT))


def picture_at(path: Path) -> np.ndarray:
    picture = sitk.GetArrayFromImage(sitk.ReadImage(str(path)))
    assert picture.shape[1:] == (1600, 3)
    return picture


def planes_in(picture: np.ndarray) -> list[np.ndarray]:
    """Axial, coronal and sagittal plane of a cube-shaped volume: three squares in the upper row, under a title."""
    side = (1600 - 2 * 14) // 3
    return [picture[32 : 32 + side, n * (side + 14) + 1 : n * (side + 14) + side + 1] for n in range(3)]


def bounds(picture: np.ndarray, color: tuple[float, float, float]) -> tuple[slice, slice]:
    """Rows and columns between which pixels of exactly a colour lie."""
    found = np.argwhere((picture == np.rint(255 * np.array(color))).all(axis=-1))
    assert len(found), "colour not in the picture"
    (top, left), (bottom, right) = found.min(axis=0), found.max(axis=0)
    return slice(top, bottom + 1), slice(left, right + 1)


def length(span: slice) -> int:
    return int(span.stop - span.start)


@pytest.fixture
def corner() -> Volume:
    """Bright in the patient's right, front and upper quarter, dark elsewhere."""
    array = np.zeros((SIDE, SIDE, SIDE), np.float32)
    array[SIDE // 2 :, : SIDE // 2, : SIDE // 2] = 100
    return volume_of(array)


@pytest.fixture
def ball() -> tuple[Volume, np.ndarray]:
    """A ball of 40 mm across on slices four times as thick as their pixels."""
    k, j, i = np.ogrid[:16, :64, :64]
    labels = (((k - 7.5) * 4) ** 2 + (j - 31.5) ** 2 + (i - 31.5) ** 2 < 20**2).astype(np.uint8)
    return volume_of(labels * np.float32(100), (1, 1, 4)), labels


@pytest.fixture
def no_opengl(monkeypatch: pytest.MonkeyPatch) -> None:
    """Makes VTK ask for a library that is not there, which ends its process as a missing OpenGL does."""
    if ctypes.util.find_library("OSMesa"):
        pytest.skip("OSMesa is installed: VTK can always draw")
    monkeypatch.setenv("VTK_DEFAULT_OPENGL_WINDOW", "vtkOSOpenGLRenderWindow")


def test_right_is_on_the_left_front_and_head_are_up(tmp_path: Path, corner: Volume) -> None:
    labels = np.zeros(corner.array.shape, np.uint8)
    save_overlay(tmp_path / "a.png", corner, labels, NOTHING, {}, [])
    axial, coronal, sagittal = planes_in(picture_at(tmp_path / "a.png"))
    half, margin = len(axial) // 2, 60  # letters are written near the edges
    # Without structures the middle planes are shown: the axial one is in the bright half, the others are not.
    assert axial[margin : half - margin, margin : half - margin].min() == 255
    assert axial[half + margin :, half + margin : -margin].max() == 0
    assert coronal[margin : half - margin, margin:-margin].max() == 0
    assert sagittal[margin : half - margin, margin:-margin].max() == 0


def test_the_shown_corner_is_upper_left_on_every_plane(tmp_path: Path, corner: Volume) -> None:
    labels = (corner.array > 0).astype(np.uint8)
    save_overlay(tmp_path / "a.png", corner, labels, NOTHING, {1: RED}, [])
    for plane in planes_in(picture_at(tmp_path / "a.png")):
        rows, columns = bounds(plane, RED)
        assert rows.start == columns.start == 0
        assert length(rows) == pytest.approx(len(plane) / 2, abs=2)
        assert length(columns) == pytest.approx(len(plane) / 2, abs=2)


@pytest.mark.parametrize("order", [(0, 1, 2), (2, 0, 1), (1, 2, 0)])
@pytest.mark.parametrize("flips", [(False, False, False), (True, False, True)])
def test_however_the_voxels_are_stored_the_picture_is_the_same(
    tmp_path: Path, order: tuple[int, int, int], flips: tuple[bool, bool, bool]
) -> None:
    patient = sitk.GetImageFromArray(np.random.default_rng(3).normal(size=(10, 14, 18)).astype(np.float32))
    patient.SetSpacing((1, 1.5, 2.5))
    stored = sitk.Flip(sitk.PermuteAxes(patient, order), flips)
    # One annotated axial slice, k = 3, wherever that axis went.
    axis = order.index(2)
    index = 9 - 3 if flips[axis] else 3
    for image, mark, name in ((patient, AnnotatedSlice(0, 3), "a"), (stored, AnnotatedSlice(2 - axis, index), "b")):
        array = sitk.GetArrayFromImage(image)
        geometry = Geometry(image.GetSize(), image.GetSpacing(), image.GetOrigin(), image.GetDirection())
        save_overlay(
            tmp_path / f"{name}.png",
            Volume(array, geometry),
            np.zeros(array.shape, np.uint8),
            NOTHING,
            {},
            [mark],
            (0, 4),
        )
    assert np.array_equal(picture_at(tmp_path / "a.png"), picture_at(tmp_path / "b.png"))


def test_a_ball_is_round_on_every_plane_of_an_anisotropic_volume(
    tmp_path: Path, ball: tuple[Volume, np.ndarray]
) -> None:
    save_overlay(tmp_path / "a.png", *ball, NOTHING, {1: RED}, [])
    thick_slice = len(planes_in(picture_at(tmp_path / "a.png"))[0]) / 16
    for plane in planes_in(picture_at(tmp_path / "a.png")):
        rows, columns = bounds(plane, RED)
        assert length(rows) == pytest.approx(length(columns), abs=thick_slice)


def test_annotated_slices_are_lines_on_the_planes_they_cross(tmp_path: Path, corner: Volume) -> None:
    labels = np.zeros(corner.array.shape, np.uint8)
    slices = [AnnotatedSlice(0, SIDE - 1 - SIDE // 4), AnnotatedSlice(2, SIDE // 4)]
    without, marked = tmp_path / "a.png", tmp_path / "b.png"
    save_overlay(without, corner, labels, NOTHING, {}, [])
    save_overlay(marked, corner, labels, NOTHING, {}, slices)
    changed = [
        (one != other).any(axis=-1)
        for one, other in zip(planes_in(picture_at(without)), planes_in(picture_at(marked)), strict=True)
    ]
    quarter = len(changed[0]) / SIDE * (SIDE / 4 + 0.5)
    across = [np.flatnonzero(plane.mean(axis=1) > 0.9) for plane in changed]
    down = [np.flatnonzero(plane.mean(axis=0) > 0.9) for plane in changed]
    assert [len(rows) for rows in across] == [0, 1, 1]
    assert [len(columns) for columns in down] == [1, 1, 0]
    assert across[1][0] == pytest.approx(quarter, abs=3)
    assert down[0][0] == pytest.approx(quarter, abs=3)


def test_an_annotated_plane_is_not_the_one_shown(tmp_path: Path) -> None:
    labels = np.zeros((SIDE, SIDE, SIDE), np.uint8)
    labels[8:11, 8:16, 8:16] = 1
    labels[9, 6:18, 6:18] = 1  # largest where it is annotated
    image = np.zeros(labels.shape, np.float32)
    image[9] = 100
    save_overlay(tmp_path / "a.png", volume_of(image), labels, NOTHING, {}, [AnnotatedSlice(0, 9)], (50, 100))
    axial = planes_in(picture_at(tmp_path / "a.png"))[0]
    assert axial[60:100, 60:100].max() == 0


def test_both_3d_views_show_the_structures(tmp_path: Path, ball: tuple[Volume, np.ndarray]) -> None:
    reason = save_overlay(tmp_path / "a.png", *ball, NOTHING, {1: RED}, [])
    if reason:
        pytest.skip(reason)
    below = picture_at(tmp_path / "a.png")[-500:]
    red = (below[..., 0] > 100) & (below[..., 1] < 100)
    assert red[:, :565].mean() > 0.1
    assert red[:, 565:1130].mean() > 0.1


def test_seen_from_the_front_right_is_left_and_from_behind_right_is_right() -> None:
    labels = np.zeros((30, 30, 30), np.uint8)
    labels[10:20, 10:20, 2:10] = 1  # to the patient's right
    labels[10:20, 10:20, 20:28] = 2
    labels[24:28, 10:20, 10:20] = 3  # above
    try:
        views = render_surfaces(labels, (1, 1, 1), {1: RED, 2: GREEN, 3: BLUE}, (200, 400)).astype(int)
    except NoDrawing as reason:
        pytest.skip(str(reason))
    for view, side in ((views[:, :200], 1), (views[:, 200:], -1)):
        where = [np.argwhere(view[..., n] > 2 * np.delete(view, n, axis=-1).max(axis=-1) + 40) for n in range(3)]
        right, left, top = (pixels.mean(axis=0) for pixels in where)
        assert side * (left[1] - right[1]) > 40
        assert top[0] < min(right[0], left[0])


def test_without_opengl_the_planes_are_there_and_the_reason_is_told(
    tmp_path: Path, ball: tuple[Volume, np.ndarray], no_opengl: None
) -> None:
    reason = save_overlay(tmp_path / "a.png", *ball, {1: "ball"}, {1: RED}, [])
    assert reason is not None
    assert "OpenGL" in reason
    assert "\n" not in reason
    assert all(bounds(plane, RED) for plane in planes_in(picture_at(tmp_path / "a.png")))


def test_without_vtk_the_planes_are_there_and_the_reason_is_told(tmp_path: Path) -> None:
    program = """
import sys
sys.modules["vtkmodules"] = None  # as if it were not installed
import numpy as np
from metasegment.pictures.overlay import save_overlay
from metasegment.volume import Geometry, Volume
geometry = Geometry((8, 8, 8), (1, 1, 1), (0, 0, 0), (1, 0, 0, 0, 1, 0, 0, 0, 1))
labels = np.zeros((8, 8, 8), np.uint8)
labels[2:6, 2:6, 2:6] = 1
print(save_overlay("a.png", Volume(labels, geometry), labels, {1: "cube"}, {1: (1.0, 0.0, 0.0)}, []))
"""
    told = subprocess.run([sys.executable, "-c", program], cwd=tmp_path, capture_output=True, text=True, check=True)
    assert told.stdout.startswith("VTK is not installed")
    assert all(bounds(plane, RED) for plane in planes_in(picture_at(tmp_path / "a.png")))


def test_an_empty_segmentation_still_makes_a_picture(tmp_path: Path, corner: Volume) -> None:
    reason = save_overlay(tmp_path / "a.png", corner, np.zeros(corner.array.shape, np.uint8), {1: "x"}, {}, [])
    assert reason == "no structure has a voxel"
    assert picture_at(tmp_path / "a.png").any()


def test_names_are_written_and_a_name_too_long_is_cut_not_an_error(
    tmp_path: Path, corner: Volume, no_opengl: None
) -> None:
    labels = (corner.array > 0).astype(np.uint8)
    letters = []
    for name in ("i", "a name", "a name " * 40):
        save_overlay(tmp_path / "a.png", corner, labels, {1: name}, {1: RED}, [])
        letters.append(picture_at(tmp_path / "a.png")[-60:].min(axis=-1) > 100)
    short, medium, long = (int(pixels.sum()) for pixels in letters)
    assert short < medium < long
    assert all(np.ptp(np.argwhere(pixels)[:, 1]) < 470 for pixels in letters)


@pytest.mark.parametrize("shape", [(2, 300, 5), (200, 3, 2), (2, 2, 2)])
def test_any_shape_of_volume_fits_into_the_picture(
    tmp_path: Path, shape: tuple[int, int, int], no_opengl: None
) -> None:
    labels = np.ones(shape, np.uint8)
    slices = [AnnotatedSlice(0, k) for k in range(shape[0])]
    save_overlay(tmp_path / "a.png", volume_of(labels.astype(np.int16)), labels, NOTHING, {1: RED}, slices)
    assert bounds(picture_at(tmp_path / "a.png"), RED)


def test_a_folder_that_does_not_exist_is_the_users_error(tmp_path: Path, corner: Volume) -> None:
    with pytest.raises(InputError, match="does not exist"):
        save_overlay(tmp_path / "no" / "a.png", corner, np.zeros(corner.array.shape, np.uint8), NOTHING, {}, [])
