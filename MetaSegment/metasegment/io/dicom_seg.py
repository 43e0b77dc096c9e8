"""DICOM segmentations (SEG): written by highdicom as BINARY, which every reader knows, and read in any form.

In what is read, structures that overlap and probabilities are refused.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from .. import __version__
from ..errors import InputError
from ..layers import Covered, whole
from ..regrid import label_counts, moved_to_grid
from ..structure import Code, Segment
from ..volume import Geometry
from .chosen import chosen
from .dicom_seg_frames import labels_of
from .dicom_seg_segments import segment_of
from .dicom_source import Source, long_string, require_same_frame
from .drawn import Drawn, with_background

if TYPE_CHECKING:
    from enum import Enum

    import highdicom as hd
    from pydicom import Dataset
    from pydicom.tag import BaseTag

#: Series number of what is derived: far behind those that scanners count.
SERIES_NUMBER = 9000
MANUFACTURER = "MetaSegment"
#: Labels of an annotation.
MOST_SEGMENTS = 254


def write_seg(
    labels: np.ndarray, segments: tuple[Segment, ...], source: Source, path: Path, covered: Covered | None = None
) -> None:
    """Write labels uint8 (k, j, i) on the grid of `source` to one file; segments are numbered 1, 2, ... in order.

    Those that share voxels, what is `covered` of them, are written whole.
    """
    import highdicom as hd

    dataset = hd.seg.Segmentation(
        source_images=source.headers,
        pixel_array=_on_frames(_numbered(labels, segments, covered or {}), source),
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


def read_seg(
    dataset: Dataset, grid: Geometry | None, frame_of_reference: str | None, names: Sequence[str] = ()
) -> Drawn:
    """What `read_drawn` says, for a SEG; labels are its segments' numbers, where they fit."""
    require_same_frame(dataset.get("FrameOfReferenceUID"), frame_of_reference)
    items = list(dataset.get("SegmentSequence") or ())
    segments = [segment_of(item) for item in items if int(item.SegmentNumber) > 0]  # 0 is a label map's background
    segments = [segments[n] for n in chosen([segment.name for segment in segments], names)]
    if len(segments) > MOST_SEGMENTS:
        raise InputError(f"it has {len(segments)} segments; keep at most {MOST_SEGMENTS}, by --structures")
    fits = all(segment.label <= MOST_SEGMENTS for segment in segments)
    numbers = {segment.label: segment.label if fits else n for n, segment in enumerate(segments, start=1)}
    labels, geometry = labels_of(dataset, {segment.label: segment.name for segment in segments}, numbers, grid)
    present = set(np.flatnonzero(label_counts(labels)).tolist())
    drawn = tuple(replace(s, label=numbers[s.label]) for s in segments if numbers[s.label] in present)
    if not drawn:
        raise InputError("its segments are empty")
    labels = with_background(labels)
    if grid is None:
        return Drawn(labels, geometry, drawn)
    return Drawn(moved_to_grid(labels, geometry, grid), grid, drawn)


def _numbered(labels: np.ndarray, segments: tuple[Segment, ...], covered: Covered) -> np.ndarray:
    """Segments' numbers (k, j, i); of those that share voxels 0 and 1 for each (k, j, i, segment)."""
    if covered:
        return np.stack([whole(labels, covered, segment.label) for segment in segments], -1).astype(np.uint8)
    numbers = np.zeros(256, np.uint8)
    for n, segment in enumerate(segments, start=1):
        numbers[segment.label] = n
    return numbers[labels]


def _on_frames(numbers: np.ndarray, source: Source) -> np.ndarray | hd.Volume:
    """Where one file holds all frames, highdicom is told where each slice lies; else slices follow the headers."""
    if not source.has_many_frames:
        return numbers
    import highdicom as hd

    geometry = source.volume.geometry
    affine = geometry.index_to_world[:, [2, 1, 0, 3]]
    frame = source.headers[0].FrameOfReferenceUID
    channels: dict[BaseTag | int | str | hd.ChannelDescriptor, Sequence[int | str | float | Enum]] | None = None
    if numbers.ndim == 4:
        channels = {"SegmentNumber": range(1, numbers.shape[3] + 1)}
    return hd.Volume(numbers, affine, coordinate_system="PATIENT", frame_of_reference_uid=frame, channels=channels)


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
        segmented_property_category=concept(what.category),
        segmented_property_type=concept(what.type),
        algorithm_type=hd.seg.SegmentAlgorithmTypeValues.SEMIAUTOMATIC,
        algorithm_identification=method,
        tracking_uid=hd.UID(),
        tracking_id=long_string(segment.name),
        anatomic_regions=[concept(what.region)] if what.region else None,
        display_color=hd.color.CIELabColor.from_rgb(*(round(255 * part) for part in segment.color)),
    )
    for item, keyword, code in (
        (description.SegmentedPropertyTypeCodeSequence, "SegmentedPropertyTypeModifierCodeSequence", what.modifier),
        (description.get("AnatomicRegionSequence"), "AnatomicRegionModifierSequence", what.region_modifier),
    ):
        if item and code:
            setattr(item[0], keyword, [concept(code)])
    return description


def concept(code: Code) -> hd.sr.CodedConcept:
    """A code as highdicom has it."""
    import highdicom as hd

    return hd.sr.CodedConcept(code.value, code.scheme, code.meaning)
