"""`metasegment suggest`: the next slice worth annotating, and why."""

from __future__ import annotations

import argparse
import json

from ..progress import Progress
from . import common, printed
from .progress import ProgressBar


def add_to(commands: common.Commands) -> None:
    parser = commands.add_parser("suggest", help="the next slice worth annotating, and why")
    common.add_inputs(parser)
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> None:
    segmenter = common.make_segmenter(options)
    volume, annotation = common.read_inputs(options)
    progress = Progress(report=ProgressBar(), cancelled=common.Interrupt())
    suggestion = segmenter.suggest(volume, annotation, progress)
    if options.json:
        notes = volume.notes + annotation.notes
        print(json.dumps({"next_slice": printed.next_slice_as_json(suggestion), "notes": notes}))
    else:
        print(printed.next_slice_as_text(suggestion))
