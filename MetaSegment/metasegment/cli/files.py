"""What commands that read drawn structures share: which of them, and what the readers left out. Imports no torch."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterable
from pathlib import Path

from ..errors import InputError


def add_segmentation(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "segmentation",
        metavar="SEGMENTATION",
        type=Path,
        help="label map (NRRD, NIfTI, MHA), .seg.nrrd, DICOM SEG or RTSTRUCT",
    )


def spare(path: Path, inputs: Iterable[Path]) -> None:
    """Refuses an output that would replace an input."""
    if any(path.resolve() == kept.resolve() for kept in inputs):
        raise InputError(f"cannot write {path}: it is an input; give another file name")


def add_structures(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--structures",
        type=_names,
        default=(),
        metavar="NAME,…",
        help="only these of the drawn structures, by name (of a plain label map by number)",
    )


def add_relations(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--relation",
        action="append",
        default=[],
        metavar="SENTENCE",
        help='structures that may share voxels, as "tumour inside liver", "tumour inside liver, excluded" (cut out of '
        'it) or "a overlaps b"; repeatable',
    )


def _names(text: str) -> tuple[str, ...]:
    return tuple(name.strip() for name in text.split(",") if name.strip())


def tell(notes: Iterable[str]) -> None:
    """Sentences for the user that are no result, on standard error."""
    for note in notes:
        print(f"metasegment: {note}", file=sys.stderr)
