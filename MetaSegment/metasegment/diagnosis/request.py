"""The table that `metasegment diagnose` is given: examples with a finding, and subjects without."""

from __future__ import annotations

import csv
from dataclasses import dataclass
from pathlib import Path

from ..errors import InputError
from ..io.table import read_rows
from .subject import Subject, read_image_subject, read_structure_subject

COLUMNS = ("image", "finding", "segmentation", "structure")
#: Of them, those that every table has.
NEEDED = ("image", "finding")


@dataclass(frozen=True)
class Entry:
    """A line of the table. An empty `finding` asks for it; without `segmentation` the image is a 2D one."""

    image: Path
    finding: str
    segmentation: Path | None
    structure: str

    def read(self) -> Subject:
        """The pixels; raises InputError where they cannot be used."""
        if self.segmentation is None:
            return read_image_subject(self.image)
        return read_structure_subject(self.image, self.segmentation, self.structure)


def read_request(path: Path) -> tuple[tuple[Entry, ...], tuple[Entry, ...]]:
    """The examples, and those that are asked about; paths are relative to the table's folder.

    Raises InputError for a table that cannot be read, lacks a column, mixes 2D images with structures, names a subject
    twice, or has no example or no question.
    """
    entries = _entries(path)
    if len({entry.segmentation is None for entry in entries}) > 1:
        raise InputError(f"{path} mixes images with and without a segmentation; all lines must be of one kind")
    subjects = [(entry.image, entry.segmentation, entry.structure) for entry in entries]
    if twice := next((s for n, s in enumerate(subjects) if s in subjects[:n]), None):
        raise InputError(f"{path} names {twice[0].name} twice; remove one of the lines")
    examples = tuple(entry for entry in entries if entry.finding)
    asked = tuple(entry for entry in entries if not entry.finding)
    if not examples or not asked:
        missing = "no line has a finding" if not examples else "every line has a finding: leave it empty to ask"
        raise InputError(f"{path}: {missing}")
    return examples, asked


def _entries(path: Path) -> list[Entry]:
    try:
        rows = read_rows(path)
    except (OSError, ValueError, csv.Error):
        raise InputError(f"cannot read {path}: give a text file with the columns {', '.join(COLUMNS)}") from None
    header = [name.lower() for name in rows[0]] if rows else []
    unknown = [name for name in header if name not in COLUMNS]
    if unknown or not set(NEEDED) <= set(header):
        raise InputError(f"{path}: the first line must name the columns image, finding[, segmentation, structure]")
    found = []
    for number, row in enumerate(rows[1:], 2):
        fields = dict.fromkeys(COLUMNS, "") | dict(zip(header, row, strict=False))
        if not fields["image"] or len(row) > len(header):
            raise InputError(f"{path}, line {number}: it has no image, or more fields than the first line")
        segmentation = path.parent / fields["segmentation"] if fields["segmentation"] else None
        found.append(Entry(path.parent / fields["image"], fields["finding"], segmentation, fields["structure"]))
    return found
