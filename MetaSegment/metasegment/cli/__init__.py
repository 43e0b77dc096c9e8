"""The `metasegment` command: parses, calls, prints. Exit codes: 0 done, 2 bad input, 130 cancelled, 1 a defect."""

from __future__ import annotations

import argparse
import importlib
import io
import sys
from collections.abc import Sequence

from .. import __version__
from ..errors import Cancelled, InputError
from ..memory import is_out_of_memory

#: Commands, each a module of this package.
_COMMANDS = (
    *("segment", "suggest", "teach", "apply", "export", "serve", "pack", "train", "benchmark", "demo", "info"),
    *("agreement", "anatomy", "bundle", "check", "diagnose", "find", "report", "rerun"),
)


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs one command and returns its exit code."""
    parser = argparse.ArgumentParser(
        prog="metasegment", description="A few annotated slices in, a 3D segmentation out."
    )
    parser.add_argument("--version", action="version", version=f"metasegment {__version__}")
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    given = sys.argv[1:] if arguments is None else list(arguments)
    # A command that is named needs no other: most import torch, for which a service on its way up has no time.
    for name in given[:1] if given and given[0] in _COMMANDS else _COMMANDS:
        importlib.import_module(f"{__name__}.{name}").add_to(commands)
    options = parser.parse_args(given, argparse.Namespace(arguments=given))
    for stream in (sys.stdout, sys.stderr):  # names in any script, on terminals that cannot show them
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")
    try:
        options.run(options)
    except InputError as error:
        print(f"metasegment: {' '.join(str(error).split())}", file=sys.stderr)
        return 2
    except (MemoryError, RuntimeError) as error:
        if not is_out_of_memory(error):
            raise
        print("metasegment: out of memory; close other programs, or crop or downsample the image", file=sys.stderr)
        return 2
    except Cancelled as error:
        print(f"metasegment: {error}", file=sys.stderr)
        return 130
    except KeyboardInterrupt:
        print("metasegment: cancelled, nothing was written", file=sys.stderr)
        return 130
    return 0
