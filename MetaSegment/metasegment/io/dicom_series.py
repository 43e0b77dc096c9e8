"""A folder with one DICOM image series to one volume: slices by their headers (pydicom), pixels by ITK and GDCM.

Does not choose between several series, and does not read segmentations, structure sets or other non-image objects.
"""

from __future__ import annotations

import math
import tempfile
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from ..errors import InputError
from ..volume import Geometry, Volume
from .dicom_file import CONTENTS, IMAGE_CLASSES, damaged_as, dataset_of, header_of, quiet_pydicom
from .dicom_multiframe import read_multiframe
from .dicom_scan import NOT_IMAGES, Series, Slice, find_series, stack_of
from .image_file import kept_pixel_type, quiet_itk, refuse_too_large

if TYPE_CHECKING:
    pass

_RESCALING = ("RescaleSlope", "RescaleIntercept")
_NONE = (1.0, 0.0)
#: Transfer syntaxes whose pixels are as they are: implicit, explicit, deflated, big endian (PS3.5, A).
_PLAIN = tuple(f"1.2.840.10008.1.2{end}" for end in ("", ".1", ".1.99", ".2"))


@dataclass(frozen=True)
class _Rescaling:
    """Slope and intercept of each slice, and the number of slices that did not tell and got those of the others."""

    values: tuple[tuple[float, float], ...]
    guessed: frozenset[int]

    @property
    def varies(self) -> bool:
        return len(set(self.values)) > 1


@quiet_pydicom()
def read_dicom_folder(folder: str | Path) -> Volume:
    """Read the one image series in `folder`, as `find_series` finds it; rescale slope and intercept are applied.

    Raises InputError, one line, as `find_series` does, and for slices that are damaged or packed in a way that nothing
    here unpacks.
    """
    folder = Path(folder)
    series = find_series(folder)
    if series.has_many_frames:
        return read_multiframe(series.slices[0].path)
    with damaged_as(f"{folder}: its slices are damaged"):
        return _read_stack(folder, series)


@quiet_pydicom()
def read_dicom_file(path: str | Path) -> Volume:
    """Read a DICOM file of many frames, or the disc whose DICOMDIR is given; raises InputError for a single slice."""
    path = Path(path)
    if path.name.upper() == CONTENTS:
        return read_dicom_folder(path.parent)
    sentence = f"{path} is not a readable image: damaged or truncated DICOM"
    try:
        with damaged_as(sentence):
            header = header_of(path)
            frames, modality = int(header.get("NumberOfFrames") or 1), header.get("Modality") or "unknown modality"
            has_image = bool(header.get("Rows"))
    except InputError:
        raise InputError(sentence) from None
    if not has_image or modality in NOT_IMAGES:
        raise InputError(f"{path} is a DICOM object that is no image ({modality}); give the folder of a series")
    if frames > 1:
        return read_multiframe(path)
    raise InputError(
        f"{path} is one slice, one voxel thick, and cannot be segmented in 3D; give the folder of its DICOM series"
    )


def series_files(folder: str | Path) -> tuple[str, ...]:
    """Files of the one image series in `folder`, in the order of their positions; InputError as `find_series`."""
    return tuple(str(one.path) for one in find_series(folder).slices)


def _read_stack(folder: Path, series: Series) -> Volume:
    import SimpleITK as sitk

    rescaling = _rescaling(folder, series.slices)
    with quiet_itk(), ExitStack() as stack:
        files = _readable_files(series.slices, rescaling, stack)
        try:
            first = sitk.ImageFileReader()
            first.SetFileName(files[0])
            first.ReadImageInformation()
            refuse_too_large(folder, first.GetPixelID(), math.prod(first.GetSize()) * len(files))
            kept = kept_pixel_type(first.GetPixelID())
            # PET: whole numbers on the first slice, fractions on others.
            array = _pixels(files, sitk.sitkFloat32 if rescaling.varies else kept)
        except (RuntimeError, MemoryError) as error:
            raise InputError(f"{folder}: {_why_unreadable(series.slices)}") from error
    notes = series.notes
    if rescaling.guessed:
        named = ", ".join(series.slices[n].path.name for n in sorted(rescaling.guessed)[:3])
        notes += (f"{named}: no rescaling told for {len(rescaling.guessed)} slices, taken from the others",)
    return Volume(array, _geometry(series.slices), notes)


