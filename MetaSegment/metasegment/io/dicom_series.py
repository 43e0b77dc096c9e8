"""A folder with one DICOM image series to one SimpleITK image: slices sorted by position, gaps found and
refused.

Does not choose between several series, and does not read segmentations, structure sets or other non-image
objects.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from ..errors import InputError
from .dicom_multiframe import read_multiframe
from .dicom_stack import Stack, refuse_uneven
from .image_file import kept_pixel_type, quiet_itk, read_image, refuse_too_large

if TYPE_CHECKING:
    import SimpleITK as sitk

_DESCRIPTION, _MODALITY = "0008|103e", "0008|0060"
_FRAMES, _POSITION, _ORIENTATION = "0028|0008", "0020|0032", "0020|0037"
_RESCALING = ("0028|1052", "0028|1053")  # intercept, slope
_NOT_IMAGES = frozenset({"SEG", "RTSTRUCT", "RTPLAN", "RTDOSE", "SR", "PR", "KO", "REG"})
#: Of storage classes without an image (PS3.4, B.5): presentation states, segmentations and registrations, reports,
#: documents, and radiotherapy.
_NOT_IMAGE_CLASSES = tuple(b"1.2.840.10008.5.1.4.1.1." + end for end in (b"11.", b"66.", b"88.", b"104.", b"481."))
#: (0002,0002) with its type as it is in every file (PS3.10, 7.1), within so many bytes.
_STORAGE_CLASS, _META_BYTES = b"\x02\x00\x02\x00UI", 1024
_PREAMBLE, _MAGIC = 128, b"DICM"


@dataclass(frozen=True)
class _Series:
    files: tuple[str, ...]
    description: str
    modality: str

    def __str__(self) -> str:
        return f"'{self.description}' ({self.modality}, {len(self.files)} slices)"


def read_dicom_folder(folder: str | Path) -> sitk.Image:
    """Read the one image series in `folder` (not in its subfolders); rescale slope and intercept are
    applied.

    Raises InputError, one line, where there is no image series, more than one (they are listed), or one
    whose slices do not make an even stack: missing or repeated slices, other orientations or sizes, a
    tilted gantry.
    """
    folder = Path(folder)
    files = series_files(folder)
    if len(files) == 1:
        return read_dicom_file(files[0])
    with quiet_itk():
        return _read_stack(folder, files)


def read_dicom_file(path: str | Path) -> sitk.Image:
    """Read a DICOM file of many frames; raises InputError as `read_multiframe` does, and for one of a single frame."""
    try:
        with quiet_itk():
            frames = tag_text(str(path), _FRAMES)
    except RuntimeError:
        frames = ""  # read_image tells what is wrong
    return read_multiframe(path) if frames.isdecimal() and int(frames) > 1 else read_image(path)


def is_dicom(path: str | Path) -> bool:
    """Whether a file begins as DICOM files do (PS3.10: DICM after 128 bytes)."""
    path = Path(path)
    if not path.is_file():
        return False
    with path.open("rb") as file:
        return file.read(_PREAMBLE + len(_MAGIC))[_PREAMBLE:] == _MAGIC


def is_of_image(path: str | Path) -> bool:
    """Whether a DICOM file's storage class is not one of structure sets, segmentations, reports and the like."""
    with Path(path).open("rb") as file:
        start = file.read(_META_BYTES)
    _, _, found = start.partition(_STORAGE_CLASS)  # its length in 2 bytes, and the identifier
    return not found[2 : 2 + int.from_bytes(found[:2], "little")].startswith(_NOT_IMAGE_CLASSES)


def series_files(folder: str | Path) -> tuple[str, ...]:
    """Files of the one image series in `folder`, in the order of their positions; raises InputError where there is
    none or more than one (they are listed).
    """
    folder = Path(folder)
    with quiet_itk():
        series = _image_series(folder)
    if len(series) > 1:
        found = "; ".join(map(str, series))
        raise InputError(f"{folder} holds {len(series)} DICOM series; give a folder with one of them: {found}")
    return series[0].files


def _image_series(folder: Path) -> list[_Series]:
    import SimpleITK as sitk

    try:
        identifiers = sitk.ImageSeriesReader.GetGDCMSeriesIDs(str(folder))
        found = [_describe(sitk.ImageSeriesReader.GetGDCMSeriesFileNames(str(folder), uid)) for uid in identifiers]
    except RuntimeError as error:
        raise InputError(
            f"{folder} holds DICOM files that cannot be read; give a folder with one image series"
        ) from error
    images = [series for series in found if series.modality not in _NOT_IMAGES]
    if not images:
        others = f" (only {', '.join(sorted({series.modality for series in found}))})" if found else ""
        raise InputError(f"{folder} holds no DICOM image series{others}; give the folder with its slices")
    return images


def _describe(files: tuple[str, ...]) -> _Series:
    description, modality = tag_text(files[0], _DESCRIPTION), tag_text(files[0], _MODALITY)
    return _Series(files=files, description=description or "no description", modality=modality or "no modality")


def tag_text(file: str, key: str) -> str:
    """Text of a DICOM tag; empty where it is absent."""
    import SimpleITK as sitk

    header = sitk.ImageFileReader()
    header.SetFileName(file)
    header.ReadImageInformation()
    return str(header.GetMetaData(key)).strip(" \0") if header.HasMetaDataKey(key) else ""


def _read_stack(folder: Path, files: tuple[str, ...]) -> sitk.Image:
    import SimpleITK as sitk

    first = sitk.ImageFileReader()
    first.SetFileName(files[0])
    first.ReadImageInformation()
    if first.GetNumberOfComponents() > 1:
        raise InputError(f"{folder} holds colour images; only volumes with one value per voxel are supported")
    refuse_too_large(folder, first.GetPixelID(), math.prod(first.GetSize()) * len(files))
    reader = sitk.ImageSeriesReader()
    reader.SetFileNames(files)
    reader.SetOutputPixelType(kept_pixel_type(first.GetPixelID()))
    reader.MetaDataDictionaryArrayUpdateOn()
    try:
        image = reader.Execute()
        if _rescaling_varies(reader, len(files)):  # PET: whole numbers on the first slice, fractions on others
            reader.SetOutputPixelType(sitk.sitkFloat32)
            image = reader.Execute()
    except (RuntimeError, MemoryError) as error:
        raise InputError(f"{folder}: its slices differ in size, or one is truncated or damaged") from error
    stack = Stack(
        names=tuple(Path(file).name for file in files),
        positions=_numbers(folder, files, reader, _POSITION),
        orientations=_numbers(folder, files, reader, _ORIENTATION),
        pixel=max(image.GetSpacing()[:2]),
    )
    refuse_uneven(folder, stack)
    return image


def _rescaling_varies(reader: sitk.ImageSeriesReader, slices: int) -> bool:
    keys = [key for key in _RESCALING if reader.HasMetaDataKey(0, key)]
    return any(len({reader.GetMetaData(n, key) for n in range(slices)}) > 1 for key in keys)


def _numbers(folder: Path, files: tuple[str, ...], reader: sitk.ImageSeriesReader, key: str) -> np.ndarray:
    """The decimal strings of a DICOM tag of every slice, as an array (slices, values)."""
    try:
        return np.array([[float(text) for text in reader.GetMetaData(n, key).split("\\")] for n in range(len(files))])
    except (RuntimeError, ValueError) as error:
        raise InputError(
            f"{folder}: slices without position or orientation; they cannot be stacked to a volume"
        ) from error
