"""What damages a file for `fuzz_readers`: its bytes, the fields of its header, or the elements of a DICOM data set.

Each mutation takes the whole file and random numbers and returns the whole file, mutated.
"""

from __future__ import annotations

import gzip
import random
import re
import warnings
import zlib
from io import BytesIO
from typing import Any

import pydicom
from pydicom import DataElement, Dataset, Sequence

#: Values that break readers: sizes, offsets and counts at their limits, and texts where numbers are expected.
NUMBERS = [b"\0\0\0\0", b"\xff\xff\xff\xff", b"\x7f\xff\xff\xff", b"\xff\xff\xff\x7f", b"\0\0\0\x80", b"\0\0\xc0\x7f"]
TEXTS = [b"nan", b"-1", b"1e308", b"999999999999", b"0", b"", b"\\", b"%s", b"\xff\xfe", b"inf", b"LIST", b"none"]
_NIFTI_HEADER = 348
_HEADER_TEXT = re.compile(rb"^([^\n#][^\n]*?)(:=|: |= )([^\n]*)$", re.MULTILINE)
_MOST_HEADER = 200_000


def mutated(octets: bytes, numbers: random.Random) -> bytes:
    """Mutate bytes half of the time; else fields of a text header, elements of DICOM, or bytes within a gzip stream."""
    if numbers.random() < 0.5:
        return mutated_bytes(octets, numbers)
    if octets[:2] == b"\x1f\x8b":
        return gzip.compress(mutated(_unpacked(octets), numbers), 1)
    if octets[128:132] == b"DICM":
        return mutated_dicom(octets, numbers)
    if octets[:4] == b"NRRD" or octets[:10] == b"ObjectType":
        return mutated_fields(octets, numbers)
    return mutated_bytes(octets[:_NIFTI_HEADER], numbers)[:_NIFTI_HEADER] + octets[_NIFTI_HEADER:]


def mutated_bytes(octets: bytes, numbers: random.Random) -> bytes:
    """Flip bytes, set numbers and texts at their limits, cut, double or remove parts; mostly in the header."""
    found = bytearray(octets)
    for _ in range(numbers.choice((1, 1, 1, 2, 3, 8))):
        if not found:
            break
        header = min(len(found), 4096)
        at = numbers.randrange(header if numbers.random() < 0.8 else len(found))
        kind = numbers.randrange(7)
        if kind == 0:
            found[at] = numbers.randrange(256)
        elif kind == 1:
            found[at] ^= 1 << numbers.randrange(8)
        elif kind == 2:
            found[at : at + 4] = numbers.choice(NUMBERS)
        elif kind == 3:
            text = numbers.choice(TEXTS)
            found[at : at + len(text)] = text
        elif kind == 4:
            del found[at : at + numbers.choice((1, 2, 4, 16, 1000))]
        elif kind == 5:
            found[at:at] = found[at : at + numbers.choice((1, 2, 8, 64))]
        else:
            del found[numbers.randrange(len(found)) :]
    return bytes(found)


def mutated_fields(octets: bytes, numbers: random.Random) -> bytes:
    """Remove, repeat or change whole lines `name: value` of the header of NRRD or MetaImage."""
    end = octets.find(b"\n\n") if octets[:4] == b"NRRD" else octets.find(b"ElementDataFile")
    header, rest = octets[: max(end, 0)], octets[max(end, 0) :]
    fields = list(_HEADER_TEXT.finditer(header))
    if not fields:
        return mutated_bytes(octets, numbers)
    field = numbers.choice(fields)
    words = field[3].split(b" ")
    words[numbers.randrange(len(words))] = numbers.choice(TEXTS)
    lines = [b"", field[0] + b"\n" + field[0], field[1] + field[2], field[1] + field[2] + b" ".join(words)]
    return header[: field.start()] + numbers.choice(lines) + header[field.end() :] + rest


def mutated_dicom(octets: bytes, numbers: random.Random) -> bytes:
    """Remove, empty, repeat or change elements of a DICOM data set at any depth, and write it as it then is."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            dataset = pydicom.dcmread(BytesIO(octets), force=True)
            for _ in range(numbers.choice((1, 1, 1, 2, 4))):
                _change(dataset, numbers)
            written = BytesIO()
            dataset.save_as(written)
        except Exception:  # whatever pydicom cannot write: there are other mutations
            return mutated_bytes(octets, numbers)
    return written.getvalue()


def _change(dataset: Dataset, numbers: random.Random) -> None:
    tags = list(dataset.keys())
    if not tags:
        return
    tag = numbers.choice(tags)
    element = dataset[tag]
    if isinstance(element.value, Sequence) and len(element.value) and numbers.random() < 0.8:
        _change(numbers.choice(element.value), numbers)
    elif numbers.random() < 0.4:
        del dataset[tag]
    elif isinstance(element.value, Sequence):
        items = list(element.value)
        dataset[tag] = DataElement(tag, "SQ", Sequence(numbers.choice(([], items[:1], items[:-1], items + items[:1]))))
    else:
        element._value = _strange(element.value, numbers)


def _strange(value: Any, numbers: random.Random) -> Any:
    if isinstance(value, bytes):
        return mutated_bytes(value[:_MOST_HEADER], numbers)
    if isinstance(value, int):
        return numbers.choice((0, 1, 2, 3, 7, 255, 32767, 65535, value + 1, max(value - 1, 0), value * 2 % 65536))
    if isinstance(value, (str, float)) or value is None:
        return numbers.choice(("", "0", "-1", "nan", "1e300", "1.2.3", "\\", "A" * 200, "ISO_IR 100", "20261301"))
    values = list(value)
    return numbers.choice(
        ([], values[:-1], values + values, values[::-1], [*values[:-1], "1e300"], ["0"] * len(values))
    )


def _unpacked(octets: bytes) -> bytes:
    try:
        return gzip.decompress(octets)
    except (OSError, EOFError, zlib.error):
        return octets
