"""`metasegment agreement`: two readers' segmentations of the same studies compared."""

from __future__ import annotations

import argparse
import json
from pathlib import Path

from ..agreement.pairs import Agreed, agreed_on, pairs_in, unpaired
from ..agreement.summary import summaries_of
from ..agreement.to_file import FORMATS, as_object, cells_of, refuse_unknown_format, write_agreement
from . import files
from .progress import ProgressBar


def add_to(commands: argparse._SubParsersAction) -> None:
    parser = commands.add_parser("agreement", help="compare two readers' segmentations of the same studies")
    for reader in ("A", "B"):
        parser.add_argument(
            f"folder_{reader.lower()}",
            metavar=f"FOLDER_{reader}",
            type=Path,
            help=f"reader {reader}'s segmentations, called as the studies: label maps, .seg.nrrd or DICOM SEG",
        )
    parser.add_argument("--to", type=Path, metavar="FILE", help=f"also write one of {', '.join(FORMATS)}")
    parser.add_argument("--json", action="store_true", help="print one JSON object on standard output")
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> None:
    if options.to:
        refuse_unknown_format(options.to)
    pairs = pairs_in(options.folder_a, options.folder_b)
    show = ProgressBar()
    rows: list[Agreed] = []
    for number, (study, path_a, path_b) in enumerate(pairs):
        show("comparing", number / len(pairs))
        rows += agreed_on(study, path_a, path_b)
    show("comparing", 1.0)
    summaries = summaries_of(rows)
    files.tell(unpaired(options.folder_a, options.folder_b))
    if options.to:
        write_agreement(rows, summaries, options.to)
    if options.json:
        print(json.dumps(as_object(rows, summaries)))
    else:
        print(f"{'structure':<24} studies   Dice  least    NSD  bias (ml)  limits of agreement (ml)")
        for name, *cells in map(cells_of, summaries):
            print(f"{name:<24} {cells[0]:>7}  {cells[1]}  {cells[2]}  {cells[3]}  {cells[4]:>9}  {cells[5]}")
