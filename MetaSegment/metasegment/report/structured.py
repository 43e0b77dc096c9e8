"""Measurements as a DICOM structured report by TID 1500 (Measurement Report), written by highdicom.

It refers to the segments of a DICOM SEG and to the series that they were drawn on.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from .. import __version__
from ..export.measured import Measured
from ..io.dicom_seg import MANUFACTURER, SERIES_NUMBER, concept
from ..io.dicom_source import Source, long_string
from ..structure import Code
from .quantities import quantities_of, rounded

if TYPE_CHECKING:
    import highdicom as hd
    from pydicom import Dataset

#: The series number after that of segmentations.
_SERIES_NUMBER = SERIES_NUMBER + 1
_PROCEDURES = {
    "CT": Code("SCT", "77477000", "Computed tomography"),
    "MR": Code("SCT", "113091000", "Magnetic resonance imaging"),
    "PT": Code("SCT", "82918005", "Positron emission tomography"),
}
_IMAGING = Code("SCT", "363679005", "Imaging")


def write_structured(
    found: Mapping[int, Measured], segmentation: Dataset, source: Source, modality: str | None, path: Path
) -> None:
    """Write measured structures, by their segment number in a SEG (its header is enough), to one file."""
    import highdicom as hd
    from pydicom.sr.codedict import codes

    segments = {int(item.SegmentNumber): item for item in segmentation.SegmentSequence}
    device = hd.sr.DeviceObserverIdentifyingAttributes(
        uid=hd.UID(), name=MANUFACTURER, manufacturer_name=MANUFACTURER, model_name=MANUFACTURER
    )
    observer = hd.sr.ObserverContext(observer_type=codes.DCM.Device, observer_identifying_attributes=device)
    content = hd.sr.MeasurementReport(
        observation_context=hd.sr.ObservationContext(observer_device_context=observer),
        procedure_reported=concept(_PROCEDURES.get(modality or "", _IMAGING)),
        imaging_measurements=[
            _group(number, measured, segments[number], segmentation, source, modality)
            for number, measured in found.items()
        ],
        title=codes.DCM.ImagingMeasurementReport,
        referenced_images=list(source.headers),
    )
    report = hd.sr.Comprehensive3DSR(
        evidence=[*source.headers, segmentation],
        content=content,
        series_instance_uid=hd.UID(),
        series_number=_SERIES_NUMBER,
        sop_instance_uid=hd.UID(),
        instance_number=1,
        manufacturer=MANUFACTURER,
        series_description="MetaSegment measurements",
        manufacturer_model_name=MANUFACTURER,
        software_versions=__version__,
        device_serial_number=__version__,
    )
    report.SpecificCharacterSet = "ISO_IR 192"  # names in any script, whatever the scanner's
    report.save_as(path)


def _group(
    number: int, measured: Measured, segment: Dataset, segmentation: Dataset, source: Source, modality: str | None
) -> hd.sr.VolumetricROIMeasurementsAndQualitativeEvaluations:
    import highdicom as hd

    what = measured.segment.terminology
    return hd.sr.VolumetricROIMeasurementsAndQualitativeEvaluations(
        tracking_identifier=hd.sr.TrackingIdentifier(
            uid=segment.get("TrackingUID") or hd.UID(), identifier=long_string(measured.segment.name)
        ),
        referenced_segment=hd.sr.ReferencedSegment(
            sop_class_uid=segmentation.SOPClassUID,
            sop_instance_uid=segmentation.SOPInstanceUID,
            segment_number=number,
            source_series=hd.sr.SourceSeriesForSegmentation(source.headers[0].SeriesInstanceUID),
        ),
        finding_category=concept(what.category),
        finding_type=concept(what.type),
        finding_sites=_sites(measured),
        measurements=[
            hd.sr.Measurement(
                name=concept(quantity.name),
                value=rounded(quantity.value),
                unit=concept(quantity.unit),
                derivation=concept(quantity.derivation) if quantity.derivation else None,
            )
            for quantity in quantities_of(measured, modality)
        ],
    )


def _sites(measured: Measured) -> list[hd.sr.FindingSite] | None:
    """Where a finding lies; of a part of the body that comes in pairs, which of them it is."""
    import highdicom as hd

    what = measured.segment.terminology
    place, side = (what.region, what.region_modifier) if what.region else (what.type, what.modifier)
    if not what.region and not side:
        return None
    return [hd.sr.FindingSite(concept(place), laterality=concept(side) if side else None)]