def _pixels(files: Sequence[str], pixel_type: int) -> np.ndarray:
    import SimpleITK as sitk

    reader = sitk.ImageSeriesReader()
    reader.SetFileNames(files)
    reader.SetOutputPixelType(pixel_type)
    return sitk.GetArrayFromImage(reader.Execute())


def _geometry(slices: Sequence[Slice]) -> Geometry:
    stack, header = stack_of(slices), slices[0].header
    rows, columns = (float(step) for step in header.PixelSpacing)
    normal = stack.normal / np.linalg.norm(stack.normal)
    along = (stack.positions - stack.positions[0]) @ normal
    row, column = stack.orientations[0, :3], stack.orientations[0, 3:]
    axes = np.stack([row / np.linalg.norm(row), column / np.linalg.norm(column), normal], axis=1)
    x, y, z = stack.positions[0].tolist()
    return Geometry(
        size=(int(header.Columns), int(header.Rows), len(slices)),
        spacing=(columns, rows, float(along[-1]) / (len(slices) - 1)),
        origin=(x, y, z),
        direction=tuple(axes.ravel().tolist()),
    )


def _rescaling(folder: Path, slices: Sequence[Slice]) -> _Rescaling:
    told = [tuple(_number(one, keyword) for keyword in _RESCALING) for one in slices]
    known = {pair for pair in told if None not in pair}
    absent = frozenset(n for n, pair in enumerate(told) if None in pair)
    if absent and len(known) > 1:
        name = slices[min(absent)].path.name
        raise InputError(f"{folder}: {name} does not tell its rescale slope and intercept, which others have")
    usual = next(iter(known)) if known else _NONE
    values = tuple((pair if None not in pair else usual) for pair in told)
    return _Rescaling(values, absent if known and usual != _NONE else frozenset())  # type: ignore[arg-type]


def _number(one: Slice, keyword: str) -> float | None:
    try:
        return float(one.header.get(keyword))
    except (TypeError, ValueError):
        return None


def _readable_files(slices: Sequence[Slice], rescaling: _Rescaling, stack: ExitStack) -> list[str]:
    """The slices' files, or mended copies where GDCM would misread them: it inverts MONOCHROME1, which is how to show
    values and not what they are, knows no class of image that anonymisers made up, and takes what follows the pixels
    for an element of any length.
    """
    files: list[str] = []
    folder: Path | None = None
    for n, one in enumerate(slices):
        is_inverted = one.header.get("PhotometricInterpretation") == "MONOCHROME1"
        if not (is_inverted or n in rescaling.guessed or one.bytes_after or not _has_known_class(one)):
            files.append(str(one.path))
            continue
        if folder is None:
            folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="metasegment-")))
        files.append(_mended(one, rescaling.values[n], folder / f"{n}.dcm"))
    return files


def _has_known_class(one: Slice) -> bool:
    return str(one.header.get("SOPClassUID") or "").startswith(IMAGE_CLASSES)


def _mended(one: Slice, rescaling: tuple[float, float], path: Path) -> str:
    with quiet_pydicom():
        from pydicom.uid import CTImageStorage

        path.write_bytes(one.path.read_bytes()[: -one.bytes_after or None])
        dataset = dataset_of(path)
        dataset.PhotometricInterpretation = "MONOCHROME2"
        dataset.RescaleSlope, dataset.RescaleIntercept = (f"{value:.10g}" for value in rescaling)
        if not _has_known_class(one):
            dataset.SOPClassUID = dataset.file_meta.MediaStorageSOPClassUID = CTImageStorage
        dataset.save_as(path)
    return str(path)


def _why_unreadable(slices: Sequence[Slice]) -> str:
    """The slice that cannot be read, and whether it is packed in a way that GDCM does not know."""
    import SimpleITK as sitk

    for one in slices:
        try:
            sitk.ReadImage(str(one.path))
        except RuntimeError:
            syntax = header_of(one.path).file_meta.TransferSyntaxUID
            if syntax not in _PLAIN:
                return (
                    f"{one.path.name} cannot be read: damaged, or its compression ({syntax.name}) is not known here; "
                    "decompress the series first"
                )
            return f"{one.path.name} is truncated or damaged"
    return "its slices differ in type, or one is truncated or damaged"


def read_frame_of_reference(folder: str | Path) -> str | None:
    """Identifier of the coordinate system of the series in `folder`; None where it has none."""
    return str(find_series(folder).slices[0].header.get("FrameOfReferenceUID") or "") or None
