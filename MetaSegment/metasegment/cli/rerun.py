"""`metasegment rerun`: repeats what a manifest tells of, and says whether the result is the same."""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from ..errors import InputError
from ..manifest import checksum_of_path, read_manifest
from . import common, files
from .manifest import IN_A_COHORT


def add_to(commands: common.Commands) -> None:
    parser = commands.add_parser("rerun", help="repeat a run from its manifest, and say whether the result is the same")
    parser.add_argument("manifest", metavar="MANIFEST", type=Path, help="what --manifest wrote, or that of a cohort")
    parser.add_argument("--json", action="store_true", help="print one JSON object on standard output")
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> None:
    before = read_manifest(options.manifest)
    _refuse_changed(before)
    after = _repeated(before)
    notes = _changes(before, after)
    files.tell(notes)
    same = before["result"] == after["result"]
    if options.json:
        print(json.dumps({"same": same, "notes": notes, "before": before["result"], "after": after["result"]}))
    else:
        print("the result is the same, voxel by voxel" if same else "the result is not the same: --json tells both")


def _refuse_changed(manifest: Mapping[str, Any]) -> None:
    for name, checksum in manifest["inputs"].items():
        path = Path(manifest["folder"]) / name
        if not path.exists():
            raise InputError(f"cannot repeat the run: {path} is not there any more")
        if checksum_of_path(path) != checksum:
            raise InputError(f"cannot repeat the run: {path} has changed since")


def _repeated(manifest: Mapping[str, Any]) -> dict[str, Any]:
    """The manifest of the same command with other outputs: of options given twice the last counts."""
    if not Path(manifest["folder"]).is_dir():
        raise InputError(f"cannot repeat the run: its folder {manifest['folder']} is not there any more")
    with TemporaryDirectory(prefix="metasegment-") as name:
        places = {option: Path(name) / f"{option}-{Path(path).name}" for option, path in manifest["outputs"].items()}
        others = [word for option, path in places.items() for word in (f"--{option.replace('_', '-')}", str(path))]
        command = [sys.executable, "-m", "metasegment", *map(str, manifest["arguments"]), *others]
        done = subprocess.run(command, cwd=manifest["folder"], stdout=subprocess.DEVNULL)
        if done.returncode:
            raise InputError(f"cannot repeat the run: it ended with exit code {done.returncode}, as said above")
        return read_manifest(places.get("manifest") or places["output"] / IN_A_COHORT)


def _changes(before: Mapping[str, Any], after: Mapping[str, Any]) -> list[str]:
    """What has changed in versions, weights and device, a sentence each."""
    then, now = before["versions"], after["versions"]
    told = [f"{name} was {then.get(name)} and is {now[name]}" for name in now if then.get(name) != now[name]]
    if before["weights"] != after["weights"]:
        told.append("the weights are others")
    if before.get("device") != after.get("device"):
        told.append(f"it was computed on {before.get('device')}, and now on {after.get('device')}")
    return told
