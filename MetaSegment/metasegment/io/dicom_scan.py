"""The one image series in a folder: which files make its stack, and which are left out and why. Reads headers alone."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from ..errors import InputError
from .dicom_file import CONTENTS, damaged_as, dataset_of, header_and_rest, is_dicom, quiet_pydicom
from .dicom_stack import Stack, refuse_uneven

if TYPE_CHECKING:
    from pydicom import Dataset

_TAGS = (
    "SOPClassUID",
    "SOPInstanceUID",
    "ImageType",
    "Modality",
    "SeriesDescription",
    "SeriesInstanceUID",
    "FrameOfReferenceUID",
    "NumberOfFrames",
    "ImagePositionPatient",
    "ImageOrientationPatient",
    "PixelSpacing",
    "SamplesPerPixel",
    "PhotometricInterpretation",
    "Rows",
    "Columns",
    "RescaleIntercept",
    "RescaleSlope",
)
#: Modalities of objects that lie beside images, some with pixels of their own.
NOT_IMAGES = frozenset({"SEG", "RTSTRUCT", "RTPLAN", "RTDOSE", "SR", "PR", "KO", "REG"})
_SUFFIX = ".dcm"
_FEW = 0.1  # of a series: strangers in it are left out, more of them make it no stack
_FEWEST = 3  # slices that a stack has beside strangers
_SAME_PLACE = 0.01  # mm
_DECIMALS = 2  # of directions that count as the same
_NAMED = 3  # files in a note


@dataclass(frozen=True, eq=False)
class Slice:
    """A file and those of its header's tags that place it."""

    path: Path
    header: Dataset
    bytes_after: int  # its pixels

    @property
    def frames(self) -> int:
        return int(self.header.get("NumberOfFrames") or 1)


@dataclass(frozen=True, eq=False)
class Series:
    """Slices in the order of their positions, or the one file of many frames; `notes` tell what was left out."""

    slices: tuple[Slice, ...]
    notes: tuple[str, ...] = ()

    @property
    def has_many_frames(self) -> bool:
        return len(self.slices) == 1 and self.slices[0].frames > 1


def find_series(folder: str | Path) -> Series:
    """Finds the one image series in `folder`, else in its subfolders, or on the disc whose DICOMDIR is given.

    Copies of slices and a few strangers (a localiser, a report) are left out. Raises InputError, one line, where there
    is no image series, more than one (they are listed), or one whose slices do not make an even stack.
    """
    folder = Path(folder)
    folder = folder.parent if folder.is_file() else folder
    with quiet_pydicom(), damaged_as(f"{folder}: headers of its slices are damaged"):
        found, others = _images(folder.iterdir())
        if not found:
            found, deeper = _images(sorted(folder.rglob("*")))
            others |= deeper
        if not found:
            only = f" (only {', '.join(sorted(others))})" if others else ""
            raise InputError(f"{folder} holds no DICOM image series{only}; give the folder with its slices")
        series = _by_series(found)
        if len(series) > 1:
            listed = "; ".join(sorted(_in_words(files) for files in series))
            raise InputError(f"{folder} holds {len(series)} DICOM series; give a folder with one of them: {listed}")
        return _stacked(folder, series[0])


def _images(paths: Iterable[Path]) -> tuple[list[Slice], set[str]]:
    """Files with an image, and the modalities of other DICOM files."""
    found, others = [], set()
    for path in sorted(paths):
        if path.suffix.lower() == _SUFFIX and path.is_file() and not path.stat().st_size:
            raise InputError(f"{path} is empty (0 bytes); replace it or take it away")
        if path.name.startswith(".") or path.name.upper() == CONTENTS or not is_dicom(path):
            continue
        sentence = f"{path} cannot be read: it is truncated or damaged; replace it or take it away"
        try:
            with damaged_as(sentence):
                header, rest = header_and_rest(path, _TAGS)
                list(header)  # reads the values of all of them
        except InputError:
            raise InputError(sentence) from None
        modality = str(header.get("Modality") or "no modality")
        if modality not in NOT_IMAGES and rest < 0:
            raise InputError(sentence)
        if modality in NOT_IMAGES or not header.get("Rows"):
            others.add(modality)
        else:
            found.append(Slice(path, header, rest))
    return found, others


def _by_series(found: Sequence[Slice]) -> list[list[Slice]]:
    series: dict[str, list[Slice]] = {}
    for one in found:
        series.setdefault(str(one.header.get("SeriesInstanceUID") or ""), []).append(one)
    return list(series.values())


def _in_words(files: Sequence[Slice]) -> str:
    first = files[0].header
    description = str(first.get("SeriesDescription") or "").strip() or "no description"
    modality = str(first.get("Modality") or "").strip() or "no modality"
    return f"'{description}' ({modality}, {len(files)} slices)"


