"""`metasegment bundle`: a folder from which Slicer's panel installs the learner without a network."""

from __future__ import annotations

import argparse
import json
from pathlib import Path

from ..errors import InputError
from ..installation.bundle import make_bundle
from ..installation.machine import PLATFORMS, PYTHON, this_machine
from ..progress import Progress
from . import common, files
from .progress import ProgressBar

_WEIGHTS = Path(__file__).parents[1] / "weights"


def add_to(commands: common.Commands) -> None:
    parser = commands.add_parser("bundle", help="a folder to install the learner from where there is no network")
    parser.add_argument("folder", metavar="FOLDER", type=Path, help="a new folder")
    parser.add_argument(
        "--platform", default=this_machine().platform, help=f"{', '.join(PLATFORMS)} (default: this computer's)"
    )
    parser.add_argument("--python", default=PYTHON, help="minor version of Python (default %(default)s)")
    parser.add_argument(
        "--torch",
        default="",
        metavar="BUILD",
        help="build of torch: cpu, cu126 (for NVIDIA cards before Turing), cu130, … (default: the package index's own)",
    )
    parser.add_argument("--json", action="store_true", help="print one JSON object on standard output")
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> None:
    if options.platform not in PLATFORMS:
        raise InputError(f"--platform {options.platform} is none of {', '.join(PLATFORMS)}")
    progress = Progress(report=ProgressBar(), cancelled=common.Interrupt())
    notes = make_bundle(options.folder, options.platform, options.python, options.torch, _WEIGHTS, progress)
    files.tell(notes)
    size = sum(path.stat().st_size for path in options.folder.rglob("*") if path.is_file())
    if options.json:
        facts = {"folder": str(options.folder), "platform": options.platform, "python": options.python, "bytes": size}
        print(json.dumps({**facts, "notes": notes}))
    else:
        print(f"{options.folder}: {options.platform}, Python {options.python}, {size / 1e6:.0f} MB")
