"""What was taught, to be used on the next volume: few numbers with their provenance, no pixels.

Knows nothing of how it was learnt or is used, and imports no torch: a task can be looked at wherever it is kept.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from .relations import Relation
from .structure import Color

#: Says which code can use a task's numbers; raised by one whenever older code would misread them.
VERSION = 1
FORMAT = "metasegment-task"
_SHA256 = re.compile("[0-9a-f]{64}")
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
        _require(0 < self.label < 255, "a structure's label must be 1 to 254")
        _require(0 < len(self.name) <= LONGEST_NAME, f"a structure's name has 1 to {LONGEST_NAME} characters")
        _require(all(0 <= part <= 1 for part in self.color or ()), "a structure's color must be 0 to 1")
        _require(
            len(self.terminology) <= _LONGEST_TERM, f"a structure's terminology has up to {_LONGEST_TERM} characters"
        )


@dataclass(frozen=True)
class Provenance:
    """Where a task comes from.

    `weights` is the SHA-256 of the network's weights it holds for, `strategy` how it was learnt, `modality` DICOM's
    code as far as intensities tell it ("CT" or ""), `volumes` how many segmented volumes it saw,
    `relations` those of its structures.
    """

    structures: tuple[TaskStructure, ...]
    weights: str
    strategy: str
    modality: str
    volumes: int
    relations: tuple[Relation, ...] = ()
    format: str = FORMAT
    version: int = VERSION

    def __post_init__(self) -> None:
        labels = {structure.label for structure in self.structures}
        _require(labels, "a task must have a structure")
        _require(len(labels) == len(self.structures), "a task's structures must have different labels")
        _require(_SHA256.fullmatch(self.weights), "weights must be 64 hexadecimal digits in lower case")
        _require(0 < len(self.strategy) <= _LONGEST_STRATEGY, f"strategy has 1 to {_LONGEST_STRATEGY} characters")
        _require(len(self.modality) <= _LONGEST_MODALITY, f"modality has up to {_LONGEST_MODALITY} characters")
        _require({x for r in self.relations for x in (r.first, r.second)} <= labels, "relations are of its structures")
        _require(self.volumes > 0, "a task must have seen a volume")
        _require(self.format == FORMAT and self.version == VERSION, f"it must be a {FORMAT} of version {VERSION}")


@dataclass(frozen=True, eq=False)
class Task:
    """What was taught: its provenance, and numbers by name that its strategy understands."""

    provenance: Provenance
    numbers: Mapping[str, np.ndarray]

    def __post_init__(self) -> None:
        floats = (array for array in self.numbers.values() if array.dtype.kind == "f")
        _require(all(np.isfinite(array).all() for array in floats), "a task's numbers must be finite")

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


def _require(condition: object, sentence: str) -> None:
    if not condition:
        raise ValueError(sentence)
