"""`--manifest`: what commands write of a run, for `metasegment rerun`."""

from __future__ import annotations

import argparse
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from ..cohort.output import Output, Row
from ..cohort.studies import Study
from ..manifest import checksum_of_labels, manifest_of, write_manifest
from ..segmentation import Segmentation, StructureResult
from . import common

#: The manifest in a cohort's folder, beside its report.
IN_A_COHORT = "manifest.json"


def add_manifest(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--manifest", type=Path, metavar="FILE", help="also write JSON that `metasegment rerun` can repeat it from"
    )


def require_manifest(options: argparse.Namespace, inputs: Iterable[Path]) -> None:
    """Refuses a manifest that could not be written, before minutes are spent."""
    if options.manifest:
        common.require_place(options.manifest, tuple(inputs))


def write_manifest_of(options: argparse.Namespace, result: Segmentation) -> None:
    """That of one image, where it is asked for."""
    if options.manifest:
        more = {"device": result.device, "seconds": {k: round(v, 3) for k, v in result.seconds.items()}}
        found = _found(checksum_of_labels(result.labels), result.structures)
        write_manifest(options.manifest, manifest_of(vars(options), found, more))


def write_cohorts_manifest(
    options: argparse.Namespace, output: Output, studies: Iterable[Study], rows: Iterable[Row]
) -> None:
    """That of a cohort, always."""
    rows = sorted(rows, key=lambda row: row.case)
    found = {row.case: {"failure": row.failure} if row.failure else _found(row.labels, row.structures) for row in rows}
    more = {
        "device": ", ".join(sorted({row.device for row in rows if row.device})),
        "seconds": {row.case: round(row.seconds, 3) for row in rows},
    }
    inputs = [path for study in studies for path in (study.image, study.annotation) if path]
    named = {**vars(options), "image": str(options.image)}  # a folder of the studies, which are listed one by one
    write_manifest(output.folder / IN_A_COHORT, manifest_of(named, found, more, inputs))


def _found(labels: str, structures: Iterable[StructureResult]) -> dict[str, Any]:
    """What a repetition is compared by: the checksum of all voxels, and the voxels of each structure."""
    return {"labels": labels, "voxels": {structure.name: structure.voxels for structure in structures}}
