"""Measurements of all structures as a table: CSV for spreadsheets, JSON for programs. Measures nothing itself."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any

from ..io.files import written_beside
from .measured import Measurements, as_rows

_DIGITS = 6  # significant


def write_table(measurements: Measurements, path: Path) -> None:
    """Writes one row a structure: label, name, shape, place, intensities and SUV where measured, the usual volume where
    known.

    JSON keeps the notes too. Raises InputError where the file cannot be written.
    """
    rows = [{key: _rounded(value) for key, value in row.items()} for row in as_rows(measurements.structures)]
    with written_beside(path) as draft:
        if path.suffix.lower() == ".json":
            found = {"structures": rows, "notes": measurements.notes}
            draft.write_text(json.dumps(found, indent=1, ensure_ascii=False), "utf-8")
        else:
            _write_csv(rows, draft)


def _write_csv(rows: list[dict[str, Any]], path: Path) -> None:
    # Excel takes a file for UTF-8 only where it begins with a byte order mark.
    with path.open("w", encoding="utf-8-sig", newline="") as file:
        writer = csv.DictWriter(file, rows[0])
        writer.writeheader()
        writer.writerows(rows)


def _rounded(value: Any) -> Any:
    return float(f"{value:.{_DIGITS}g}") if isinstance(value, float) else value
