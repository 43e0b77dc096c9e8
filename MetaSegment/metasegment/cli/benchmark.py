"""`metasegment benchmark`: MetaSegment and its peers on a frozen protocol, or on the user's own labelled cases."""

from __future__ import annotations

import argparse
import os
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from ..errors import InputError
from . import common
from .progress import ProgressBar

if TYPE_CHECKING:
    from ..benchmark.method import Method
    from ..benchmark.protocol import Protocol

#: Of MetaSegment's strategies these run unless others are named; what takes a minute a task runs only when named.
STRATEGIES = ("in_context", "fine_tune")
SLOW = ("scratch_unet_60s",)


def add_to(commands: common.Commands) -> None:
    parser = commands.add_parser("benchmark", help="measure MetaSegment and its peers, on a protocol or your own cases")
    parser.add_argument("protocol", metavar="PROTOCOL", nargs="?", help="a file, or the name of one that comes along")
    parser.add_argument("--cases", type=Path, help="instead: a folder of your own labelled cases")
    parser.add_argument("--data", type=Path, help="the protocol's data (default $METASEGMENT_DATA)")
    parser.add_argument("--methods", nargs="+", metavar="NAME", help="methods (default: all that can run here)")
    parser.add_argument("--parts", nargs="+", metavar="PART", help="parts of the protocol (default: all)")
    parser.add_argument("--output", required=True, type=Path, help="folder; what is done in it is not done again")
    common.add_device(parser)
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> None:
    try:
        from ..benchmark import methods, protocol, run
        from ..benchmark import outputs as outcome
    except ImportError as error:
        raise InputError(f"the benchmark needs {error.name}: pip install 'metasegment[benchmark]'") from None
    tasks, root = _tasks(options)
    tasks = protocol.chosen_parts(tasks, options.parts)
    known = methods.all_methods(options.weights, options.device)
    chosen = _chosen(known, options.methods)
    common.make_segmenter(options)  # weights or a device that cannot be used are the user's error, not a failed row
    try:
        options.output.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(f"cannot write in {options.output}: {error.strerror}; choose another folder") from None
    run.run(tasks, root, chosen, options.output, ProgressBar(), common.Interrupt())
    note = outcome.save(options.output, root, tasks, known)
    print(f"report: {options.output / 'report.md'}")
    if note:
        print(note)


def _tasks(options: argparse.Namespace) -> tuple[Protocol, Path]:
    """The tasks, and the folder that their data sets lie in."""
    from ..benchmark.protocol import named_protocol, read_protocol
    from ..benchmark.user_cases import own_protocol

    if (options.protocol is None) == (options.cases is None):
        raise InputError("give either a PROTOCOL or --cases FOLDER")
    if options.cases:
        return own_protocol(options.cases)
    protocol = read_protocol(named_protocol(options.protocol))
    data = options.data or Path(os.environ.get("METASEGMENT_DATA", "."))
    if not (data / protocol.split).is_dir():
        raise InputError(f"no folder {data / protocol.split}: give the protocol's data with --data")
    return protocol, data / protocol.split


def _chosen(known: Mapping[str, Method], names: list[str] | None) -> list[Method]:
    from ..benchmark.methods.metasegment import NAME
    from ..benchmark.summary import kind_of

    for name in names or ():
        if name not in known:
            raise InputError(f"no method {name!r}: use {', '.join(sorted(known))}")
        if why := known[name].missing():
            raise InputError(f"method {name} cannot run here: {why}")
    usual = [m.name for m in known.values() if kind_of(m) != "strategy" or m.name in STRATEGIES]
    quick = [name for name in usual if name not in SLOW and not known[name].missing()]
    chosen = [known[name] for name in dict.fromkeys(names or quick)]
    if not chosen:
        raise InputError(f"no method can run here: {known[NAME].missing()}")
    return chosen
