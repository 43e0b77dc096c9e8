"""`metasegment find`: a few objects drawn completely, and all others like them in the same image."""

from __future__ import annotations

import argparse
import dataclasses
import json
from pathlib import Path
from typing import Any

from ..errors import InputError
from ..io.drawn_objects import read_drawn_objects
from ..io.volume_file import read_volume, write_volume
from ..objects import FoundObjects
from ..progress import Progress
from ..volume import Volume
from . import common, files
from .progress import ProgressBar


def add_to(commands: common.Commands) -> None:
    parser = commands.add_parser("find", help="find all objects like one or two that are drawn")
    parser.add_argument("image", metavar="IMAGE", type=Path, help=common.IMAGE)
    parser.add_argument(
        "annotation",
        metavar="ANNOTATION",
        type=Path,
        help="label file on the image's voxels, DICOM SEG or RTSTRUCT: each connected part of 1…254 is an example, "
        "drawn completely; 255 says that no object is there",
    )
    parser.add_argument(
        "--output", required=True, type=Path, help="label map, one number for each object: not .seg.nrrd"
    )
    parser.add_argument("--reject", type=Path, metavar="FILE", help="label file of what was found before and is none")
    parser.add_argument("--seed", type=int, default=0, help="seed of everything random (default %(default)s)")
    parser.add_argument("--json", action="store_true", help="print one JSON object on standard output")
    files.add_structures(parser)
    common.add_device(parser)
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> None:
    inputs = tuple(filter(None, (options.image, options.annotation, options.reject)))
    common.require_writable(options.output, inputs)
    if options.output.name.lower().endswith(".seg.nrrd"):
        raise InputError("a .seg.nrrd holds at most 254 objects: write .nii.gz, .nrrd or .mha")
    segmenter = common.make_segmenter(options)
    volume = read_volume(options.image)
    drawn = read_drawn_objects(options.image, volume.geometry, options.annotation, options.structures)
    rejected = read_drawn_objects(options.image, volume.geometry, options.reject) if options.reject else None
    files.tell(volume.notes + drawn.notes)
    progress = Progress(report=ProgressBar(), cancelled=common.Interrupt())
    marked = None if rejected is None else rejected.labels != 0
    result = segmenter.find(volume, drawn.labels, marked, options.seed, progress)
    write_volume(Volume(result.labels, volume.geometry), options.output, options.image)
    print(json.dumps(as_json(result, str(options.output))) if options.json else as_text(result))


def as_json(result: FoundObjects, output: str) -> dict[str, Any]:
    """The contract of `--json`."""
    return {
        "output": output,
        "objects": [dataclasses.asdict(item) for item in result.objects],
        "seconds": {stage: round(seconds, 3) for stage, seconds in result.seconds.items()},
        "device": result.device,
        "peak_memory_mb": None if result.peak_memory_mb is None else round(result.peak_memory_mb),
        "notes": list(result.notes),
    }


def as_text(result: FoundObjects) -> str:
    """A line for each object."""
    lines = [f"{'object':>6} {'volume':>11} {'longest':>10} {'confidence':>11}  center k, j, i"]
    for item in result.objects:
        sure = "example" if item.example else f"{item.confidence:.2f}"
        edge = ", cut by the image's edge" if item.touches_edge else ""
        place = ", ".join(str(n) for n in item.center)
        lines.append(
            f"{item.label:>6} {item.volume_ml:>8.2f} ml {item.longest_diameter_mm:>7.1f} mm {sure:>11}  {place}{edge}"
        )
    found = sum(not item.example for item in result.objects)
    lines.append(f"{found} found, {sum(result.seconds.values()):.1f} s on {result.device}")
    return "\n".join([*lines, *result.notes])
