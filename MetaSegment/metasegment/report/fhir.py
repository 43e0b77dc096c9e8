"""Measurements as FHIR R4 Observations, one a structure with a component for each quantity, in one Bundle.

They are preliminary: nobody has signed them. The patient is named by the identifier in the DICOM series alone.
"""

from __future__ import annotations

import uuid
from typing import Any

from .. import __version__
from ..export.measured import Measured, Measurements
from ..structure import TISSUE, Code
from .quantities import VOLUME, Quantity, quantities_of, rounded
from .series import Series

_SYSTEMS = {
    "SCT": "http://snomed.info/sct",
    "DCM": "http://dicom.nema.org/resources/ontology/DCM",
    "UCUM": "http://unitsofmeasure.org",
    "IBSI": "https://ibsi.readthedocs.io",
}
_CATEGORY = {
    "coding": [{"system": "http://terminology.hl7.org/CodeSystem/observation-category", "code": "imaging"}],
}
_MEASUREMENTS = Code("DCM", "125007", "Measurement Group")


def bundle_of(measurements: Measurements, series: Series) -> dict[str, Any]:
    """A Bundle (collection) as the object that its JSON holds."""
    observations = [_observation(measured, series) for measured in measurements.structures]
    entries = [{"fullUrl": f"urn:uuid:{uuid.uuid4()}", "resource": one} for one in observations]
    return {"resourceType": "Bundle", "type": "collection", "entry": entries}


def _observation(measured: Measured, series: Series) -> dict[str, Any]:
    observation: dict[str, Any] = {
        "resourceType": "Observation",
        "status": "preliminary",
        "category": [_CATEGORY],
        "code": _concept(_MEASUREMENTS, f"Measurements of {measured.segment.name}"),
        "device": {"display": f"MetaSegment {__version__}"},
        "component": [_component(quantity, measured) for quantity in quantities_of(measured, series.modality)],
    }
    what = measured.segment.terminology
    if what != TISSUE:
        observation["bodySite"] = _concept(what.region or what.type, measured.segment.name)
    if series.patient:
        observation["subject"] = {"type": "Patient", "identifier": {"value": series.patient}}
    if series.study:
        study = {"system": "urn:dicom:uid", "value": f"urn:oid:{series.study}"}
        observation["derivedFrom"] = [{"type": "ImagingStudy", "identifier": study}]
    if series.date:
        observation["effectiveDateTime"] = series.date.isoformat()
    return observation


def _component(quantity: Quantity, measured: Measured) -> dict[str, Any]:
    component: dict[str, Any] = {
        "code": _concept(quantity.name, quantity.words),
        "valueQuantity": _quantity(quantity.value, quantity.unit),
    }
    usual = measured.usual_volume
    if quantity.name == VOLUME and usual:
        low, high = (_quantity(value, quantity.unit) for value in (usual.low, usual.high))
        component["referenceRange"] = [{"low": low, "high": high, "text": "usual in adults"}]
    return component


def _quantity(value: float, unit: Code) -> dict[str, Any]:
    return {"value": rounded(value), "unit": unit.value, "system": _SYSTEMS["UCUM"], "code": unit.value}


def _concept(code: Code, text: str) -> dict[str, Any]:
    concept: dict[str, Any] = {"text": text}
    if code.scheme in _SYSTEMS:
        concept["coding"] = [{"system": _SYSTEMS[code.scheme], "code": code.value, "display": code.meaning}]
    return concept
