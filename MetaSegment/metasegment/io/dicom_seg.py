"""DICOM segmentations (SEG), by highdicom: written as BINARY, which every reader knows, and read in any form.

Structures that overlap and probabilities cannot be expressed in labels; they are refused.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from .. import __version__
from ..errors import InputError
from ..regrid import moved_to_grid
from ..structure import Code, Segment, Terminology
from ..volume import Geometry
from .dicom_source import Source, long_string, require_same_frame
from .drawn import Drawn, with_background

if TYPE_CHECKING:
    import highdicom as hd
    from pydicom import Dataset

#: Series number of what is derived: far behind those that scanners count.
SERIES_NUMBER = 9000
MANUFACTURER = "MetaSegment"
#: Colour of a segment that has none.
GREY = (0.5, 0.5, 0.5)
#: Labels of an annotation.
MOST_SEGMENTS = 254


def write_seg(labels: np.ndarray, segments: tuple[Segment, ...], source: Source, path: Path) -> None:
    """Write labels uint8 (k, j, i) on the grid of `source` to one file; segments are numbered 1, 2, ... in order."""
    import highdicom as hd

    numbers = np.zeros(256, np.uint8)
    for n, segment in enumerate(segments, start=1):
        numbers[segment.label] = n
    dataset = hd.seg.Segmentation(
        source_images=source.headers,
        pixel_array=_on_frames(numbers[labels], source),
        segmentation_type=hd.seg.SegmentationTypeValues.BINARY,
        segment_descriptions=[_description(n, segment) for n, segment in enumerate(segments, start=1)],
        series_instance_uid=hd.UID(),
        series_number=SERIES_NUMBER,
        sop_instance_uid=hd.UID(),
        instance_number=1,
        manufacturer=MANUFACTURER,
        manufacturer_model_name=MANUFACTURER,
        software_versions=__version__,
        device_serial_number=__version__,
        content_label="SEGMENTATION",
        series_description="MetaSegment segmentation",
    )
    dataset.SpecificCharacterSet = "ISO_IR 192"  # names in any script, whatever the scanner's
    dataset.save_as(path)


def read_seg(dataset: Dataset, grid: Geometry | None, frame_of_reference: str | None) -> Drawn:
    """What `read_drawn` says, for a SEG."""
    import highdicom as hd

    require_same_frame(dataset.get("FrameOfReferenceUID"), frame_of_reference)
    segmentation = hd.seg.Segmentation.from_dataset(dataset)
    if max(segmentation.segment_numbers) > MOST_SEGMENTS:
        raise InputError(f"it has segments numbered beyond {MOST_SEGMENTS}; keep fewer")
    labels, geometry = _volume(segmentation)
    present = set(np.unique(labels).tolist()) - {0}
    if not present:
        raise InputError("its segments are empty")
    labels = with_background(labels)
    segments = tuple(_segment(segmentation.get_segment_description(n)) for n in sorted(present))
    if grid is None:
        return Drawn(labels, geometry, segments)
    return Drawn(moved_to_grid(labels, geometry, grid), grid, segments)


def _volume(segmentation: hd.seg.Segmentation) -> tuple[np.ndarray, Geometry]:
    """Segment numbers uint8 (k, j, i) between the first and the last frame, and where they are."""
    if segmentation.get_volume_geometry() is None:
        raise InputError("its frames do not make a stack of even slices; resample it to the image first")
    try:
        volume = segmentation.get_volume(combine_segments=True, dtype=np.uint8)
    except ValueError as error:  # highdicom's for values between none and all
        raise InputError("it holds probabilities, not segments; threshold it first") from error
    except RuntimeError as error:  # and for segments that share voxels
        raise InputError("its segments overlap; save it with segments that do not") from error
    k, j, i = volume.array.shape
    slices, rows, columns = map(float, volume.spacing)
    x, y, z = map(float, volume.position)
    direction = tuple(volume.direction[:, ::-1].ravel().tolist())
    return volume.array, Geometry((i, j, k), (columns, rows, slices), (x, y, z), direction)


def _on_frames(numbers: np.ndarray, source: Source) -> np.ndarray | hd.Volume:
    """Where one file holds all frames, highdicom is told where each slice lies; else slices follow the headers."""
    if not source.has_many_frames:
        return numbers
    import highdicom as hd

    geometry = source.volume.geometry
    affine = geometry.index_to_world[:, [2, 1, 0, 3]]
    frame = source.headers[0].FrameOfReferenceUID
    return hd.Volume(numbers, affine, coordinate_system="PATIENT", frame_of_reference_uid=frame)


def _description(number: int, segment: Segment) -> hd.seg.SegmentDescription:
    import highdicom as hd
    from pydicom.sr.codedict import codes

    method = hd.AlgorithmIdentificationSequence(
        name=MANUFACTURER, family=codes.DCM.ArtificialIntelligence, version=__version__
    )
    what = segment.terminology
    description = hd.seg.SegmentDescription(
        segment_number=number,
        segment_label=long_string(segment.name),
        segmented_property_category=_concept(what.category),
        segmented_property_type=_concept(what.type),
        algorithm_type=hd.seg.SegmentAlgorithmTypeValues.SEMIAUTOMATIC,
        algorithm_identification=method,
        tracking_uid=hd.UID(),
        tracking_id=long_string(segment.name),
        anatomic_regions=[_concept(what.region)] if what.region else None,
        display_color=hd.color.CIELabColor.from_rgb(*(round(255 * part) for part in segment.color)),
    )
    for item, keyword, code in (
        (description.SegmentedPropertyTypeCodeSequence, "SegmentedPropertyTypeModifierCodeSequence", what.modifier),
        (description.get("AnatomicRegionSequence"), "AnatomicRegionModifierSequence", what.region_modifier),
    ):
        if item and code:
            setattr(item[0], keyword, [_concept(code)])
    return description


def _segment(description: hd.seg.SegmentDescription) -> Segment:
    kind = description.SegmentedPropertyTypeCodeSequence[0]
    region = (description.get("AnatomicRegionSequence") or [None])[0]
    return Segment(
        label=description.segment_number,
        name=description.segment_label,
        color=_color(description),
        terminology=Terminology(
            category=_code(description.SegmentedPropertyCategoryCodeSequence[0]),
            type=_code(kind),
            modifier=_first(kind, "SegmentedPropertyTypeModifierCodeSequence"),
            region=Code() if region is None else _code(region),
            region_modifier=Code() if region is None else _first(region, "AnatomicRegionModifierSequence"),
        ),
    )


def _color(description: hd.seg.SegmentDescription) -> tuple[float, float, float]:
    import highdicom as hd

    value = description.get("RecommendedDisplayCIELabValue")
    if value is None:
        return GREY
    red, green, blue = hd.color.CIELabColor.from_dicom_value(value).to_rgb()
    return red / 255, green / 255, blue / 255


def _concept(code: Code) -> hd.sr.CodedConcept:
    import highdicom as hd

    return hd.sr.CodedConcept(code.value, code.scheme, code.meaning)


def _code(item: Dataset) -> Code:
    return Code(str(item.CodingSchemeDesignator), str(item.CodeValue), str(item.CodeMeaning))


def _first(item: Dataset, keyword: str) -> Code:
    found = item.get(keyword)
    return _code(found[0]) if found else Code()
