"""The header of a MetaImage file (.mha, .mhd), looked at before ITK reads it: its library writes where it should not
when a header is damaged, and ends the process (ITK 5.4). Reads no voxel.

Fields as in https://itk.org/Wiki/ITK/MetaIO/Documentation.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path

from ..errors import InputError

_LONGEST = 1 << 16  # bytes of a header
_END = "elementdatafile"
_LOCAL, _LIST = "LOCAL", "LIST"
#: Bytes of a voxel's value by type.
_BYTES = {"CHAR": 1, "UCHAR": 1, "SHORT": 2, "USHORT": 2, "INT": 4, "UINT": 4, "LONG": 4, "ULONG": 4}
_BYTES |= {"LONG_LONG": 8, "ULONG_LONG": 8, "FLOAT": 4, "DOUBLE": 8}
_PER_AXIS = ("elementspacing", "elementsize", "offset", "position", "origin", "centerofrotation")
_PER_TWO_AXES = ("transformmatrix", "rotation", "orientation")
_BROKEN = "is not a readable image: damaged or truncated MetaImage header"


def refuse_broken_meta(path: Path) -> None:
    """Raise InputError for a MetaImage file whose header is damaged, or which is shorter than it says."""
    if path.suffix.lower() not in (".mha", ".mhd"):
        return
    with path.open("rb") as file:
        start = file.read(_LONGEST)
    fields, length = _fields(path, start)
    try:
        axes = int(fields["ndims"])
        size = [int(part) for part in fields["dimsize"].split()]
        fits = 1 <= axes <= 8 and len(size) == axes and min(size) >= 1
        fits &= all(_numbers(fields, key) in (None, axes) for key in _PER_AXIS)
        fits &= all(_numbers(fields, key) in (None, axes * axes) for key in _PER_TWO_AXES)
        width = _BYTES[fields["elementtype"].upper().removeprefix("MET_").removesuffix("_ARRAY")]
        channels = int(fields.get("elementnumberofchannels", "1"))
        packed = int(fields.get("compresseddatasize", "0"))
        int(fields.get("headersize", "0"))
        fits &= 1 <= channels <= 1 << 16 and packed >= 0
    except (KeyError, ValueError, OverflowError):
        fits = False
    if not fits:
        raise InputError(f"{path} {_BROKEN}")
    if "%" in fields[_END] or fields[_END].upper().startswith(_LIST):
        # A pattern goes to the C library's sprintf as it is, whatever it asks for.
        raise InputError(f"{path} cannot be read: its voxels are in several files; save it as one")
    is_local = fields[_END].upper() == _LOCAL
    voxels = path if is_local else path.parent / fields[_END]
    if not voxels.is_file():
        raise InputError(
            f"{path} cannot be read: its voxels are in another file, {fields[_END]}, which is not beside it"
        )
    is_packed = fields.get("compresseddata", "").lower() == "true"
    expected = packed if is_packed else math.prod(size) * width * channels
    if voxels.stat().st_size - (length if is_local else 0) < expected:
        raise InputError(f"{path} cannot be read: the file is truncated or damaged")


def _fields(path: Path, start: bytes) -> tuple[Mapping[str, str], int]:
    """By name in lower case, in the order that MetaIO needs: NDims before what has a value for each axis; and bytes."""
    fields: dict[str, str] = {}
    length = 0
    for line in start.split(b"\n"):
        length += len(line) + 1
        key, sign, value = line.decode("latin-1").partition("=")
        name = key.strip().lower()
        needs_axes = name in (*_PER_AXIS, *_PER_TWO_AXES, "dimsize")
        if not sign or not name.isprintable() or (needs_axes and "ndims" not in fields):
            break
        fields[name] = value.strip()
        if name == _END:
            if fields[_END].isprintable():
                return fields, length
            break
    raise InputError(f"{path} {_BROKEN}")


def _numbers(fields: Mapping[str, str], key: str) -> int | None:
    """How many finite numbers a field holds, None where it is absent; ValueError for what is no number."""
    if key not in fields:
        return None
    numbers = [float(part) for part in fields[key].split()]
    return len(numbers) if all(map(math.isfinite, numbers)) else -1
