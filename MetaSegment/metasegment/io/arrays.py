"""Named arrays and texts as one message, in the safetensors format; never unpickles, copies no array it can lend.

Messages are written and read whole; the caller bounds their length. Format: 8 bytes with the length of a JSON header,
the header, the arrays end to end (https://github.com/huggingface/safetensors#format).
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from .records import fitted, parsed, require

#: What an array may hold, by the name that safetensors gives it; always little-endian.
DTYPES = {
    name: np.dtype(code)
    for name, code in {
        "BOOL": "?",
        "U8": "u1",
        "I8": "i1",
        "U16": "<u2",
        "I16": "<i2",
        "F16": "<f2",
        "U32": "<u4",
        "I32": "<i4",
        "F32": "<f4",
        "U64": "<u8",
        "I64": "<i8",
        "F64": "<f8",
    }.items()
}
_NAMES = {dtype.str: name for name, dtype in DTYPES.items()}
_TEXTS = "__metadata__"
#: Bytes of the number that says how long the header is; the header is padded so that arrays start at a multiple.
_LENGTH = 8
#: Bytes of a header: hundreds of structures and slices take a tenth.
_LONGEST_HEADER = 1 << 20
#: Far more axes than anything here has, and numpy can take them.
_MOST_AXES = 8


@dataclass(frozen=True)
class _Entry:
    """How the header describes an array; offsets are in bytes, from the header's end."""

    dtype: str
    shape: tuple[int, ...]
    data_offsets: tuple[int, int]


def dtype_name(array: np.ndarray) -> str:
    """Returns the name that an array's type has on the wire, in any byte order; raises FormatError for one that has
    none.
    """
    name = _NAMES.get(array.dtype.newbyteorder("<").str)
    require(name, f"arrays of {array.dtype} cannot be sent; use integers, floats or booleans of up to 64 bits")
    return str(name)


def canonical(array: np.ndarray) -> np.ndarray:
    """Returns the array in C order and little-endian: itself where it is so already. Raises FormatError like
    `dtype_name`.
    """
    return np.asarray(array, DTYPES[dtype_name(array)], order="C")


def raw(array: np.ndarray) -> memoryview:
    """Returns the bytes of a canonical array, lent, not copied."""
    return array.reshape(-1).view(np.uint8).data


def encode(arrays: Mapping[str, np.ndarray], metadata: Mapping[str, str]) -> list[bytes | memoryview]:
    """Returns the message in pieces, to be sent one after the other: its header, then each array's own bytes.

    Raises FormatError for arrays of other types than DTYPES.
    """
    ready = {name: canonical(array) for name, array in arrays.items()}
    # Wide types first, as safetensors does, so that each array starts at a multiple of its own width.
    ready = dict(sorted(ready.items(), key=lambda item: (-item[1].itemsize, item[0])))
    header: dict[str, object] = {_TEXTS: dict(metadata)} if metadata else {}
    start = 0
    for name, array in ready.items():
        stop = start + array.nbytes
        header[name] = {"dtype": dtype_name(array), "shape": array.shape, "data_offsets": (start, stop)}
        start = stop
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % _LENGTH)
    return [len(text).to_bytes(_LENGTH, "little") + text, *(raw(array) for array in ready.values())]


def decode(message: bytes | bytearray | memoryview) -> tuple[dict[str, np.ndarray], dict[str, str]]:
    """Returns the arrays, as views of the message (read-only where it is `bytes`), and the texts.

    Raises FormatError for whatever is not a safetensors message of DTYPES. Allocates nothing but
    the header's values.
    """
    view = memoryview(message).cast("B")
    length = int.from_bytes(view[:_LENGTH], "little")
    require(len(view) >= _LENGTH, "the message is too short to be safetensors")
    require(length <= _LONGEST_HEADER, f"the message's header is longer than {_LONGEST_HEADER:,} bytes")
    require(_LENGTH + length <= len(view), "the message ends within its header")
    header = parsed(bytes(view[_LENGTH : _LENGTH + length]))
    require(isinstance(header, dict), "the message's header must be an object")
    texts = fitted(header.pop(_TEXTS, {}), dict[str, str], "the message's metadata")
    entries = fitted(header, dict[str, _Entry], "an array's description")
    body = view[_LENGTH + length :]
    _check_layout(list(entries.values()), len(body))
    return {name: _view(entry, body) for name, entry in entries.items()}, texts


def _check_layout(entries: list[_Entry], length: int) -> None:
    """Every array has the bytes its shape asks for, and together they fill the body without gaps or overlaps."""
    end = 0
    for entry in sorted(entries, key=lambda entry: entry.data_offsets):
        require(entry.dtype in DTYPES, f"an array's dtype must be one of {', '.join(DTYPES)}")
        require(len(entry.shape) <= _MOST_AXES, f"an array has more than {_MOST_AXES} axes")
        require(all(n >= 0 for n in entry.shape), "an array's shape is negative")
        width = DTYPES[entry.dtype].itemsize
        # numpy counts bytes in 63 bits even where another axis is 0.
        require(math.prod(max(1, n) for n in entry.shape) * width < 2**63, "an array's shape is too large")
        start, stop = entry.data_offsets
        require(start == end, "an array does not start where the one before ends")
        require(stop - start == math.prod(entry.shape) * width, "an array's shape does not fit its bytes")
        end = stop
    require(end == length, "the arrays do not fill the message exactly")


def _view(entry: _Entry, body: memoryview) -> np.ndarray:
    octets = np.frombuffer(body[slice(*entry.data_offsets)], np.uint8)
    # numpy's booleans are bytes 0 and 1; it is undefined what others do.
    require(entry.dtype != "BOOL" or octets.max(initial=0) <= 1, "an array of booleans holds other bytes than 0 and 1")
    return octets.view(DTYPES[entry.dtype]).reshape(entry.shape)
