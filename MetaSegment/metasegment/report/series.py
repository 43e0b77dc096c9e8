"""What a report tells of the image that was measured, where its DICOM series says it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from ..io.dicom_libraries import dicom_libraries
from ..io.dicom_series import series_files

if TYPE_CHECKING:
    from pydicom import Dataset


@dataclass(frozen=True)
class Series:
    """Modality, identifiers of patient and study, and the day of the study; None where they are not told."""

    modality: str | None = None
    patient: str | None = None
    study: str | None = None
    date: date | None = None


def series_of(reference: str | Path | None) -> Series:
    """Read the header of a folder's series; of a file nothing is known."""
    if reference is None or not Path(reference).is_dir():
        return Series()
    with dicom_libraries("pydicom"):
        from pydicom import dcmread

        header = dcmread(series_files(Path(reference))[0], stop_before_pixels=True, force=True)
        return Series(
            modality=_told(header, "Modality"),
            patient=_told(header, "PatientID"),
            study=_told(header, "StudyInstanceUID"),
            date=_day(_told(header, "StudyDate") or _told(header, "SeriesDate")),
        )


def _told(header: Dataset, keyword: str) -> str | None:
    return str(header.get(keyword) or "") or None


def _day(told: str | None) -> date | None:
    try:
        return datetime.strptime(told or "", "%Y%m%d").date()
    except ValueError:
        return None
