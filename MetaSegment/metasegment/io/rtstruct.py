"""Structure sets (RTSTRUCT): closed contours on the slices of a series, written and read by pydicom.

Contours that cross the slices, and points and open lines, are no areas and are not read.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from .. import __version__
from ..errors import InputError
from ..regrid import label_counts
from ..structure import Segment
from ..volume import Geometry
from .dicom_contours import filled, polygons_around
from .dicom_seg import GREY, MANUFACTURER, MOST_SEGMENTS, SERIES_NUMBER
from .dicom_source import Source, long_string, require_same_frame
from .drawn import Drawn, with_background

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
_CLOSED = ("CLOSED_PLANAR", "CLOSEDPLANAR_XOR")
_FEWEST_POINTS = 3
_OFF_PLANE = 0.1  # slices that a point may lie beside its slice; planning systems round to 0.01 mm
_STUDY = "1.2.840.10008.3.1.2.3.1"  # Detached Study Management, retired and still what readers look for
# Structures of one set overlap along their borders where an edge was drawn twice, or wholly where one contains another.
_SHARED = 0.1  # of its voxels that a structure may lose to a smaller one


def write_rtstruct(labels: np.ndarray, segments: tuple[Segment, ...], source: Source, path: Path) -> None:
    """Write labels uint8 (k, j, i) on the grid of `source`: one ROI a segment, one or more contours a slice."""
    from pydicom.uid import RTStructureSetStorage, generate_uid

    dataset = _empty(source, str(generate_uid(prefix=None)), str(RTStructureSetStorage))
    dataset.ReferencedFrameOfReferenceSequence = [_references(source)]
    dataset.StructureSetROISequence = [_roi(n, s, source) for n, s in enumerate(segments, start=1)]
    dataset.ROIContourSequence = [
        _dataset(
            ReferencedROINumber=n,
            ROIDisplayColor=[round(255 * part) for part in segment.color],
            ContourSequence=list(_contours(labels == segment.label, source)),
        )
        for n, segment in enumerate(segments, start=1)
    ]
    dataset.RTROIObservationsSequence = [
        _dataset(ObservationNumber=n, ReferencedROINumber=n, RTROIInterpretedType="", ROIInterpreter="")
        for n in range(1, len(segments) + 1)
    ]
    dataset.save_as(path, enforce_file_format=True)


def read_rtstruct(dataset: Dataset, grid: Geometry | None, frame_of_reference: str | None) -> Drawn:
    """What `read_drawn` says, for an RTSTRUCT; structures are numbered 1, 2, ... in its order."""
    if grid is None:
        raise InputError("contours have no grid of their own; give the image that they were drawn on (--reference)")
    rois = {int(roi.ROINumber): roi for roi in dataset.get("StructureSetROISequence") or ()}
    for roi in rois.values():
        require_same_frame(roi.get("ReferencedFrameOfReferenceUID"), frame_of_reference)
    areas: list[tuple[Segment, dict[int, list[np.ndarray]]]] = []
    for item in dataset.get("ROIContourSequence") or ():
        polygons = _polygons(item, grid)
        if polygons:
            areas.append((_segment(len(areas) + 1, rois.get(int(item.ReferencedROINumber)), item), polygons))
    if not areas:
        raise InputError("it has no closed contours")
    if len(areas) > MOST_SEGMENTS:
        raise InputError(f"it has {len(areas)} structures; keep at most {MOST_SEGMENTS}")
    return Drawn(with_background(_painted(areas, grid)), grid, tuple(segment for segment, _ in areas))


def _painted(areas: list[tuple[Segment, dict[int, list[np.ndarray]]]], grid: Geometry) -> np.ndarray:
    """Labels of the contours' insides; where two structures share a border, the smaller one has it."""
    masks = []
    for segment, polygons in areas:
        planes = {k: filled(outlines, grid.shape[1:]) for k, outlines in polygons.items()}
        masks.append((sum(int(plane.sum()) for plane in planes.values()), segment.label, planes))
    labels = np.zeros(grid.shape, np.uint8)
    for _, label, planes in sorted(masks, key=lambda mask: -mask[0]):
        for k, plane in planes.items():
            labels[k][plane] = label
    left = label_counts(labels)
    for drawn, label, _ in masks:
        if left[label] < (1 - _SHARED) * drawn:
            share = 1 - left[label] / drawn
            raise InputError(
                f"structures overlap: number {label} shares {share:.0%} of its voxels with smaller ones; "
                "save a set without one of them"
            )
    return labels


def _polygons(item: Dataset, grid: Geometry) -> dict[int, list[np.ndarray]]:
    """Outlines (n, 2) in pixels (row, column) by slice index k."""
    to_index = np.linalg.inv(grid.index_to_world)
    found: dict[int, list[np.ndarray]] = {}
    for contour in item.get("ContourSequence") or ():
        points = np.array(contour.ContourData, np.float64).reshape(-1, 3)
        if contour.ContourGeometricType not in _CLOSED or len(points) < _FEWEST_POINTS:
            continue
        i, j, k = to_index[:3, :3] @ points.T + to_index[:3, 3:]
        plane = round(float(np.median(k)))
        if np.abs(k - plane).max() > _OFF_PLANE or not 0 <= plane < grid.shape[0]:
            raise InputError("its contours are not on the image's slices; give the image that they were drawn on")
        found.setdefault(plane, []).append(np.stack([j, i], axis=1))
    return found


def _segment(label: int, roi: Dataset | None, item: Dataset) -> Segment:
    name = "" if roi is None else str(roi.get("ROIName", ""))
    color = item.get("ROIDisplayColor")
    red, green, blue = (int(part) / 255 for part in color) if color else GREY
    return Segment(label, name or f"ROI {item.ReferencedROINumber}", (red, green, blue))


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
