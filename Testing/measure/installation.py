"""Installs the learner for real, interrupts it in every way, and repairs it: what each takes in seconds and megabytes.

    python Testing/measure/installation.py BUNDLE [--kills 10]

BUNDLE is a folder that `metasegment bundle` made for this computer. Prints a table in Markdown. The row "disk full"
mounts a small file system, and is left out where that is not permitted.
"""

from __future__ import annotations

import argparse
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from metasegment.annotation import annotation_from_labels
from metasegment.client import LocalLearner
from metasegment.demo.phantom import abdomen_phantom, annotate, choose_slices
from metasegment.errors import InputError
from metasegment.installation import machine
from metasegment.installation.bundle_folder import read_bundle
from metasegment.installation.check import check
from metasegment.installation.environment import Environment
from metasegment.installation.install import Installation, install
from metasegment.progress import Progress

_SMALL = "900m"  # a file system on which the environment does not fit
_PIP = (sys.executable, "-m", "pip")
_CHILD = """
import os, sys
from pathlib import Path
from metasegment.installation.bundle_folder import read_bundle
from metasegment.installation.environment import Environment
from metasegment.installation.install import Installation, install
from metasegment.progress import Progress
pip = (sys.executable, "-m", "pip")
install(Installation(Environment(Path(sys.argv[1])), pip, dict(os.environ), read_bundle(Path(sys.argv[2]))), Progress())
"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("bundle", type=Path)
    parser.add_argument("--kills", type=int, default=10)
    options = parser.parse_args()
    print("| what happened | what was found | Repair, s |\n|---|---|---:|")
    with tempfile.TemporaryDirectory() as folder:
        wanted = Installation(Environment(Path(folder) / "learner"), _PIP, os.environ, read_bundle(options.bundle))
        whole = _repaired(wanted)
        _row(f"nothing: a fresh computer, {_megabytes(wanted.environment.folder)} MB", "not installed", whole)
        _row("first answer, from the start of the child to the segmentation", "phantom, 3 slices", _answered(wanted))
        for number in range(options.kills):
            moment = whole * (number + 0.5) / options.kills
            _kill_after(moment, wanted)
            _row(f"killed after {moment:.1f} s", _state(wanted), _repaired(wanted))
        _row("no network, nothing to install from", _without_network(wanted), _repaired(wanted))
        _row("a file emptied, in uv's cache too", _emptied(wanted), _repaired(wanted))
        with _small_disk(Path(folder) / "small") as place:
            if place:
                _row("disk full", _on_full_disk(replace(wanted, environment=Environment(place))), _repaired(wanted))


def _row(happened: str, found: str, seconds: float) -> None:
    print(f"| {happened} | {found} | {seconds:.1f} |", flush=True)


def _repaired(wanted: Installation) -> float:
    """Seconds of an installation; raises InputError where it does not end well."""
    since = time.monotonic()
    install(wanted, Progress())
    return time.monotonic() - since


def _state(wanted: Installation) -> str:
    found = check(wanted.environment.python, wanted.clean)
    return found.sentence or "all load"


def _answered(wanted: Installation) -> float:
    phantom, since = abdomen_phantom(), time.monotonic()
    labels = annotate(phantom.labels, choose_slices(phantom.labels))
    annotation = annotation_from_labels(labels, phantom.volume.geometry, phantom.names, phantom.colors)
    with LocalLearner(str(wanted.environment.python), "cpu", wanted.clean) as learner:
        assert learner.segment(phantom.volume, annotation).labels.any()
    return time.monotonic() - since


def _kill_after(seconds: float, wanted: Installation) -> None:
    """Begins an installation anew in another process, and kills that with all that it started."""
    assert wanted.bundle
    words = [sys.executable, "-c", _CHILD, str(wanted.environment.folder), str(wanted.bundle.folder)]
    with subprocess.Popen(words, start_new_session=True) as process:
        time.sleep(seconds)
        os.killpg(process.pid, signal.SIGKILL)


def _without_network(wanted: Installation) -> str:
    nowhere = {**os.environ, "UV_DEFAULT_INDEX": "http://127.0.0.1:9/simple"}
    return _refused(replace(wanted, bundle=None, variables=nowhere))


def _emptied(wanted: Installation) -> str:
    for file in wanted.environment.folder.rglob("monai/__init__.py"):
        file.write_text("")
    next(wanted.environment.root.rglob("torch/__init__.py")).unlink()
    return _state(wanted)


def _on_full_disk(wanted: Installation) -> str:
    """What is said if the disk fills up although enough was free before."""
    needed, machine._BYTES = machine._BYTES, 0
    try:
        return _refused(wanted)
    finally:
        machine._BYTES = needed


def _refused(wanted: Installation) -> str:
    try:
        install(wanted, Progress())
    except InputError as error:
        return str(error)
    return "all load"


@contextmanager
def _small_disk(place: Path) -> Iterator[Path | None]:
    place.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={_SMALL}", "tmpfs", place], capture_output=True)
    try:
        yield place if mounted.returncode == 0 else None
    finally:
        if mounted.returncode == 0:
            subprocess.run(["umount", place], check=True)


def _megabytes(folder: Path) -> int:
    """What the disk holds: linked files count once."""
    files = {(s.st_dev, s.st_ino): s.st_size for p in folder.rglob("*") if (s := p.lstat())}
    return sum(files.values()) >> 20


if __name__ == "__main__":
    main()
