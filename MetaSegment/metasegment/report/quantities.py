"""What is reported of a structure, each quantity once: in words, with its unit (UCUM), and in codes."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

from ..export.measured import Measured
from ..export.measurements import Intensity, Shape
from ..export.suv import Uptake
from ..structure import Code

_DIGITS = 6  # significant

MILLILITRE = Code("UCUM", "mL", "milliliter")
_MILLIMETRE = Code("UCUM", "mm", "millimeter")
_SQUARE_CENTIMETRE = Code("UCUM", "cm2", "square centimeter")
_HOUNSFIELD = Code("UCUM", "[hnsf'U]", "Hounsfield unit")
_SUV_UNIT = Code("UCUM", "g/mL", "gram per milliliter")
_GRAM = Code("UCUM", "g", "gram")
_NO_UNIT = Code("UCUM", "1", "no units")

_NO_DERIVATION = Code()
_MEAN = Code("SCT", "373098007", "Mean")
_SD = Code("SCT", "386136009", "Standard Deviation")
_MINIMUM = Code("SCT", "255605001", "Minimum")
_MEDIAN = Code("SCT", "373099004", "Median")
_MAXIMUM = Code("SCT", "56851009", "Maximum")

VOLUME = Code("SCT", "118565006", "Volume")
_SUV = Code("DCM", "126401", "SUVbw")
#: What the values of an image are, by modality, and their unit. Other modalities have no standard name for them.
_VALUES = {
    "CT": (Code("DCM", "112031", "Attenuation Coefficient"), _HOUNSFIELD),
    "MR": (Code("DCM", "110852", "MR signal intensity"), _NO_UNIT),
}
_OTHER_VALUES = (Code("99METASEGMENT", "intensity", "Image intensity"), _NO_UNIT)


@dataclass(frozen=True)
class Quantity:
    """A measured value; `derivation` (empty where there is none) says how it was taken from many values."""

    words: str
    value: float
    unit: Code
    name: Code
    derivation: Code = _NO_DERIVATION


def quantities_of(measured: Measured, modality: str | None) -> tuple[Quantity, ...]:
    """The quantities of a structure that have a value; `modality` is DICOM's, None where it is not known."""
    found = [*_sizes(measured.shape, measured.surface_cm2)]
    if measured.intensity:
        found += _intensities(measured.intensity, *_VALUES.get(modality or "", _OTHER_VALUES))
    if measured.uptake:
        found += _uptakes(measured.uptake)
    return tuple(quantity for quantity in found if math.isfinite(quantity.value))


def rounded(value: float) -> float:
    """A value with the digits that a report shows programs."""
    return float(f"{value:.{_DIGITS}g}")


def _sizes(shape: Shape, surface_cm2: float | None) -> Iterator[Quantity]:
    yield Quantity("Volume", shape.volume_ml, MILLILITRE, VOLUME)
    yield Quantity(
        "Longest axial diameter", shape.diameter_axial_mm, _MILLIMETRE, Code("SCT", "103339001", "Long axis")
    )
    short = Code("SCT", "103340004", "Short axis")
    yield Quantity("Longest perpendicular diameter", shape.diameter_perpendicular_mm, _MILLIMETRE, short)
    longest = Code("IBSI", "L0JK", "Maximum 3D Diameter")
    yield Quantity("Longest diameter", shape.diameter_3d_mm, _MILLIMETRE, longest)
    if surface_cm2 is not None:
        yield Quantity("Surface", surface_cm2, _SQUARE_CENTIMETRE, Code("IBSI", "C0JK", "Surface Area of Mesh"))


def _intensities(values: Intensity, name: Code, unit: Code) -> Iterator[Quantity]:
    yield Quantity("Mean", values.mean, unit, name, _MEAN)
    yield Quantity("Standard deviation", values.sd, unit, name, _SD)
    yield Quantity("Minimum", values.min, unit, name, _MINIMUM)
    yield Quantity("10th percentile", values.p10, unit, Code("IBSI", "QG58", "10th Intensity Percentile"))
    yield Quantity("Median", values.median, unit, name, _MEDIAN)
    yield Quantity("90th percentile", values.p90, unit, Code("IBSI", "8DWT", "90th Intensity Percentile"))
    yield Quantity("Maximum", values.max, unit, name, _MAXIMUM)


def _uptakes(uptake: Uptake) -> Iterator[Quantity]:
    yield Quantity("SUV mean", uptake.suv_mean, _SUV_UNIT, _SUV, _MEAN)
    yield Quantity("SUV max", uptake.suv_max, _SUV_UNIT, _SUV, _MAXIMUM)
    yield Quantity("SUV peak", uptake.suv_peak, _SUV_UNIT, _SUV, Code("DCM", "126031", "Peak Value Within ROI"))
    yield Quantity("MTV", uptake.mtv_ml, MILLILITRE, Code("DCM", "126032", "Metabolic Volume"))
    yield Quantity("TLG", uptake.tlg_g, _GRAM, Code("DCM", "126033", "Total Lesion Glycolysis"))
