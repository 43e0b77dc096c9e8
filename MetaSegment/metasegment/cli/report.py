"""`metasegment report`: measurements of a segmentation for people, PACS and records."""

from __future__ import annotations

import argparse
import json
from pathlib import Path

from ..report.to_file import FORMATS, write_report
from . import files


def add_to(commands: argparse._SubParsersAction) -> None:
    parser = commands.add_parser(
        "report",
        help="measure a segmentation: for people, PACS and records",
        formatter_class=argparse.RawDescriptionHelpFormatter,
        description=_FORMATS,
    )
    files.add_segmentation(parser)
    parser.add_argument("--to", required=True, type=Path, metavar="FILE", help=f"one of {', '.join(FORMATS)}")
    parser.add_argument(
        "--reference", type=Path, metavar="IMAGE", help="the image it was drawn on, or the folder of its DICOM series"
    )
    files.add_structures(parser)
    parser.add_argument("--json", action="store_true", help="print one JSON object on standard output")
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> None:
    files.spare(options.to, filter(None, (options.segmentation, options.reference)))
    written = write_report(options.segmentation, options.to, options.reference, options.structures)
    names = [str(path) for path in written.files]
    if options.json:
        print(json.dumps({"files": names, "notes": written.notes}))
    else:
        print(*names, sep="\n")
        files.tell(written.notes)


_FORMATS = """The name of FILE says the kind of report:
  .csv .json   one row a structure: volume, diameters, surface, position; with --reference
               intensities, of PET also SUV, MTV and TLG; the usual volume where the name is known
  .html .pdf   the same for people, with a picture of three planes, to print and sign
  .dcm         DICOM SR (TID 1500) that refers to the series and to a DICOM SEG, which is
               written beside it unless SEGMENTATION is one (needs --reference FOLDER)
  .fhir.json   FHIR R4 Observations"""
