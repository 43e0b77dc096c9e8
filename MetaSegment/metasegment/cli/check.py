"""`metasegment check`: what is unusual about the structures of a finished segmentation, whoever made it."""

from __future__ import annotations

import argparse
import dataclasses
import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from ..anatomy.institution import Institution, read_institution, with_own_sizes, write_institution
from ..anatomy.plausibility import NamedMask, masks_of, measured, remarks_on
from ..errors import InputError
from ..export import read_structures
from ..io.volume_file import read_volume
from ..segmentation import Remark
from . import common, files


def add_to(commands: common.Commands) -> None:
    parser = commands.add_parser(
        "check", help="what is unusual about a finished segmentation, by its structures' names"
    )
    parser.add_argument("segmentation", metavar="SEGMENTATION", type=Path, help="label map, .seg.nrrd or DICOM SEG")
    parser.add_argument("--image", type=Path, help=f"for sides and intensities: {common.IMAGE}")
    parser.add_argument(
        "--institution", type=Path, metavar="FILE", help="sizes that your accepted segmentations add up to"
    )
    parser.add_argument("--accept", action="store_true", help="add this segmentation to them: it was reviewed")
    parser.add_argument("--json", action="store_true", help="print one JSON object on standard output")
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> None:
    if options.accept and not options.institution:
        raise InputError("--accept adds to --institution FILE: name the file")
    if options.institution:
        common.require_place(options.institution, (options.segmentation,))
    volume = read_volume(options.image) if options.image else None
    structures = read_structures(options.segmentation, volume.geometry if volume else None)
    files.tell(structures.notes)
    names = {segment.label: segment.name for segment in structures.segments}
    found = [measured(mask, structures.geometry) for mask in masks_of(structures.labels, names)]
    institution = read_institution(options.institution) if options.institution else Institution()
    known = with_own_sizes(found, institution)
    image = volume.array if volume else None
    remarks = {one.named: remarks_on(one, known, structures.geometry, image) for one in known}
    if options.json:
        print(json.dumps({"segmentation": str(options.segmentation), "structures": _as_json(remarks)}))
    else:
        lines = [(remark.severity, f"{named.name}: {remark.text}") for named in remarks for remark in remarks[named]]
        lines.sort(reverse=True)
        print("\n".join(line for _, line in lines) or "nothing unusual")
    if options.accept:
        write_institution(institution.with_case(found), options.institution)


def _as_json(remarks: Mapping[NamedMask, Iterable[Remark]]) -> list[dict[str, Any]]:
    return [
        {"label": named.label, "name": named.name, "remarks": [dataclasses.asdict(remark) for remark in found]}
        for named, found in remarks.items()
    ]
