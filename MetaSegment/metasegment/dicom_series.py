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

from .errors import InputError
from .image_file import kept_pixel_type, quiet_itk, read_image, refuse_too_large

if TYPE_CHECKING:
    import SimpleITK as sitk

_DESCRIPTION, _MODALITY = "0008|103e", "0008|0060"
_POSITION, _ORIENTATION = "0020|0032", "0020|0037"
_NOT_IMAGES = frozenset({"SEG", "RTSTRUCT", "RTPLAN", "RTDOSE", "SR", "PR", "KO", "REG"})
# Scanners round positions to about 0.01 mm; a missing slice changes a distance by 100 %.
_UNEVEN = 0.1  # of the usual distance between slices
_TILT = 0.5  # pixels that a slice may be shifted sideways against its neighbour before the grid is sheared
_SAME_DIRECTION = 1e-3


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
    with quiet_itk():
        series = _image_series(folder)
        if len(series) > 1:
            found = "; ".join(map(str, series))
            raise InputError(f"{folder} holds {len(series)} DICOM series; give a folder with one of them: {found}")
        files = series[0].files
        return read_image(files[0]) if len(files) == 1 else _read_stack(folder, files)


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
    import SimpleITK as sitk

    header = sitk.ImageFileReader()
    header.SetFileName(files[0])
    header.ReadImageInformation()
    texts = [header.GetMetaData(key).strip() if header.HasMetaDataKey(key) else "" for key in (_DESCRIPTION, _MODALITY)]
    return _Series(files=files, description=texts[0] or "no description", modality=texts[1] or "no modality")


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
    except (RuntimeError, MemoryError) as error:
        raise InputError(f"{folder}: its slices differ in size, or one is truncated or damaged") from error
    _refuse_uneven_stack(folder, files, reader, max(image.GetSpacing()[:2]))
    return image


def _refuse_uneven_stack(folder: Path, files: tuple[str, ...], reader: sitk.ImageSeriesReader, pixel: float) -> None:
    positions = _numbers(folder, files, reader, _POSITION)
    orientations = _numbers(folder, files, reader, _ORIENTATION)
    if np.abs(orientations - orientations[0]).max() > _SAME_DIRECTION:
        raise InputError(f"{folder}: its slices have different orientations; give a folder with one stack of slices")
    normal = np.cross(orientations[0, :3], orientations[0, 3:])
    steps = np.diff(positions, axis=0)
    distances = np.abs(steps @ normal)
    usual = float(np.median(distances))
    worst = int(np.abs(distances - usual).argmax())
    if abs(distances[worst] - usual) > _UNEVEN * usual or usual == 0:
        names = [Path(file).name for file in files[worst : worst + 2]]
        kind = "slices are missing" if distances[worst] > usual else "slices are repeated or too close"
        raise InputError(
            f"{folder}: {kind}: {distances[worst]:.2f} mm between {names[0]} and {names[1]} (slice "
            f"{worst + 1} of {len(files)}), {usual:.2f} mm elsewhere; give one image per position"
        )
    sideways = np.linalg.norm(steps - np.outer(steps @ normal, normal), axis=1).max()
    if sideways > _TILT * pixel:
        raise InputError(
            f"{folder}: the slices are shifted against each other (tilted gantry); resample the series first"
        )


def _numbers(folder: Path, files: tuple[str, ...], reader: sitk.ImageSeriesReader, key: str) -> np.ndarray:
    """The decimal strings of a DICOM tag of every slice, as an array (slices, values)."""
    try:
        return np.array([[float(text) for text in reader.GetMetaData(n, key).split("\\")] for n in range(len(files))])
    except (RuntimeError, ValueError) as error:
        raise InputError(
            f"{folder}: slices without position or orientation; they cannot be stacked to a volume"
        ) from error
