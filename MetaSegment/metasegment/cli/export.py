"""`metasegment export`: a segmentation for PACS, planning system, printer or spreadsheet."""

from __future__ import annotations

import argparse
from pathlib import Path

from ..export.to_file import FORMATS, to_file
from . import files


def add_to(commands: argparse._SubParsersAction) -> None:
    parser = commands.add_parser(
        "export",
        help="write a segmentation for PACS, planning system, printer or spreadsheet",
        formatter_class=argparse.RawDescriptionHelpFormatter,
        description=_FORMATS,
    )
    files.add_segmentation(parser)
    parser.add_argument("--to", required=True, type=Path, metavar="FILE", help=f"one of {', '.join(FORMATS)}")
    parser.add_argument(
        "--reference",
        type=Path,
        metavar="IMAGE",
        help="the image it was drawn on; for .dcm the folder of its DICOM series",
    )
    files.add_structures(parser)
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> None:
    files.spare(options.to, filter(None, (options.segmentation, options.reference)))
    written = to_file(options.segmentation, options.to, options.reference, options.structures)
    print(*written.files, sep="\n")
    files.tell(written.notes)


_FORMATS = """The name of FILE says the format:
  .nii.gz .nii .nrrd .mha   label map on the grid of the image
  .seg.nrrd                 for 3D Slicer, with names, colours and SNOMED CT codes
  .dcm                      DICOM SEG for PACS (needs --reference FOLDER)
  .rtstruct.dcm             DICOM RTSTRUCT for a planning system (needs --reference FOLDER)
  .stl .obj .ply            smooth surfaces in mm, LPS: one file a structure, its name added
  .csv .json                volume, surface, diameters; with --reference intensities, of PET also SUV"""
