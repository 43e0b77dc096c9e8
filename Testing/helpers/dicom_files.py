"""Synthetic volumes written as DICOM files."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from metasegment.volume import Volume

if TYPE_CHECKING:
    from pydicom.dataset import FileDataset


def write_series(folder: Path, volume: Volume, modality: str = "CT", **tags: object) -> Path:
    """Writes a volume of integers as a DICOM series, one file a slice, its last slice first; more tags by keyword."""
    from pydicom import uid

    kinds = {"CT": uid.CTImageStorage, "MR": uid.MRImageStorage, "PT": uid.PositronEmissionTomographyImageStorage}
    same = {"StudyInstanceUID": uid.generate_uid(), "SeriesInstanceUID": uid.generate_uid()}
    same |= {"FrameOfReferenceUID": uid.generate_uid(), "Modality": modality}
    for k, plane in enumerate(volume.array):
        header = _header(kinds[modality], **same, InstanceNumber=len(volume.array) - k, **_place(volume, k))
        header.SliceThickness, header.PixelSpacing = _pixels(volume)
        header.RescaleIntercept, header.RescaleSlope = "0", "1"
        for keyword, value in tags.items():
            setattr(header, keyword, value)
        _save(header, plane, folder / f"{len(volume.array) - k:04d}.dcm")
    return folder


def write_frames(folder: Path, volume: Volume, at: Sequence[int], intercept: int = -100) -> Path:
    """Writes a volume of integers as one enhanced CT file; `at` are the slices that its frames lie at, in order."""
    from pydicom import Dataset, uid

    def item(**values: object) -> Dataset:
        dataset = Dataset()
        for keyword, value in values.items():
            setattr(dataset, keyword, value)
        return dataset

    same = {name: uid.generate_uid() for name in ("StudyInstanceUID", "SeriesInstanceUID", "FrameOfReferenceUID")}
    header = _header(uid.EnhancedCTImageStorage, **same, Modality="CT", NumberOfFrames=len(at), InstanceNumber=1)
    thickness, spacing = _pixels(volume)
    direction = _place(volume, 0)["ImageOrientationPatient"]
    organisation = uid.generate_uid()
    pointers = {"DimensionIndexPointer": 0x00200032, "FunctionalGroupPointer": 0x00209113}
    header.DimensionOrganizationSequence = [item(DimensionOrganizationUID=organisation)]
    header.DimensionIndexSequence = [item(DimensionOrganizationUID=organisation, **pointers)]
    header.SharedFunctionalGroupsSequence = [
        item(
            PixelMeasuresSequence=[item(PixelSpacing=spacing, SliceThickness=thickness)],
            PlaneOrientationSequence=[item(ImageOrientationPatient=direction)],
            PixelValueTransformationSequence=[
                item(RescaleSlope="1", RescaleIntercept=str(intercept), RescaleType="HU")
            ],
        )
    ]
    header.PerFrameFunctionalGroupsSequence = [
        item(
            PlanePositionSequence=[item(ImagePositionPatient=_place(volume, k)["ImagePositionPatient"])],
            FrameContentSequence=[item(DimensionIndexValues=[n + 1], StackID="1", InStackPositionNumber=n + 1)],
        )
        for n, k in enumerate(at)
    ]
    _save(header, volume.array[np.array(at) % len(volume.array)], folder / "frames.dcm")
    return folder


def _header(kind: str, **tags: object) -> FileDataset:
    from pydicom.dataset import FileDataset, FileMetaDataset
    from pydicom.uid import UID, ExplicitVRLittleEndian, generate_uid

    meta = FileMetaDataset()
    meta.TransferSyntaxUID, meta.MediaStorageSOPClassUID = ExplicitVRLittleEndian, UID(kind)
    meta.MediaStorageSOPInstanceUID = generate_uid()
    header = FileDataset("", {}, file_meta=meta, preamble=bytes(128))
    header.SOPClassUID, header.SOPInstanceUID = kind, meta.MediaStorageSOPInstanceUID
    header.PatientName, header.PatientID, header.PatientBirthDate, header.PatientSex = "Doe^Jane", "42", "", "O"
    header.StudyDate, header.StudyTime, header.StudyID, header.AccessionNumber = "20260101", "120000", "1", ""
    header.ReferringPhysicianName, header.Manufacturer, header.SeriesNumber = "", "nobody", 1
    header.SeriesDescription = "phantom"
    for keyword, value in tags.items():
        setattr(header, keyword, value)
    return header


def _place(volume: Volume, k: int) -> dict[str, list[str]]:
    to_world = volume.geometry.index_to_world
    rows_and_columns = np.reshape(volume.geometry.direction, (3, 3))[:, :2].T
    return {
        "ImagePositionPatient": [f"{x:.8g}" for x in to_world[:3, 2] * k + to_world[:3, 3]],
        "ImageOrientationPatient": [f"{x:.10f}" for x in rows_and_columns.flat],
    }


def _pixels(volume: Volume) -> tuple[str, list[str]]:
    i, j, k = volume.geometry.spacing
    return str(k), [str(j), str(i)]


def _save(header: FileDataset, pixels: np.ndarray, path: Path) -> None:
    header.Rows, header.Columns = pixels.shape[-2:]
    header.SamplesPerPixel, header.PhotometricInterpretation, header.PixelRepresentation = 1, "MONOCHROME2", 1
    header.BitsAllocated, header.BitsStored, header.HighBit = 16, 16, 15
    header.PixelData = pixels.astype("<i2").tobytes()
    path.parent.mkdir(parents=True, exist_ok=True)
    header.save_as(path, enforce_file_format=True)
