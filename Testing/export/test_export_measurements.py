"""Measurements: right on bodies whose size is known, with the values of the image, and SUV of PET where it can be."""

from __future__ import annotations

import csv
import json
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from helpers.dicom_files import write_series
from helpers.grids import geometry_with
from pydicom import Dataset
from pydicom.sequence import Sequence

from metasegment.cli import main
from metasegment.errors import InputError
from metasegment.export import to_file, write_segmentation
from metasegment.export.measurements import position_of, shape_of
from metasegment.export.mesh import enclosed_volume, smooth_surface, surface_area
from metasegment.io.volume_file import write_volume
from metasegment.volume import Geometry, Volume

Build = Callable[..., Any]
SPACING = (0.8, 0.8, 2.5)
RADIUS = 18.0  # mm


def _ball(shape: tuple[int, int, int], radius: float) -> np.ndarray:
    steps = (np.arange(n) - n // 2 for n in shape)
    k, j, i = (axis * step for axis, step in zip(np.meshgrid(*steps, indexing="ij"), SPACING[::-1], strict=True))
    return k**2 + j**2 + i**2 <= radius**2


@pytest.fixture
def a_ball() -> tuple[np.ndarray, Geometry]:
    geometry = geometry_with((60, 60, 20), SPACING, (10, -20, 30), (20, 10, 5))
    return _ball(geometry.shape, RADIUS), geometry


def test_a_ball_has_the_measures_of_a_ball(a_ball: tuple[np.ndarray, Geometry]) -> None:
    mask, geometry = a_ball
    shape = shape_of(mask, geometry)
    assert shape.volume_ml == pytest.approx(4 / 3 * math.pi * RADIUS**3 / 1000, rel=0.02)
    assert shape.diameter_axial_mm == pytest.approx(2 * RADIUS, abs=1)
    assert shape.diameter_3d_mm == pytest.approx(2 * RADIUS, abs=SPACING[2])
    surface = smooth_surface(mask, geometry.index_to_world)
    assert surface_area(surface) == pytest.approx(4 * math.pi * RADIUS**2, rel=0.03)
    assert enclosed_volume(surface) == pytest.approx(shape.volume_ml * 1000, rel=0.01)


@pytest.mark.parametrize("seed", range(4))
def test_diameters_are_those_of_all_pairs_of_voxels(seed: int) -> None:
    generator = np.random.default_rng(seed)
    mask = generator.random((5, 9, 11)) < (0.02, 0.1, 0.5, 1.1)[seed]
    mask[2, 3, 4] = True
    geometry = geometry_with((11, 9, 5), SPACING, angles=(25, -15, 40))
    shape = shape_of(mask, geometry)
    axes = geometry.index_to_world[:3, :3]
    voxels = np.argwhere(mask)[:, ::-1]
    axial, overall = 0.0, 0.0
    for a in voxels:
        for b in voxels:
            distance = float(np.linalg.norm(axes @ (a - b)))
            overall = max(overall, distance)
            axial = max(axial, distance if a[2] == b[2] else 0)
    # Outer faces add half a voxel on both sides, along an axis.
    assert axial <= shape.diameter_axial_mm <= axial + SPACING[0] + 1e-9
    assert overall <= shape.diameter_3d_mm <= overall + SPACING[2] + 1e-9


@pytest.mark.parametrize("angle", [0, 30, 77])
def test_the_perpendicular_diameter_is_the_widest_across_the_longest(angle: float) -> None:
    """A box of 40 by 12 mm turned in its plane: its longest diameter is the diagonal, a known chord crosses it."""
    geometry = geometry_with((300, 300, 3), (0.25, 0.25, 5))
    j, i = (np.arange(300) - 150)[:, None] * 0.25, (np.arange(300) - 150) * 0.25
    turned = math.radians(angle)
    along, across = (
        i * math.cos(turned) + j * math.sin(turned),
        j * math.cos(turned) - i * math.sin(turned),
    )
    mask = np.zeros(geometry.shape, bool)
    mask[2] = (abs(along) <= 20) & (abs(across) <= 6)
    shape = shape_of(mask, geometry)
    assert shape.diameter_slice == 2
    assert shape.diameter_axial_mm == pytest.approx(math.hypot(40, 12), abs=0.5)
    assert shape.diameter_perpendicular_mm == pytest.approx(12 / math.cos(math.atan2(12, 40)), abs=0.5)


def test_the_position_is_the_centroid_in_the_patient(a_ball: tuple[np.ndarray, Geometry]) -> None:
    mask, geometry = a_ball
    place = position_of(mask, geometry)
    expected = geometry.index_to_world @ [30, 30, 10, 1]
    assert (place.left_mm, place.posterior_mm, place.superior_mm) == pytest.approx(tuple(expected[:3]), abs=0.01)


THIN = {"voxel": (5, 5, 5), "line": (5, slice(2, 12), 5), "sheet": (5, slice(2, 12), slice(3, 13))}


@pytest.mark.parametrize("kind", [*THIN, "ring", "noise"])
def test_even_thin_and_ragged_surfaces_keep_the_volume(kind: str) -> None:
    mask = np.zeros((12, 14, 16), bool)
    if kind in THIN:
        mask[THIN[kind]] = True
    if kind == "ring":
        mask[4:7, 2:12, 3:13] = True
        mask[4:7, 4:10, 5:11] = False
    if kind == "noise":
        mask = np.random.default_rng(1).random(mask.shape) < 0.3
    geometry = geometry_with((16, 14, 12), SPACING)
    surface = smooth_surface(mask, geometry.index_to_world)
    assert enclosed_volume(surface) == pytest.approx(mask.sum() * math.prod(SPACING), rel=0.01)


@pytest.fixture
def two_balls(tmp_path: Path) -> tuple[Path, Volume]:
    geometry = geometry_with((60, 60, 20), SPACING)
    labels = np.zeros(geometry.shape, np.uint8)
    labels[_ball(geometry.shape, RADIUS)] = 1
    labels[_ball(geometry.shape, 5)] = 2
    write_segmentation(labels, geometry, tmp_path / "drawn.seg.nrrd", {1: "Rind, äußere", 2: "Core", 5: "Empty"})
    values = np.where(labels == 2, 1000, np.where(labels == 1, 200, 10)).astype(np.int16)
    values[10, 30, 30] = 5000
    return tmp_path / "drawn.seg.nrrd", Volume(values, geometry)


def _rows(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8-sig", newline="") as file:
        return list(csv.DictReader(file))


def test_a_table_has_a_row_for_each_structure_with_voxels(two_balls: tuple[Path, Volume], tmp_path: Path) -> None:
    drawn, image = two_balls
    write_volume(image, tmp_path / "image.nii.gz")
    to_file(drawn, tmp_path / "out.csv", tmp_path / "image.nii.gz")
    to_file(drawn, tmp_path / "out.json", tmp_path / "image.nii.gz")
    rows, told = _rows(tmp_path / "out.csv"), json.loads((tmp_path / "out.json").read_text("utf-8"))
    assert [row["name"] for row in rows] == ["Rind, äußere", "Core"]
    assert told["notes"] == []
    for row, structure in zip(rows, told["structures"], strict=True):
        assert {key: str(value) for key, value in structure.items()} == row
    core = told["structures"][1]
    inside = image.array[_ball(image.geometry.shape, 5)]
    assert core["voxels"] == len(inside)
    assert core["mean"] == pytest.approx(inside.mean(), rel=1e-5)
    assert core["sd"] == pytest.approx(inside.std(), rel=1e-5)
    assert (core["min"], core["max"]) == (1000, 5000)


def test_without_an_image_there_are_shapes_alone(two_balls: tuple[Path, Volume], tmp_path: Path) -> None:
    to_file(two_balls[0], tmp_path / "out.csv")
    assert list(_rows(tmp_path / "out.csv")[0]) == [
        "label", "name", "voxels", "volume_ml", "diameter_axial_mm", "diameter_perpendicular_mm", "diameter_slice",
        "diameter_3d_mm", "left_mm", "posterior_mm", "superior_mm", "surface_cm2"
    ]  # fmt: skip


def _drug(**tags: object) -> Dataset:
    drug = Dataset()
    told = {"RadiopharmaceuticalStartTime": "110000", "RadionuclideTotalDose": 350e6, "RadionuclideHalfLife": 6586.2}
    for keyword, value in {**told, **tags}.items():
        setattr(drug, keyword, value)
    return drug


def _pet(**tags: object) -> dict[str, object]:
    return {
        "CorrectedImage": ["DECY", "ATTN", "DECAY"],
        "Units": "BQML",
        "DecayCorrection": "START",
        "PatientWeight": "70",
        "SeriesDate": "20260101",
        "SeriesTime": "120000.5",
        "AcquisitionDate": "20260101",
        "AcquisitionTime": "120000.5",
        "RadiopharmaceuticalInformationSequence": Sequence([_drug()]),
        **tags,
    }


#: After one hour: 70 kg in g by what is left of 350 MBq.
FACTOR = 70_000 / (350e6 * 2 ** (-3600 / 6586.2))


STARTED = {"RadiopharmaceuticalStartTime": "", "RadiopharmaceuticalStartDateTime": "20260101110000.00"}


@pytest.mark.parametrize(
    ("tags", "factor"),
    [
        (_pet(), FACTOR),
        (_pet(DecayCorrection="ADMIN"), 70_000 / 350e6),
        (_pet(Units="GML"), 1.0),
        (_pet(RadiopharmaceuticalInformationSequence=Sequence([_drug(**STARTED)])), FACTOR),
        (
            _pet(SeriesTime="003000", AcquisitionTime="003000",
                 RadiopharmaceuticalInformationSequence=Sequence([_drug(RadiopharmaceuticalStartTime="233000")])),
            FACTOR,
        ),
    ],
    ids=["start", "admin", "grams per ml", "date and time", "over midnight"],
)  # fmt: skip
def test_suv_of_a_pet_series(
    two_balls: tuple[Path, Volume], tmp_path: Path, tags: dict[str, object], factor: float
) -> None:
    drawn, image = two_balls
    series = write_series(tmp_path / "series", image, "PT", **tags)
    assert to_file(drawn, tmp_path / "out.json", series).notes == ()
    rind, core = json.loads((tmp_path / "out.json").read_text("utf-8"))["structures"]
    assert rind["suv_max"] == pytest.approx(200 * factor, rel=1e-4)
    assert core["suv_max"] == pytest.approx(5000 * factor, rel=1e-4)
    assert core["suv_mean"] == pytest.approx(core["mean"] * factor, rel=1e-4)
    # Of the core only the hot voxel has 41 % of the highest value, of the rind all have.
    assert core["mtv_ml"] == pytest.approx(math.prod(SPACING) / 1000, rel=1e-4)
    assert core["tlg_g"] == pytest.approx(core["mtv_ml"] * core["suv_max"], rel=1e-4)
    assert rind["mtv_ml"] == pytest.approx(rind["volume_ml"], rel=1e-4)
    # 1 ml has so many voxels; one of them is the hot one, some lie outside the core.
    assert 0.5 * 1000 * factor < core["suv_peak"] < 1100 * factor


@pytest.mark.parametrize(
    ("tags", "words"),
    [
        (_pet(PatientWeight=None), "PatientWeight"),
        (_pet(CorrectedImage=["ATTN"]), "not corrected for attenuation and decay"),
        (_pet(Units="CNTS"), "counts"),
        (_pet(Units="PROPCPS"), "PROPCPS"),
        (_pet(DecayCorrection="NONE"), "NONE"),
        (_pet(SeriesTime="130000"), "younger than the scan"),
        (_pet(RadiopharmaceuticalInformationSequence=None), "injected dose"),
        (_pet(AcquisitionTime=""), "times of injection and scan"),
    ],
)
def test_without_what_suv_needs_it_is_left_out_and_told_why(
    two_balls: tuple[Path, Volume],
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    tags: dict[str, object],
    words: str,
) -> None:
    drawn, image = two_balls
    series = write_series(tmp_path / "series", image, "PT", **tags)
    assert main(["export", str(drawn), "--to", str(tmp_path / "out.csv"), "--reference", str(series)]) == 0
    note = capsys.readouterr().err
    assert note.startswith("metasegment: no SUV: ")
    assert words in note
    row = _rows(tmp_path / "out.csv")[0]
    assert "mean" in row
    assert "suv_mean" not in row


def test_other_modalities_have_no_suv_and_no_note(two_balls: tuple[Path, Volume], tmp_path: Path) -> None:
    drawn, image = two_balls
    series = write_series(tmp_path / "series", image)
    assert to_file(drawn, tmp_path / "out.csv", series).notes == ()
    assert "suv_mean" not in _rows(tmp_path / "out.csv")[0]


def test_an_empty_segmentation_is_refused(tmp_path: Path) -> None:
    geometry = geometry_with()
    write_segmentation(np.zeros(geometry.shape, np.uint8), geometry, tmp_path / "empty.seg.nrrd", {1: "Nothing"})
    for name in ("out.csv", "out.stl"):
        with pytest.raises(InputError, match="segmentation is empty"):
            to_file(tmp_path / "empty.seg.nrrd", tmp_path / name)
        assert not (tmp_path / name).exists()
