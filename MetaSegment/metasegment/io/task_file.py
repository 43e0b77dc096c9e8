"""Tasks as files: safetensors with provenance and a checksum, never a pickle."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from ..errors import InputError
from ..task import FORMAT, VERSION, Provenance, Task
from .arrays import canonical, decode, dtype_name, encode, raw
from .files import written_beside
from .records import fitted, parsed, require, to_json

#: Bytes of a task file. A few hundred kilobytes are usual.
LARGEST = 2_000_000
_PROVENANCE, _CHECKSUM = "task", "sha256"


def to_bytes(task: Task) -> bytes:
    """Returns the task as a file's bytes (safetensors); raises InputError where they would be more than LARGEST."""
    unsaid = () if task.provenance.relations else ("relations",)  # tasks of before relations keep their bytes
    provenance = to_json(task.provenance, without=unsaid)
    texts = {_PROVENANCE: provenance, _CHECKSUM: checksum_of(task.numbers, provenance)}
    found = b"".join(encode(task.numbers, texts))
    if len(found) > LARGEST:
        raise InputError(f"the task would take {len(found):,} bytes of {LARGEST:,}: teach fewer structures at a time")
    return found


def from_bytes(found: bytes, origin: str = "the task") -> Task:
    """Reads what `to_bytes` wrote; raises InputError, naming the `origin`, for what is damaged, too new, or no task."""
    try:
        require(len(found) <= LARGEST, f"it has more than {LARGEST:,} bytes")
        numbers, texts = decode(bytearray(found))  # a copy: torch takes no array that cannot be written
        require({_PROVENANCE, _CHECKSUM} <= set(texts), "it has no provenance of a task")
        provenance = parsed(texts[_PROVENANCE])
        is_task = isinstance(provenance, dict) and provenance.get("format") == FORMAT
        require(is_task, "it has no provenance of a task")
        version = provenance.get("version")
        if isinstance(version, int) and version > VERSION:
            raise InputError(f"{origin} was made by a newer MetaSegment (task version {version}): update this one")
        require(texts[_CHECKSUM] == checksum_of(numbers, texts[_PROVENANCE]), "its checksum differs")
        return Task(fitted(provenance, Provenance, "its provenance"), numbers)
    except ValueError as error:
        raise InputError(f"{origin} is damaged or no task ({error}): copy it again or teach it again") from None


def read_task(path: str | Path) -> Task:
    """Reads a task file; raises InputError as `from_bytes` does, and where there is none."""
    try:
        with Path(path).open("rb") as file:
            found = file.read(LARGEST + 1)
    except OSError as error:
        raise InputError(f"cannot read the task {path}: {error.strerror}") from None
    return from_bytes(found, str(path))


def address_of(found: bytes) -> str:
    """By which a service knows the task of these bytes: their SHA-256, 64 hexadecimal digits in lower case."""
    return hashlib.sha256(found).hexdigest()


def write_task(task: Task, path: str | Path) -> None:
    """Writes a task file, all or nothing."""
    found = to_bytes(task)
    with written_beside(path) as draft:
        draft.write_bytes(found)


def checksum_of(numbers: Mapping[str, np.ndarray], provenance: str) -> str:
    """Of all that is read: also of types and shapes, or a flipped bit could turn numbers into others."""
    digest = hashlib.sha256(provenance.encode())
    for name, array in sorted(numbers.items()):
        digest.update(repr((name, dtype_name(array), array.shape)).encode())
        digest.update(raw(canonical(array)))
    return digest.hexdigest()
