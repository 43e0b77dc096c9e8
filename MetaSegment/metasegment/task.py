"""What was taught, to be used on the next volume: few numbers with their provenance in a small file, no pixels.

Knows nothing of how it was learnt or is used, and imports no torch: a task can be looked at wherever it is kept.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from .errors import InputError
from .files import written_beside
from .seg_nrrd import Color
from .wire import WireError, to_json
from .wire.arrays import canonical, decode, dtype_name, encode, raw
from .wire.messages import is_sha256
from .wire.records import fitted, parsed, require

#: Says which code can use a task's numbers; raised by one whenever older code would misread them.
VERSION = 1
#: Bytes of a task file. A few hundred kilobytes are usual.
LARGEST = 2_000_000
_FORMAT = "metasegment-task"
_PROVENANCE, _CHECKSUM = "task", "sha256"
#: Characters of a structure's name, of its terminology (Slicer's take about 200), of a strategy's name, and of a
#: modality (DICOM PS3.5, 6.2: CS).
LONGEST_NAME, _LONGEST_TERM, _LONGEST_STRATEGY, _LONGEST_MODALITY = 500, 1000, 64, 16


@dataclass(frozen=True)
class TaskStructure:
    """One structure of a task: its label (1…254), name, colour (red, green, blue, 0…1), and Slicer's terminology entry
    ("" where its name says nothing).
    """

    label: int
    name: str
    color: Color | None = None
    terminology: str = ""

    def __post_init__(self) -> None:
        require(0 < self.label < 255, "a structure's label must be 1 to 254")
        require(0 < len(self.name) <= LONGEST_NAME, f"a structure's name has 1 to {LONGEST_NAME} characters")
        require(all(0 <= part <= 1 for part in self.color or ()), "a structure's color must be 0 to 1")
        require(
            len(self.terminology) <= _LONGEST_TERM, f"a structure's terminology has up to {_LONGEST_TERM} characters"
        )


@dataclass(frozen=True)
class Provenance:
    """Where a task comes from.

    `weights` is the SHA-256 of the network's weights it holds for, `strategy` how it was learnt, `modality` DICOM's
    code as far as intensities tell it ("CT" or ""), `volumes` how many segmented volumes it saw.
    """

    structures: tuple[TaskStructure, ...]
    weights: str
    strategy: str
    modality: str
    volumes: int
    format: str = _FORMAT
    version: int = VERSION

    def __post_init__(self) -> None:
        labels = {structure.label for structure in self.structures}
        require(labels, "a task must have a structure")
        require(len(labels) == len(self.structures), "a task's structures must have different labels")
        require(is_sha256(self.weights), "weights must be 64 hexadecimal digits in lower case")
        require(0 < len(self.strategy) <= _LONGEST_STRATEGY, f"strategy has 1 to {_LONGEST_STRATEGY} characters")
        require(len(self.modality) <= _LONGEST_MODALITY, f"modality has up to {_LONGEST_MODALITY} characters")
        require(self.volumes > 0, "a task must have seen a volume")
        require(self.format == _FORMAT and self.version == VERSION, f"it must be a {_FORMAT} of version {VERSION}")


@dataclass(frozen=True, eq=False)
class Task:
    """What was taught: its provenance, and numbers by name that its strategy understands."""

    provenance: Provenance
    numbers: Mapping[str, np.ndarray]

    def __post_init__(self) -> None:
        floats = (array for array in self.numbers.values() if array.dtype.kind == "f")
        require(all(np.isfinite(array).all() for array in floats), "a task's numbers must be finite")

    @property
    def structures(self) -> tuple[TaskStructure, ...]:
        return self.provenance.structures

    @property
    def names(self) -> dict[int, str]:
        """What the structures are called, by label."""
        return {structure.label: structure.name for structure in self.structures}

    @property
    def colors(self) -> dict[int, Color]:
        """Red, green, blue (0…1) of the structures that have a colour, by label."""
        return {structure.label: structure.color for structure in self.structures if structure.color}


def to_bytes(task: Task) -> bytes:
    """The task as a file's bytes (safetensors); raises InputError where they would be more than LARGEST."""
    provenance = to_json(task.provenance)
    texts = {_PROVENANCE: provenance, _CHECKSUM: _checksum(task.numbers, provenance)}
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
        is_task = isinstance(provenance, dict) and provenance.get("format") == _FORMAT
        require(is_task, "it has no provenance of a task")
        version = provenance.get("version")
        if isinstance(version, int) and version > VERSION:
            raise InputError(f"{origin} was made by a newer MetaSegment (task version {version}): update this one")
        require(texts[_CHECKSUM] == _checksum(numbers, texts[_PROVENANCE]), "its checksum differs")
        return Task(fitted(provenance, Provenance, "its provenance"), numbers)
    except WireError as error:
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


def _checksum(numbers: Mapping[str, np.ndarray], provenance: str) -> str:
    """Of all that is read: also of types and shapes, or a flipped bit could turn numbers into others."""
    digest = hashlib.sha256(provenance.encode())
    for name, array in sorted(numbers.items()):
        digest.update(repr((name, dtype_name(array), array.shape)).encode())
        digest.update(raw(canonical(array)))
    return digest.hexdigest()
