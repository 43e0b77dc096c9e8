"""`metasegment demo`: the whole way on a phantom, or on the user's own files, with a picture and a table."""

from __future__ import annotations

import argparse
from pathlib import Path

from . import common


def add_to(commands: common.Commands) -> None:
    parser = commands.add_parser("demo", help="show it: a CT-like phantom, three annotated slices, a picture, a table")
    parser.add_argument("--output", type=Path, default=Path("metasegment-demo"), help="folder (default %(default)s)")
    parser.add_argument("--image", type=Path, help="your own image instead of the phantom")
    parser.add_argument("--annotation", type=Path, help="the annotated slices of your own image")
    common.add_device(parser)
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> None:
    from ..demo.run import run_demo

    run_demo(options)
