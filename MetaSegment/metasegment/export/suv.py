"""Standardized uptake values of PET: body weight, from the tags of the series. Refuses rather than assumes.

After the vendor-neutral pseudo-code of the QIBA FDG-PET/CT profile; series that were post-processed, so that their
date is after the scan, and dates that are not told are not guessed.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from ..io.dicom_libraries import dicom_libraries
from ..io.dicom_series import series_files
from ..regrid import bounding_box
from ..volume import Volume

if TYPE_CHECKING:
    from pydicom import Dataset

_CORRECTIONS = {"ATTN", "DECAY"}
_PHILIPS = (0x7053, "Philips PET Private Group", 0x00)
_DAY = timedelta(days=1)
#: A sphere of 1 ml, of PERCIST's SUVpeak (Wahl et al., J Nucl Med 2009).
_PEAK_RADIUS_MM = (3 * 1000 / (4 * np.pi)) ** (1 / 3)
#: Share of the highest SUV from which a voxel counts as metabolically active (EANM guidelines 2.0, Boellaard et al.,
#: Eur J Nucl Med Mol Imaging 2015).
_ACTIVE = 0.41


class NoSuv(Exception):
    """Why a series has no SUV, in words."""


@dataclass(frozen=True)
class Uptake:
    """SUV by body weight, g/ml, in one structure; metabolic tumour volume (MTV, its voxels of at least 41 % of the
    highest SUV) and total lesion glycolysis (TLG, that volume times its mean SUV).
    """

    suv_mean: float
    suv_max: float
    suv_peak: float
    mtv_ml: float
    tlg_g: float


def suv_factor(folder: Path) -> float | None:
    """Returns what the image's values are multiplied by; None where it is no PET. Raises NoSuv where tags
    are missing.
    """
    with dicom_libraries():
        from pydicom import dcmread

        header = dcmread(series_files(folder)[0], stop_before_pixels=True)
        return _factor(header) if header.get("Modality") == "PT" else None


def uptake_of(mask: np.ndarray, volume: Volume, factor: float) -> Uptake:
    """Of a mask (k, j, i) that has voxels; the peak is the highest mean in 1 ml around one of its voxels."""
    inside = volume.array[mask].astype(np.float64) * factor
    active = inside[inside >= _ACTIVE * inside.max()]
    voxel_ml = float(np.prod(volume.geometry.spacing)) / 1000
    return Uptake(
        suv_mean=float(inside.mean()),
        suv_max=float(inside.max()),
        suv_peak=_peak(mask, volume) * factor,
        mtv_ml=len(active) * voxel_ml,
        tlg_g=float(active.sum()) * voxel_ml,
    )


def _factor(header: Dataset) -> float:
    if not set(header.get("CorrectedImage") or ()) >= _CORRECTIONS:
        raise NoSuv("the series is not corrected for attenuation and decay")
    units = header.get("Units")
    if units == "GML":
        return 1.0
    if units == "CNTS":
        return _philips_factor(header)
    if units != "BQML":
        raise NoSuv(f"the unit of its values is {units or 'not told'}, not BQML")
    weight, dose = _number(header, "PatientWeight"), _decayed_dose(header)
    return weight * 1000 / dose


def _philips_factor(header: Dataset) -> float:
    group, creator, element = _PHILIPS
    try:
        factor = float(header.private_block(group, creator)[element].value)
    except (KeyError, TypeError, ValueError):
        factor = 0.0
    if factor <= 0:
        raise NoSuv("it holds counts, and no factor of the manufacturer")
    return factor


def _decayed_dose(header: Dataset) -> float:
    """Bq that were left of the injected dose at the time that the values are corrected to."""
    drug = (header.get("RadiopharmaceuticalInformationSequence") or [None])[0]
    if drug is None:
        raise NoSuv("it does not tell the injected dose")
    dose, half_life = _number(drug, "RadionuclideTotalDose"), _number(drug, "RadionuclideHalfLife")
    correction = header.get("DecayCorrection")
    if correction == "ADMIN":
        return dose
    if correction != "START":
        raise NoSuv(f"its values are corrected for decay to {correction or 'a time that is not told'}")
    scan = _time(header, "SeriesDate", "SeriesTime")
    if scan > _time(header, "AcquisitionDate", "AcquisitionTime"):
        raise NoSuv("the series is younger than the scan, so that the time its values are corrected to is not known")
    return dose * 2 ** (-(scan - _injection(drug, scan)).total_seconds() / half_life)


def _injection(drug: Dataset, scan: datetime) -> datetime:
    from pydicom.valuerep import DT

    told = drug.get("RadiopharmaceuticalStartDateTime")
    if told:
        return datetime.combine(DT(str(told)[:14]).date(), DT(str(told)[:14]).time())
    start = _time_of_day(drug.get("RadiopharmaceuticalStartTime"))
    injected = datetime.combine(scan.date(), start.time())
    return injected if injected <= scan else injected - _DAY  # midnight lies between


def _time(header: Dataset, date: str, time: str) -> datetime:
    if not header.get(date):
        raise NoSuv(f"it does not tell its {date}")
    day = datetime.strptime(str(header.get(date)), "%Y%m%d")
    return datetime.combine(day.date(), _time_of_day(header.get(time)).time())


def _time_of_day(value: object) -> datetime:
    text = str(value or "").split(".")[0]
    try:
        return datetime.strptime(text, "%H%M%S")
    except ValueError:
        raise NoSuv("it does not tell the times of injection and scan") from None


def _number(header: Dataset, keyword: str) -> float:
    try:
        value = float(header.get(keyword))
    except (TypeError, ValueError):
        value = 0.0
    if value <= 0:
        raise NoSuv(f"it does not tell its {keyword}")
    return value


def _peak(mask: np.ndarray, volume: Volume) -> float:
    import SimpleITK as sitk

    spacing = volume.geometry.spacing_kji
    reach = [int(_PEAK_RADIUS_MM // step) for step in spacing]
    window = tuple(
        slice(max(0, span.start - r), span.stop + r) for span, r in zip(bounding_box(mask), reach, strict=True)
    )
    k, j, i = (np.arange(-r, r + 1) * step for r, step in zip(reach, spacing, strict=True))
    ball = k[:, None, None] ** 2 + j[:, None] ** 2 + i**2 <= _PEAK_RADIUS_MM**2
    values = sitk.GetImageFromArray(volume.array[window].astype(np.float32))
    means = sitk.FFTConvolution(values, sitk.GetImageFromArray(ball.astype(np.float32)), normalize=True)
    return float(sitk.GetArrayFromImage(means)[mask[window]].max())
