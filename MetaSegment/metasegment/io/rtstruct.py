"""Structure sets (RTSTRUCT): closed contours on the slices of a series, written and read by pydicom.

Contours that cross the slices, and points and open lines, are no areas and are not read.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from .. import __version__
from ..errors import InputError
from ..layers import Covered, whole
from ..regrid import label_counts
from ..structure import Segment
from ..volume import Geometry
from .chosen import chosen, listed
from .dicom_contours import polygons_around
from .dicom_seg import MANUFACTURER, MOST_SEGMENTS, SERIES_NUMBER
from .dicom_source import Source, long_string, require_same_frame
from .drawn import Drawn, with_background
from .rt_contours import Area, OffSlices, area_in
from .rt_rois import Roi, rois_in

if TYPE_CHECKING:
    from pydicom import Dataset

_PATIENT_AND_STUDY = (
    "PatientName",
    "PatientID",
    "PatientBirthDate",
    "PatientSex",
    "StudyInstanceUID",
    "StudyDate",
    "StudyTime",
    "StudyID",
    "AccessionNumber",
    "ReferringPhysicianName",
)
_STUDY = "1.2.840.10008.3.1.2.3.1"  # Detached Study Management, retired and still what readers look for
# Structures of one set overlap along their borders where an edge was drawn twice, or wholly where one contains another.
_SHARED = 0.1  # of its voxels that a structure may lose to a smaller one


def write_rtstruct(
    labels: np.ndarray, segments: tuple[Segment, ...], source: Source, path: Path, covered: Covered | None = None
) -> None:
    """Write labels uint8 (k, j, i) on the grid of `source`: one ROI a segment, one or more contours a slice.

    Segments that share voxels, what is `covered` of them, are written whole.
    """
    from pydicom.uid import RTStructureSetStorage, generate_uid

    dataset = _empty(source, str(generate_uid(prefix=None)), str(RTStructureSetStorage))
    dataset.ReferencedFrameOfReferenceSequence = [_references(source)]
    dataset.StructureSetROISequence = [_roi(n, s, source) for n, s in enumerate(segments, start=1)]
    dataset.ROIContourSequence = [
        _dataset(
            ReferencedROINumber=n,
            ROIDisplayColor=[round(255 * part) for part in segment.color],
            ContourSequence=list(_contours(whole(labels, covered or {}, segment.label), source)),
        )
        for n, segment in enumerate(segments, start=1)
    ]
    dataset.RTROIObservationsSequence = [
        _dataset(ObservationNumber=n, ReferencedROINumber=n, RTROIInterpretedType="", ROIInterpreter="")
        for n in range(1, len(segments) + 1)
    ]
    dataset.save_as(path, enforce_file_format=True)


def read_rtstruct(
    dataset: Dataset, grid: Geometry | None, frame_of_reference: str | None, names: Sequence[str] = ()
) -> Drawn:
    """What `read_drawn` says, for an RTSTRUCT; structures are numbered 1, 2, ... in its order.

    A structure that is on no slices of the image or in another frame of reference is left out, and contours beyond the
    image are; notes name them.
    """
    if grid is None:
        raise InputError("contours have no grid of their own; give the image that they were drawn on (--reference)")
    found = [roi for roi in rois_in(dataset) if roi.contours]
    if not found:
        raise InputError("it has no closed contours")
    found = [found[n] for n in chosen([roi.name for roi in found], names)]
    areas, notes, left_out = _areas(found, grid, frame_of_reference)
    if not areas:
        raise InputError(left_out)
    if len(areas) > MOST_SEGMENTS:
        raise InputError(f"it has {len(areas)} structures; keep at most {MOST_SEGMENTS}, by --structures")
    segments = tuple(Segment(n, roi.name, roi.color) for n, (roi, _) in enumerate(areas, start=1))
    labels = _painted([area for _, area in areas], [segment.name for segment in segments], grid)
    axes = [area.axis for _, area in areas]
    return Drawn(with_background(labels, max(set(axes), key=axes.count)), grid, segments, notes)


def _areas(
    found: Sequence[Roi], grid: Geometry, frame: str | None
) -> tuple[list[tuple[Roi, Area]], tuple[str, ...], str]:
    """Those on the image with their voxels; notes on the others; why the last of them is none."""
    areas, notes, why = [], [], ""
    for roi in found:
        try:
            require_same_frame(roi.frame, frame)
            area = area_in(roi.contours, grid)
        except (InputError, OffSlices) as error:
            why = str(error) if isinstance(error, InputError) else f"{error}; give the image that they were drawn on"
            notes.append(f"structure '{roi.name}' left out: {error}")
            continue
        if area.mask.any():
            areas.append((roi, area))
            if area.left_out:
                notes.append(f"structure '{roi.name}': {area.left_out}, and left out")
        else:
            why = f"structure '{roi.name}' holds the centre of no voxel"
            notes.append(f"structure '{roi.name}' left out: it holds the centre of no voxel")
    return areas, tuple(notes), why


def _painted(areas: Sequence[Area], names: Sequence[str], grid: Geometry) -> np.ndarray:
    """Labels 1, 2, ... of the areas; where two structures share a border, the smaller one has it."""
    drawn = [int(np.count_nonzero(area.mask)) for area in areas]
    labels = np.zeros(grid.shape, np.uint8)
    for n in sorted(range(len(areas)), key=lambda n: -drawn[n]):
        labels[areas[n].window][areas[n].mask] = n + 1
    left = label_counts(labels)
    for n, voxels in enumerate(drawn):
        if left[n + 1] < (1 - _SHARED) * voxels:
            inside = np.bincount(labels[areas[n].window][areas[n].mask], minlength=256)
            inside[n + 1] = 0
            raise InputError(
                f"structures overlap: '{names[n]}' shares {1 - left[n + 1] / voxels:.0%} of its voxels with smaller "
                f"ones, most with '{names[int(inside.argmax()) - 1]}'; choose some by name with --structures, of "
                f"{listed(names)}"
            )
    return labels


def _empty(source: Source, uid: str, kind: str) -> Dataset:
    """Patient and study of the series, and what a structure set must state (PS3.3 A.19)."""
    from pydicom.dataset import FileDataset, FileMetaDataset
    from pydicom.uid import UID, ImplicitVRLittleEndian, generate_uid

    meta = FileMetaDataset()
    meta.MediaStorageSOPClassUID, meta.MediaStorageSOPInstanceUID = UID(kind), UID(uid)
    meta.TransferSyntaxUID = ImplicitVRLittleEndian
    dataset = FileDataset("", {}, file_meta=meta, preamble=bytes(128))
    header, now = source.headers[0], datetime.now()
    dataset.SpecificCharacterSet = "ISO_IR 192"
    for keyword in _PATIENT_AND_STUDY:
        setattr(dataset, keyword, header.get(keyword, ""))
    dataset.SOPClassUID, dataset.SOPInstanceUID, dataset.Modality = kind, uid, "RTSTRUCT"
    dataset.SeriesInstanceUID, dataset.SeriesNumber = generate_uid(prefix=None), SERIES_NUMBER
    dataset.SeriesDescription = "MetaSegment structures"
    dataset.Manufacturer = dataset.ManufacturerModelName = MANUFACTURER
    dataset.SoftwareVersions, dataset.OperatorsName = __version__, ""
    dataset.StructureSetLabel, dataset.InstanceNumber = MANUFACTURER, 1
    dataset.StructureSetDate, dataset.StructureSetTime = now.strftime("%Y%m%d"), now.strftime("%H%M%S")
    dataset.InstanceCreationDate, dataset.InstanceCreationTime = dataset.StructureSetDate, dataset.StructureSetTime
    dataset.FrameOfReferenceUID, dataset.PositionReferenceIndicator = header.FrameOfReferenceUID, ""
    dataset.ApprovalStatus = "UNAPPROVED"
    return dataset


def _references(source: Source) -> Dataset:
    header = source.headers[0]
    series = _dataset(
        SeriesInstanceUID=header.SeriesInstanceUID,
        ContourImageSequence=[_reference(source, k) for k in range(source.volume.geometry.size[2])],
    )
    study = _dataset(
        ReferencedSOPClassUID=_STUDY,
        ReferencedSOPInstanceUID=header.StudyInstanceUID,
        RTReferencedSeriesSequence=[series],
    )
    return _dataset(FrameOfReferenceUID=header.FrameOfReferenceUID, RTReferencedStudySequence=[study])


def _reference(source: Source, k: int) -> Dataset:
    if source.has_many_frames:
        raise InputError("a structure set needs a series of one file a slice; write a DICOM SEG of this image instead")
    header = source.headers[k]
    return _dataset(ReferencedSOPClassUID=header.SOPClassUID, ReferencedSOPInstanceUID=header.SOPInstanceUID)


def _roi(number: int, segment: Segment, source: Source) -> Dataset:
    return _dataset(
        ROINumber=number,
        ReferencedFrameOfReferenceUID=source.headers[0].FrameOfReferenceUID,
        ROIName=long_string(segment.name),
        ROIGenerationAlgorithm="SEMIAUTOMATIC",
    )


def _contours(mask: np.ndarray, source: Source) -> Iterator[Dataset]:
    to_world = source.volume.geometry.index_to_world
    for k in np.flatnonzero(mask.any(axis=(1, 2))).tolist():
        for polygon in polygons_around(mask[k]):
            index = np.column_stack([polygon[:, ::-1], np.full(len(polygon), k)])
            points = index @ to_world[:3, :3].T + to_world[:3, 3]
            yield _dataset(
                ContourImageSequence=[_reference(source, k)],
                ContourGeometricType="CLOSED_PLANAR",
                NumberOfContourPoints=len(points),
                ContourData=[f"{value:.4f}" for value in points.ravel()],
            )


def _dataset(**values: object) -> Dataset:
    from pydicom import Dataset

    dataset = Dataset()
    for keyword, value in values.items():
        setattr(dataset, keyword, value)
    return dataset
