"""Rows of a run on disk: one line of JSON for each task and method, appended as they come.

A line is complete or it is ignored, so a run can be killed at any moment and go on later.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import asdict, dataclass, fields
from pathlib import Path

from ..errors import InputError

FILE = "rows.jsonl"


@dataclass(frozen=True)
class Row:
    """One method on one task.

    `protocol` is its name, `weights` the checksum of MetaSegment's weights (None for peers). A method that failed has
    an `error` and the measures of finding nothing. Seconds are of the method alone, in a process that has
    warmed up, and without `preparing_seconds`, spent once for several tasks (earlier runs have none); `peak_memory_mb`
    is of that process, or of the largest it started, while it worked.
    """

    protocol: str
    version: str
    task: str
    method: str
    weights: str | None
    dice: float
    nsd: float
    hd95: float
    ece: float | None
    estimated_dice: float | None
    first_seconds: float | None
    seconds: float
    peak_memory_mb: float | None
    error: str | None
    preparing_seconds: float | None = None

    @property
    def key(self) -> tuple[str, str]:
        return self.task, self.method


def append_row(folder: Path, row: Row) -> None:
    """Writes a line, on disk before it returns."""
    with (folder / FILE).open("a", encoding="utf-8") as file:
        file.write(json.dumps(asdict(row)) + "\n")


def read_rows(folder: Path) -> list[Row]:
    """Reads the complete rows of a folder, the last one of each task and method; drops half a line that a kill left
    behind.

    Raises InputError where the file holds something else.
    """
    path = folder / FILE
    if not path.exists():
        return []
    text = path.read_bytes()
    complete = text[: text.rfind(b"\n") + 1]
    if len(complete) < len(text):
        with path.open("rb+") as file:
            file.truncate(len(complete))
    try:
        rows = [Row(**json.loads(line)) for line in complete.decode().splitlines()]
    except (ValueError, TypeError):
        names = ", ".join(field.name for field in fields(Row))
        raise InputError(f"{path} does not hold rows of this benchmark ({names}); give another folder") from None
    return latest(rows)


def latest(rows: Iterable[Row]) -> list[Row]:
    """Returns the last row of each task and method."""
    return list({row.key: row for row in rows}.values())
