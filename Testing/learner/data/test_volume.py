"""Volumes through files and back: the voxels, their type and their geometry are kept."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk
from helpers.grids import geometry_with
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from metasegment.io.volume_file import read_volume, write_volume
from metasegment.volume import Volume

FORMATS = (".nrrd", ".nii", ".nii.gz", ".mha")
FLOAT32_EPSILON = 1.2e-7  # NIfTI stores geometry in 32 bits


@pytest.mark.parametrize("suffix", FORMATS)
def test_a_written_volume_reads_back_the_same(textured_volume: Volume, tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"scan{suffix}"
    write_volume(textured_volume, path)
    back = read_volume(path)
    assert textured_volume.geometry.difference(back.geometry) is None
    assert back.array.dtype == np.int16
    np.testing.assert_array_equal(back.array, textured_volume.array)
    assert [file.name for file in tmp_path.iterdir()] == [path.name]


lengths = st.floats(0.05, 8).map(lambda mm: round(mm, 6))
coordinates = st.floats(-1500, 1500, allow_nan=False)
angles = st.floats(-180, 180)


@settings(deadline=None, max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    spacing=st.tuples(lengths, lengths, lengths),
    origin=st.tuples(coordinates, coordinates, coordinates),
    turn=st.tuples(angles, angles, angles),
    flips=st.tuples(*[st.sampled_from((1, -1))] * 3),
    suffix=st.sampled_from(FORMATS),
)
def test_any_geometry_survives_every_format(
    tmp_path: Path,
    spacing: tuple[float, float, float],
    origin: tuple[float, float, float],
    turn: tuple[float, float, float],
    flips: tuple[int, int, int],
    suffix: str,
) -> None:
    geometry = geometry_with((3, 4, 5), spacing, origin, turn, flips)
    values = np.arange(60, dtype=np.int16).reshape(geometry.shape)
    write_volume(Volume(values, geometry), tmp_path / f"any{suffix}")
    back = read_volume(tmp_path / f"any{suffix}")
    np.testing.assert_array_equal(back.array, values)
    precision = 4 * FLOAT32_EPSILON if "nii" in suffix else 1e-14
    np.testing.assert_allclose(back.geometry.spacing, spacing, rtol=precision)
    np.testing.assert_allclose(back.geometry.origin, origin, rtol=precision, atol=precision)
    np.testing.assert_allclose(back.geometry.direction, geometry.direction, atol=10 * precision)


@pytest.mark.parametrize("dtype", [np.uint8, np.int8, np.uint16, np.int32, np.float32])
def test_the_type_of_the_voxels_is_kept(tmp_path: Path, a_scan: sitk.Image, dtype: type) -> None:
    values = (sitk.GetArrayFromImage(a_scan) % 100).astype(dtype)
    sitk.WriteImage(sitk.GetImageFromArray(values), str(tmp_path / "scan.nrrd"))
    back = read_volume(tmp_path / "scan.nrrd").array
    assert back.dtype == dtype
    np.testing.assert_array_equal(back, values)


def test_64_bit_floats_become_32_bit(tmp_path: Path, a_scan: sitk.Image) -> None:
    sitk.WriteImage(sitk.Cast(a_scan, sitk.sitkFloat64), str(tmp_path / "scan.mha"))
    assert read_volume(tmp_path / "scan.mha").array.dtype == np.float32


def test_index_to_world_agrees_with_simpleitk(textured_volume: Volume, tmp_path: Path) -> None:
    write_volume(textured_volume, tmp_path / "scan.nrrd")
    image = sitk.ReadImage(str(tmp_path / "scan.nrrd"))
    expected = image.TransformIndexToPhysicalPoint((3, 5, 7))
    np.testing.assert_allclose((textured_volume.geometry.index_to_world @ (3, 5, 7, 1))[:3], expected)
    assert textured_volume.geometry.shape == sitk.GetArrayViewFromImage(image).shape
    np.testing.assert_allclose(textured_volume.geometry.spacing_kji, image.GetSpacing()[::-1])


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"size": (13, 11, 8)}, "size 13 x 11 x 8 instead of 13 x 11 x 9"),
        ({"spacing": (1.0, 1.0, 1.01)}, "spacing 1 x 1 x 1.01 mm instead of 1 x 1 x 1 mm"),
        ({"origin": (0.0, 0.0, 0.5)}, "0.5 mm away"),
        ({"angles": (0.0, 0.0, 1.0)}, "directions"),
        ({"flips": (-1, 1, 1)}, "directions"),
    ],
)
def test_grids_that_differ_say_how(change: dict[str, tuple], words: str) -> None:
    assert words in str(geometry_with().difference(geometry_with(**change)))


def test_grids_that_differ_by_rounding_are_the_same() -> None:
    exact = geometry_with(spacing=(0.9765625, 0.9765625, 3.27), origin=(-123.456789, 0, 0), angles=(10, 0, 0))
    rounded = geometry_with(spacing=(0.976562, 0.976562, 3.27), origin=(-123.457, 0, 0), angles=(10.0001, 0, 0))
    assert exact.difference(rounded) is None


def test_reading_rooms_import_with_numpy_alone() -> None:
    script = (
        "import sys\n"
        "for absent in ('SimpleITK', 'torch', 'monai'): sys.modules[absent] = None\n"
        "import metasegment.volume, metasegment.annotation, metasegment.export\n"
        "import metasegment.segmentation, metasegment.progress\n"
        "import metasegment.wire.annotations, metasegment.wire.results, metasegment.wire.volumes\n"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
