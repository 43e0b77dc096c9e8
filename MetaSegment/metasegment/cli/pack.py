"""`metasegment pack`: labelled volumes in folders to one compact file to train from."""

from __future__ import annotations

import argparse
from pathlib import Path

from ..errors import InputError
from . import common
from .progress import ProgressBar


def add_to(commands: common.Commands) -> None:
    parser = commands.add_parser("pack", help="pack labelled volumes into one compact file to train from")
    parser.add_argument(
        "folder",
        metavar="FOLDER",
        type=Path,
        help="one or several data sets as MSD and nnU-Net have them (imagesTr, labelsTr, dataset.json; of several "
        "channels the first is taken), or train/ and labelmaps/ with a folder a data set",
    )
    parser.add_argument("--output", required=True, type=Path, help="the file, *.safetensors; set it as [data] root")
    parser.add_argument(
        "--withheld",
        default="",
        metavar="DATASET:LABEL,…",
        help="labels that are never learnt from, for example those the result will be judged on",
    )
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> None:
    from ..episodes.packed import pack

    withheld = _withheld(options.withheld)
    common.require_place(options.output)
    progress = ProgressBar()
    count = pack(options.folder, options.output, withheld, lambda share: progress("packing", share))
    size = options.output.stat().st_size / 2**20
    print(f"{count} volumes in {options.output}, {size:.1f} MiB")


def _withheld(text: str) -> dict[str, list[int]]:
    """Label values by data set, from `dataset:label,dataset:label`."""
    found: dict[str, list[int]] = {}
    for part in filter(None, text.split(",")):
        dataset, _, label = part.strip().rpartition(":")
        if not dataset or not label.isdecimal():
            raise InputError(f"--withheld {part!r} is not DATASET:LABEL with a label's number, such as brain:17")
        found.setdefault(dataset, []).append(int(label))
    return found
