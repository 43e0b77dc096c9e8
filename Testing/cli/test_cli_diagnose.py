"""`metasegment diagnose`, as a user runs it: tables of real files."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk
from helpers.dicom_files import write_series
from helpers.grids import IDENTITY
from helpers.organs import ellipsoid, scan_of

from metasegment.cli import main
from metasegment.diagnosis.radiomics import radiomic_features
from metasegment.diagnosis.subject import read_image_subject
from metasegment.export import write_segmentation
from metasegment.io.picture_file import read_picture
from metasegment.io.volume_file import write_volume
from metasegment.volume import Geometry, Volume

pytestmark = pytest.mark.usefixtures("ctrl_c_works_after_a_command")


def picture(path: Path, width: int, seed: int) -> Path:
    """A PNG of stripes so many pixels wide, with noise, turned and lit at random."""
    rng = np.random.default_rng(seed)
    stripes = (np.arange(96) + rng.integers(width)) // width % 2 * 60.0
    pixels = stripes[None] + rng.normal(100 + rng.integers(60), 10, (80, 96))
    sitk.WriteImage(sitk.GetImageFromArray(np.rot90(pixels, rng.integers(2)).clip(0, 255).astype(np.uint8)), str(path))
    return path


@pytest.fixture
def stripes(tmp_path: Path) -> Path:
    """A table of four pictures with narrow stripes, four with wide ones, and one more of each that is asked about."""
    lines = ["Image;Finding"]
    for name, width in (("narrow", 4), ("wide", 16)):
        lines += [f"{picture(tmp_path / f'{name}-{n}.png', width, n).name};{name}" for n in range(4)]
        lines.append(f"{picture(tmp_path / f'ask-{name}.png', width, 9).name};")
    table = tmp_path / "table.csv"
    table.write_text("\n".join(lines), encoding="utf-8")
    return table


def asked(capsys: pytest.CaptureFixture[str], *arguments: object) -> list[dict]:
    assert main(["diagnose", *map(str, arguments), "--json", "--device", "cpu"]) == 0
    found: list[dict] = json.loads(capsys.readouterr().out)["subjects"]
    return found


@pytest.mark.parametrize("features", ["network", "radiomic"])
def test_it_finds_what_the_examples_show(stripes: Path, features: str, capsys: pytest.CaptureFixture[str]) -> None:
    narrow, wide = asked(capsys, stripes, "--features", features, "--level", "0.01")
    for found, name in ((narrow, "narrow"), (wide, "wide")):
        first = found["findings"][0]
        assert first["finding"] == name and first["probability"] > 0.6
        assert Path(found["image"]).name == f"ask-{name}.png"
        assert found["nearest"][0]["finding"] == name
        assert not found["none_of_these"]


def test_it_tells_people_with_a_caution(stripes: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["diagnose", str(stripes), "--features", "radiomic"]) == 0
    said = capsys.readouterr()
    assert "ask-narrow.png: narrow (probability 0." in said.out
    assert "not a diagnosis" in said.out
    assert "'none of these' cannot be said" in said.err


def test_structures_are_told_apart_by_their_shape(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    lines = ["image,segmentation,structure,finding"]
    for n in range(4):
        round_one = ellipsoid((24, 40, 40), (12, 12 + n, 11), (6, 6, 6))
        long_one = ellipsoid((24, 40, 40), (11, 20, 30 - n), (4, 14, 4))
        labels = np.where(round_one, 1, np.where(long_one, 2, 0)).astype(np.uint8)
        volume = scan_of((labels > 0).astype(np.uint8), spacing=(1.0, 1.0, 1.5))
        write_volume(volume, tmp_path / f"{n}.nrrd")
        write_segmentation(labels, volume.geometry, tmp_path / f"{n}.seg.nrrd", {1: "A", 2: "B"})
        findings = ("round", "long") if n < 3 else ("", "")
        lines += [f"{n}.nrrd,{n}.seg.nrrd,{s},{f}" for s, f in zip("AB", findings, strict=True)]
    table = tmp_path / "table.csv"
    table.write_text("\n".join(lines), encoding="utf-8")
    for features in ("network", "radiomic"):
        found = asked(capsys, table, "--features", features)
        assert [f["findings"][0]["finding"] for f in found] == ["round", "long"]


@pytest.fixture
def refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Callable[[Sequence[str]], str]:
    """Runs a table of these lines, which must end with code 2 and one line; returns it."""

    def run(lines: Sequence[str]) -> str:
        table = tmp_path / "table.csv"
        table.write_text("\n".join(lines), encoding="utf-8")
        assert main(["diagnose", str(table), "--features", "radiomic"]) == 2
        said = [line for line in capsys.readouterr().err.splitlines() if line.startswith("metasegment:")]
        assert len(said) == 1
        return said[0]

    return run


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        ([], "must name the columns"),
        (["image,label", "a.png,x"], "must name the columns"),
        (["image,finding", "a.png,x"], "leave it empty to ask"),
        (["image,finding", "a.png,", "b.png,"], "no line has a finding"),
        (["image,finding", "a.png,x", "b.png,"], "the same finding"),
        (["image,finding", "a.png,x", "a.png,"], "names a.png twice"),
        (["image,finding", "a.png,x", ",y"], "line 3"),
        (["image,finding,segmentation", "a.png,x,", "b.nrrd,y,c.nrrd"], "mixes"),
        (["image,finding", "a.png,x", "b.png,y", "c.png,"], "a.png does not exist"),
    ],
)
def test_a_table_that_cannot_be_used_is_refused(
    refused: Callable[[Sequence[str]], str], lines: Sequence[str], message: str
) -> None:
    assert message in refused(lines)


def test_images_that_cannot_be_used_are_refused(refused: Callable[[Sequence[str]], str], tmp_path: Path) -> None:
    good = picture(tmp_path / "good.png", 4, 0).name
    (tmp_path / "text.png").write_text("no image")
    sitk.WriteImage(sitk.Image(20, 20, sitk.sitkUInt8), str(tmp_path / "black.png"))
    write_volume(scan_of(np.zeros((4, 20, 20))), tmp_path / "volume.nrrd")
    for name, message in (("text.png", "not a readable"), ("black.png", "shows nothing"), ("volume.nrrd", "a volume")):
        assert message in refused(["image,finding", f"{good},x", f"{name},y", "ask.png,"])


def test_a_radiograph_is_bright_where_bone_is_however_it_is_stored(tmp_path: Path) -> None:
    pydicom = pytest.importorskip("pydicom", reason="the extra `dicom` is not installed")
    bright = np.arange(600, dtype=np.int16).reshape(1, 20, 30)
    for kind, stored in (("MONOCHROME2", bright), ("MONOCHROME1", 599 - bright)):
        folder = tmp_path / kind
        folder.mkdir()
        write_series(folder, Volume(stored, Geometry((30, 20, 1), (1.0, 1.0, 1.0), (0.0, 0.0, 0.0), IDENTITY)))
        file = next(folder.iterdir())
        header = pydicom.dcmread(file)
        header.PhotometricInterpretation = kind
        header.save_as(file)
        values = read_picture(file)
        assert values.shape == (20, 30)
        assert (np.diff(values.ravel()) == 1).all()


def test_a_picture_has_the_same_features_however_finely_it_is_stored(tmp_path: Path) -> None:
    coarse = sitk.ReadImage(str(picture(tmp_path / "coarse.png", 8, 3)))
    fine = sitk.Expand(coarse, (4, 4), sitk.sitkNearestNeighbor)
    sitk.WriteImage(fine, str(tmp_path / "fine.png"))
    other = picture(tmp_path / "other.png", 16, 4)
    features = [radiomic_features(read_image_subject(tmp_path / n)) for n in ("coarse.png", "fine.png", other.name)]
    assert (features[0] - features[1]).norm() < 0.2 * (features[0] - features[2]).norm()
