"""Which images a cohort is made of, and what each case is called: from a folder or a list. Reads no voxel."""

from __future__ import annotations

import csv
import hashlib
import os
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path

from ..errors import InputError
from ..io.dicom_file import is_dicom, is_of_image
from ..io.image_file import WRITABLE
from ..io.table import read_rows
from ..io.volume_file import frames_in

#: What a cohort can be made of, for those who ask for help.
SOURCE = "a folder of images or DICOM series, a sequence (4D), or a text file of lines IMAGE[,ANNOTATION]"
#: Files that can be images; MHD is read but not written.
_IMAGES = (*WRITABLE, ".mhd")
#: What segmentations are called, among them the results of an earlier run.
_SEGMENTATION = ".seg.nrrd"
_LISTS = (".txt", ".csv")
#: Of a folder that holds one case: its image is called so, and other files beside it are labels and the like.
_IMAGE = "image"
#: The table of contents of a disc; a DICOM file without an image.
_CONTENTS = "DICOMDIR"
#: A case whose path has no character that a file name may have.
_NAMELESS = "case"
#: Characters of a case's name: with suffixes and another alphabet still below the 255 bytes that file systems allow.
_LONGEST = 80
_HASH = 8


@dataclass(frozen=True)
class Study:
    """An image (a file, or a folder with one DICOM series) and, if some of it is annotated, its label file.

    `case` is a file name without suffix: the same in every run, no two alike even where case does not count. `frame`,
    from 0, says which volume of a sequence is meant.
    """

    case: str
    image: Path
    annotation: Path | None = None
    frame: int | None = None


def is_cohort(path: Path) -> bool:
    """Whether a path is a list of images, a sequence, or a folder that is not itself one DICOM image."""
    if path.is_dir():
        return not _dicom_in(path.iterdir())
    return path.suffix.lower() in _LISTS or frames_in(path) > 1


def find_studies(source: Path) -> tuple[Study, ...]:
    """The studies of a folder, of a sequence, or of a list of lines IMAGE[,ANNOTATION] relative to the list's folder.

    In a folder, at any depth, `image.*` stands for the folder it lies in. Of files no more than headers are read; one
    that is no good is a case nevertheless. Raises InputError where there is nothing, and for a list that cannot be read
    or names an image twice.
    """
    source = source.absolute()
    if source.suffix.lower() in _LISTS and not source.is_dir():
        found = _listed(source)
    else:
        images = _images_below(source, set()) if source.is_dir() else (source,)
        found = [(image, None) for image in images]
    if not found:
        raise InputError(f"no image in {source}: give {SOURCE}; images are {', '.join(_IMAGES)}")
    root = source if source.is_dir() else source.parent
    names = study_names([_handle(image, root) for image, _ in found])
    studies = (Study(name, *paths) for name, paths in zip(names, found, strict=True))
    return tuple(frame for study in studies for frame in _frames(study))


def _frames(study: Study) -> Iterator[Study]:
    """The volumes of a sequence, each a study; what is annotated is so on the first. A single volume is itself."""
    frames = frames_in(study.image)
    if frames == 1:
        yield study
        return
    for frame in range(frames):
        case = f"{study.case}@{frame:03d}"  # no file's own name: those have no such sign
        yield replace(study, case=case, annotation=None if frame else study.annotation, frame=frame)


def _listed(source: Path) -> list[tuple[Path, Path | None]]:
    try:
        lines = read_rows(source)
    except (OSError, ValueError, csv.Error):
        raise InputError(f"cannot read {source}: give a folder, or a text file of lines IMAGE[,ANNOTATION]") from None
    found: dict[Path, Path | None] = {}
    for number, (image, *rest) in enumerate(lines, 1):
        if not image or image.startswith("#") or (number == 1 and image.lower() == _IMAGE):
            continue
        path = source.parent / image
        if path in found:
            raise InputError(f"{source} names {image} twice; remove one of the lines")
        if len(rest) > 1:
            raise InputError(
                f"{source}: the line of {image} has {1 + len(rest)} fields; allowed are IMAGE[,ANNOTATION]"
            )
        found[path] = source.parent / rest[0] if rest and rest[0] else None
    return list(found.items())


def _images_below(folder: Path, seen: set[Path]) -> Iterator[Path]:
    """Images in the order of their names; links are followed, but no folder is entered twice."""
    if folder.resolve() in seen:
        return
    seen.add(folder.resolve())
    try:
        children = sorted(path for path in folder.iterdir() if not path.name.startswith("."))
    except OSError:
        return
    files = [path for path in children if path.is_file() and not path.name.lower().endswith(_SEGMENTATION)]
    images = [path for path in files if path.name.lower().endswith(_IMAGES)]
    if own := [path for path in images if _stem(path.name) == _IMAGE]:
        yield own[0]
    elif dicom := _dicom_in(files):
        if is_of_image(dicom[0]):
            yield folder
    else:
        yield from images
    for child in children:
        if child.is_dir():
            yield from _images_below(child, seen)


def _dicom_in(files: Iterable[Path]) -> list[Path]:
    """The first DICOM file in a list of one or none; a disc's table of contents is not one of an image."""
    return list(islice((path for path in files if path.name.upper() != _CONTENTS and is_dicom(path)), 1))


def _handle(image: Path, root: Path) -> Path:
    """What the user knows an image by: its path below the root, else all of it."""
    return image.relative_to(root) if image.is_relative_to(root) else image.relative_to(image.anchor)


def study_names(handles: Sequence[Path]) -> list[str]:
    """Names that all file systems take; where two would be the same, each gets a hash of its own path."""
    plain = [re.sub(r"[^\w.-]+", "_", "_".join(_words(handle))).strip("._") or _NAMELESS for handle in handles]
    uses = Counter(name.casefold() for name in plain)
    return [
        name if uses[name.casefold()] == 1 and len(name) <= _LONGEST else f"{name[:_LONGEST]}-{_hash(handle)}"
        for name, handle in zip(plain, handles, strict=True)
    ]


def _words(handle: Path) -> tuple[str, ...]:
    """Folders and name without suffix; `image.*` adds nothing to the folder it lies in."""
    *folders, name = handle.parts
    stem = _stem(name)
    return (*folders,) if folders and stem == _IMAGE else (*folders, stem)


def _stem(name: str) -> str:
    suffix = next((s for s in _IMAGES if name.lower().endswith(s)), "")
    return name[: len(name) - len(suffix)]


def _hash(handle: Path) -> str:
    return hashlib.sha256(os.fsencode(handle.as_posix())).hexdigest()[:_HASH]
