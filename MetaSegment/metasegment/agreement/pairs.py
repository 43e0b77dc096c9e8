"""Which files of two folders are of the same study, and how well each structure in them agrees."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ..errors import InputError
from ..export import Structures, read_structures
from ..io.dicom_file import is_dicom
from ..io.image_file import WRITABLE
from ..measures.dice import dice
from ..measures.surface import surface_dice

#: Millimetres within which surfaces count as the same.
TOLERANCE_MM = 2.0
_SUFFIXES = (".seg.nrrd", *WRITABLE, ".dcm")


@dataclass(frozen=True)
class Agreed:
    """One structure in one study, by both readers: Dice, normalised surface distance (both 0…1) and volumes.

    Where one of them has not drawn it, both measures are 0.
    """

    study: str
    structure: str
    dice: float
    nsd: float
    volume_a_ml: float
    volume_b_ml: float


def pairs_in(folder_a: Path, folder_b: Path) -> list[tuple[str, Path, Path]]:
    """Study, file in the one and file in the other folder, by file name without suffix.

    Raises InputError where a folder is none, or no file of one has its like in the other.
    """
    found = [_segmentations(folder) for folder in (folder_a, folder_b)]
    both = sorted(found[0].keys() & found[1].keys())
    if not both:
        raise InputError(
            f"{folder_a} and {folder_b} have no segmentation of the same name: call both readers' files as the study"
        )
    return [(name, found[0][name], found[1][name]) for name in both]


def unpaired(folder_a: Path, folder_b: Path) -> tuple[str, ...]:
    """Sentences on files that only one of the readers has."""
    a, b = (_segmentations(folder) for folder in (folder_a, folder_b))
    return tuple(
        f"{folder} alone has {name}"
        for folder, one, other in ((folder_a, a, b), (folder_b, b, a))
        for name in sorted(one.keys() - other.keys())
    )


def agreed_on(study: str, path_a: Path, path_b: Path) -> Iterator[Agreed]:
    """Compare the structures of two files, by name; the second is put on the grid of the first.

    Raises InputError as `read_structures` does.
    """
    a = read_structures(path_a)
    b = read_structures(path_b, a.geometry)
    named = [{segment.name: segment.label for segment in one.drawn()} for one in (a, b)]
    voxel_ml = float(np.prod(a.geometry.spacing)) / 1000
    for name in sorted(named[0].keys() | named[1].keys()):
        one, other = (_mask(found, labels.get(name)) for found, labels in zip((a, b), named, strict=True))
        yield Agreed(
            study=study,
            structure=name,
            dice=dice(one, other),
            nsd=surface_dice(one, other, a.geometry.spacing_kji, TOLERANCE_MM),
            volume_a_ml=float(one.sum()) * voxel_ml,
            volume_b_ml=float(other.sum()) * voxel_ml,
        )


def _mask(found: Structures, label: int | None) -> np.ndarray:
    mask: np.ndarray = np.zeros(found.labels.shape, bool) if label is None else found.mask(label)
    return mask


def _segmentations(folder: Path) -> dict[str, Path]:
    if not folder.is_dir():
        raise InputError(f"{folder} is no folder: give one for each reader, with a segmentation for each study")
    found: dict[str, Path] = {}
    for path in sorted(path for path in folder.iterdir() if path.is_file() and not path.name.startswith(".")):
        suffix = next((s for s in _SUFFIXES if path.name.lower().endswith(s)), None)
        if suffix is None and not is_dicom(path):
            continue
        name = path.name[: -len(suffix)] if suffix else path.name
        if name in found:
            raise InputError(f"{folder} has two files of {name}: {found[name].name} and {path.name}; keep one")
        found[name] = path
    return found
