"""Text files of a spreadsheet's rows, as programs of many countries write them."""

from __future__ import annotations

import csv
from pathlib import Path


def read_rows(path: Path) -> list[list[str]]:
    """The fields of each line that has some, without the spaces around them; commas or semicolons part them.

    Raises OSError, ValueError or csv.Error where the file cannot be read or is no text.
    """
    text = _text_of(path)
    mark = ";" if ";" in text and "," not in text else ","
    return [[field.strip() for field in line] for line in csv.reader(text.splitlines(), delimiter=mark) if line]


def _text_of(path: Path) -> str:
    octets = path.read_bytes()
    if b"\0" in octets:
        raise ValueError("no text")
    try:
        return octets.decode("utf-8-sig")
    except UnicodeDecodeError:
        return octets.decode("cp1252")  # older spreadsheets'; ValueError where it is none either