def _stacked(folder: Path, files: list[Slice]) -> Series:
    if any(one.frames > 1 for one in files):
        if len(files) > 1:
            raise InputError(f"{folder} holds {len(files)} files, some of many frames; give a folder with one of them")
        return Series((files[0],))
    if len(files) == 1:
        raise InputError(f"{folder} holds a single slice, which cannot be segmented in 3D; give all slices of a series")
    kept, notes = _without_strangers(folder, files)
    if int(kept[0].header.get("SamplesPerPixel") or 1) > 1:
        raise InputError(f"{folder} holds colour images; only volumes with one value per voxel are supported")
    _refuse_without_place(folder, kept)
    kept, copies = _without_copies(_in_order(kept))
    try:
        refuse_uneven(folder, stack_of(kept))
    except InputError as error:  # what was left out may be what is missing
        raise InputError("; ".join((str(error), *notes))) from None
    return Series(tuple(kept), (*notes, *copies))


def _without_strangers(folder: Path, files: list[Slice]) -> tuple[list[Slice], tuple[str, ...]]:
    """Those that lie as most do, and a note that names the others."""
    kinds = Counter(_kind(one) for one in files)
    usual = kinds.most_common(1)[0][0]
    kept = [one for one in files if _kind(one) == usual]
    strangers = [one for one in files if _kind(one) != usual]
    if not strangers:
        return kept, ()
    all_told = all("LOCALIZER" in (one.header.get("ImageType") or ()) for one in strangers)
    if len(kept) < _FEWEST or (len(strangers) > max(1, _FEW * len(files)) and not all_told):
        raise InputError(f"{folder}: {_difference(strangers[0], kept[0])}; give a folder with one stack of slices")
    named = ", ".join(one.path.name for one in strangers[:_NAMED])
    more = f" and {len(strangers) - _NAMED} more" if len(strangers) > _NAMED else ""
    reason = _difference(strangers[0], kept[0])
    return kept, (f"{named}{more} left out of the {len(files)} files: {reason}",)


def _kind(one: Slice) -> tuple[object, ...]:
    header = one.header
    orientation = _values(header, "ImageOrientationPatient", 6)
    has_position = _values(header, "ImagePositionPatient", 3) is not None
    directions = None if orientation is None else tuple(np.round(orientation, _DECIMALS) + 0.0)
    return header.get("Rows"), header.get("Columns"), int(header.get("SamplesPerPixel") or 1), directions, has_position


def _difference(stranger: Slice, usual: Slice) -> str:
    if "LOCALIZER" in (stranger.header.get("ImageType") or ()):
        return f"{stranger.path.name} is a localiser"
    mine, other = _kind(stranger), _kind(usual)
    if mine[3] is None or not mine[4]:
        return f"{stranger.path.name} has no position or orientation; such slices cannot be stacked to a volume"
    if mine[3] != other[3]:
        return f"its slices have different orientations ({stranger.path.name} and {usual.path.name})"
    if mine[2] != other[2]:
        return f"{stranger.path.name} is a colour image"
    return f"its slices differ in size ({stranger.path.name} and {usual.path.name})"


def _refuse_without_place(folder: Path, files: Sequence[Slice]) -> None:
    for one in files:
        if _values(one.header, "ImagePositionPatient", 3) is None or _kind(one)[3] is None:
            raise InputError(f"{folder}: slices without position or orientation; they cannot be stacked to a volume")
        spacing = _values(one.header, "PixelSpacing", 2)
        if spacing is None or not (spacing > 0).all():
            raise InputError(
                f"{folder}: {one.path.name} does not tell the size of its pixels: PixelSpacing is not two numbers "
                "above 0"
            )
    spacings = np.array([one.header.PixelSpacing for one in files], float)
    if (np.abs(spacings - spacings[0]) > 1e-3 * spacings[0]).any():
        raise InputError(f"{folder}: its slices differ in the size of their pixels; give a folder with one stack")


def _values(header: Dataset, keyword: str, count: int) -> np.ndarray | None:
    try:
        values = np.array([float(part) for part in header.get(keyword) or ()])
    except (TypeError, ValueError):
        return None
    return values if len(values) == count and np.isfinite(values).all() else None


def stack_of(files: Sequence[Slice]) -> Stack:
    """Tells where the slices lie."""
    return Stack(
        names=tuple(one.path.name for one in files),
        positions=np.array([one.header.ImagePositionPatient for one in files], float),
        orientations=np.array([one.header.ImageOrientationPatient for one in files], float),
        pixel=max(map(float, files[0].header.PixelSpacing)),
    )


def _in_order(files: list[Slice]) -> list[Slice]:
    stack = stack_of(files)
    order = np.argsort(stack.positions @ stack.normal, kind="stable")
    return [files[n] for n in order.tolist()]


def _without_copies(files: list[Slice]) -> tuple[list[Slice], tuple[str, ...]]:
    """One of each pair at one place with the same pixels; others stay, and are refused as no even stack."""
    kept, copies = [files[0]], []
    for before, one in pairwise(files):
        if _is_copy(before, one):
            copies.append(one)
        else:
            kept.append(one)
    if not copies:
        return files, ()
    named = ", ".join(one.path.name for one in copies[:_NAMED])
    more = f" and {len(copies) - _NAMED} more" if len(copies) > _NAMED else ""
    return kept, (f"{named}{more} left out: copies of slices beside them",)


def _is_copy(one: Slice, other: Slice) -> bool:
    a, b = (np.array(each.header.ImagePositionPatient, float) for each in (one, other))
    if np.abs(a - b).max() > _SAME_PLACE:
        return False
    first, second = (dataset_of(each.path).get("PixelData") for each in (one, other))
    return first is not None and first == second
