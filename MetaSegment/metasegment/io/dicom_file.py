"""Single DICOM files: whether a file is one, and its header by pydicom. Looks at no pixel."""

from __future__ import annotations

import importlib.util
import logging
import re
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

from ..errors import InputError

if TYPE_CHECKING:
    from pydicom import Dataset

_PREAMBLE, _MAGIC = 128, b"DICM"
# Old files begin with their first element: group 0002 or 0008, an element of it, and a type or a short length.
_FIRST_ELEMENT = re.compile(rb"[\x02\x08]\x00[\x00-\x70]\x00(?:[A-Z]{2}|[\x00-\xff]\x00\x00\x00)", re.DOTALL)
#: Of storage classes without an image (PS3.4, B.5): presentation states, segmentations and registrations, reports,
#: documents, and radiotherapy.
_NOT_IMAGE_CLASSES = tuple(b"1.2.840.10008.5.1.4.1.1." + end for end in (b"11.", b"66.", b"88.", b"104.", b"481."))
#: How the identifiers of storage classes begin.
IMAGE_CLASSES = "1.2.840.10008.5.1.4.1.1."
#: (0002,0002) with its type as it is in every file (PS3.10, 7.1), within so many bytes.
_STORAGE_CLASS, _META_BYTES = b"\x02\x00\x02\x00UI", 1024
#: Of a file that ends too early, or holds what is none of DICOM.
CUT = "the DICOM file cannot be read: it is truncated or damaged"
#: (7FE0,0010) in little endian, and a length that is told by what is in it.
_PIXELS, _UNDEFINED = b"\xe0\x7f\x10\x00", 0xFFFFFFFF
#: A disc's table of contents.
CONTENTS = "DICOMDIR"


def is_dicom(path: str | Path) -> bool:
    """Tells whether a file begins as DICOM files do: DICM after 128 bytes (PS3.10), or their first element without
    them.
    """
    path = Path(path)
    if not path.is_file():
        return False
    with path.open("rb") as file:
        start = file.read(_PREAMBLE + len(_MAGIC))
    return start[_PREAMBLE:] == _MAGIC or _FIRST_ELEMENT.match(start) is not None


def is_of_image(path: str | Path) -> bool:
    """Tells whether a DICOM file's storage class is not one of structure sets, segmentations, reports and the like."""
    with Path(path).open("rb") as file:
        start = file.read(_META_BYTES)
    _, _, found = start.partition(_STORAGE_CLASS)  # its length in 2 bytes, and the identifier
    return not found[2 : 2 + int.from_bytes(found[:2], "little")].startswith(_NOT_IMAGE_CLASSES)


def header_of(path: str | Path, tags: Sequence[str] = ()) -> Dataset:
    """Header without pixels, of the named tags or all; raises InputError where it cannot be read."""
    return _read(path, stop_before_pixels=True, specific_tags=list(tags) or None)


def header_and_rest(path: str | Path, tags: Sequence[str]) -> tuple[Dataset, int]:
    """Header of the named tags, and how many bytes follow the pixels: 0 where they are compressed, below 0 where some
    of them are absent; raises InputError as `header_of` does.
    """
    path = Path(path)
    with path.open("rb") as file:
        header = _read(file, stop_before_pixels=True, specific_tags=list(tags))
        start = file.tell()
        element = file.read(12)
    if start > path.stat().st_size:  # an element before them is longer than the file, and GDCM would allocate it
        return header, path.stat().st_size - start
    if element[:4] != _PIXELS:
        return header, 0
    is_explicit = element[4:6].isalpha()
    length = int.from_bytes(element[8:12] if is_explicit else element[4:8], "little")
    end = start + (12 if is_explicit else 8) + length
    return header, 0 if length == _UNDEFINED else path.stat().st_size - end


def dataset_of(path: str | Path) -> Dataset:
    """Returns all of a file; raises InputError where it cannot be read."""
    return _read(path)


@contextmanager
def quiet_pydicom() -> Iterator[None]:
    """Raise InputError where pydicom is absent; within, warnings are not shown: they print the patient's headers."""
    if importlib.util.find_spec("pydicom") is None:
        raise InputError("DICOM needs pydicom: pip install pydicom")
    logger = logging.getLogger("pydicom")
    before = logger.level
    logger.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logger.setLevel(before)


@contextmanager
def damaged_as(sentence: str) -> Iterator[None]:
    """Raise InputError with a sentence for whatever pydicom and highdicom raise where something is absent or damaged:
    errors of many kinds, some straight from Exception. Ours pass.
    """
    try:
        yield
    except InputError:
        raise
    except Exception as error:
        raise InputError(sentence) from error


def _read(path: str | Path | BinaryIO, **options: object) -> Dataset:
    with quiet_pydicom(), damaged_as(CUT):
        from pydicom import dcmread
        from pydicom.uid import ExplicitVRBigEndian, ExplicitVRLittleEndian, ImplicitVRLittleEndian

        dataset = dcmread(path, force=True, **options)  # type: ignore[arg-type]
    if not len(dataset):
        raise InputError(CUT)
    if "TransferSyntaxUID" not in dataset.file_meta:
        implicit, little = dataset.original_encoding
        plain = ExplicitVRLittleEndian if little else ExplicitVRBigEndian
        dataset.file_meta.TransferSyntaxUID = ImplicitVRLittleEndian if implicit else plain
    return dataset
