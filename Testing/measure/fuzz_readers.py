#!/usr/bin/env python3
"""Fuzz of every reader: valid small files are mutated, and each must be read or refused in one line.

usage: fuzz_readers.py [--minutes 2] [--seed 0] [READER ...]
Prints for each reader how many files were tried, read and refused, the longest time, and the most memory that the
process has had. A traceback, a reading of more than 20 s or more than 2 GB of memory is a finding, kept in a file.
"""

from __future__ import annotations

import argparse
import random
import resource
import sys
import tempfile
import time
import traceback
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from metasegment.errors import InputError
from metasegment.export.structures import read_structures
from metasegment.export.to_file import to_file
from metasegment.io.annotation_file import read_annotation
from metasegment.io.task_file import read_task
from metasegment.io.volume_file import frames_in, read_volume, write_volume
from metasegment.volume import Geometry, Volume

GRID = Geometry((14, 12, 10), (0.8, 1.1, 2.5), (-20.0, 30.0, 100.0), (1, 0, 0, 0, 1, 0, 0, 0, 1))
LONGEST_S, MOST_MB = 20.0, 2000
#: Values that break readers: sizes, offsets and counts at their limits, and texts where numbers are expected.
NUMBERS = [b"\0\0\0\0", b"\xff\xff\xff\xff", b"\x7f\xff\xff\xff", b"\xff\xff\xff\x7f", b"\0\0\0\x80", b"\0\0\xc0\x7f"]
TEXTS = [b"nan", b"-1", b"1e308", b"999999999999", b"0", b"", b"\\", b"%s", b"\xff\xfe", b"inf", b"LIST", b"none"]


@dataclass
class Tally:
    tried: int = 0
    read: int = 0
    refused: int = 0
    longest: float = 0.0
    findings: int = 0


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minutes", type=float, default=2.0, help="for each reader")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--keep", type=Path, default=Path(tempfile.gettempdir()) / "fuzz_findings")
    parser.add_argument("readers", nargs="*")
    options = parser.parse_args()
    # What a header promises must not be allocated: a process that tries ends here and not the machine.
    resource.setrlimit(resource.RLIMIT_AS, (12 << 30, 12 << 30))
    findings = 0
    with tempfile.TemporaryDirectory() as folder:
        targets = made(Path(folder))
        for name in options.readers or list(targets):
            file, read = targets[name]
            tally = fuzz(name, file, read, options, Path(folder))
            used = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
            print(
                f"{name:<18} {tally.tried:>6} files: {tally.read:>6} read, {tally.refused:>6} refused, longest "
                f"{tally.longest:5.2f} s, memory {used:,.0f} MB, {tally.findings} findings",
                flush=True,
            )
            findings += tally.findings
    return 1 if findings else 0


def made(folder: Path) -> dict[str, tuple[Path, Callable[[Path], object]]]:
    """A small valid file of each kind, and what reads it."""
    sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
    from helpers.dicom_files import write_frames, write_series

    rng = np.random.default_rng(0)
    image = Volume(rng.integers(-500, 500, GRID.shape).astype(np.int16), GRID)
    labels = np.zeros(GRID.shape, np.uint8)
    labels[3:6, 2:6, 2:6], labels[4:8, 7:11, 7:12] = 1, 2
    drawn = labels.copy()
    drawn[4:6] = np.where(labels[4:6] == 0, 255, labels[4:6])
    for name in ("image.nii", "image.nii.gz", "image.nrrd", "image.mha"):
        write_volume(image, folder / name)
    write_volume(Volume(drawn, GRID), folder / "drawn.nrrd")
    write_volume(Volume(labels, GRID), folder / "labels.nii")
    series = write_series(folder / "series", image)
    frames = write_frames(folder / "frames", image, range(10)) / "frames.dcm"
    for name in ("a.seg.nrrd", "a.dcm", "a.rtstruct.dcm"):
        to_file(folder / "labels.nii", folder / name, series)
    slice_file = sorted(series.iterdir())[3]

    def annotation(path: Path) -> object:
        return read_annotation(path, GRID), read_structures(path, GRID), frames_in(path)

    def one_slice(path: Path) -> object:
        original = slice_file.read_bytes()
        try:
            slice_file.write_bytes(path.read_bytes())
            return read_volume(series)
        finally:
            slice_file.write_bytes(original)

    readers: dict[str, tuple[Path, Callable[[Path], object]]] = {
        "nifti": (folder / "image.nii", read_volume),
        "nifti packed": (folder / "image.nii.gz", read_volume),
        "nrrd": (folder / "image.nrrd", read_volume),
        "mha": (folder / "image.mha", read_volume),
        "annotation": (folder / "drawn.nrrd", annotation),
        "seg.nrrd": (folder / "a.seg.nrrd", lambda path: read_structures(path, GRID)),
        "dicom seg": (folder / "a.dcm", lambda path: read_structures(path, GRID)),
        "dicom seg alone": (folder / "a.dcm", read_structures),
        "rtstruct": (folder / "a.rtstruct.dcm", lambda path: read_structures(path, GRID)),
        "dicom slice": (slice_file, one_slice),
        "dicom frames": (frames, read_volume),
    }
    taught = Path(__file__).parent / "task.safetensors"
    if taught.exists():
        readers["task"] = (taught, read_task)
    return readers


def fuzz(name: str, file: Path, read: Callable[[Path], object], options: argparse.Namespace, folder: Path) -> Tally:
    tally, random_numbers, octets = Tally(), random.Random(f"{options.seed} {name}"), file.read_bytes()
    end = time.monotonic() + 60 * options.minutes
    place = folder / "fuzzed" / name
    place.mkdir(parents=True)
    path = place / file.name
    for mutated in mutations(octets, random_numbers):
        if time.monotonic() > end:
            return tally
        path.write_bytes(mutated)
        start, problem = time.monotonic(), ""
        tally.tried += 1
        try:
            read(path)
            tally.read += 1
        except InputError as error:
            tally.refused += 1
            problem = "more than one line" if "\n" in str(error) else ""
        except Exception:
            problem = traceback.format_exc(limit=-4)
        seconds = time.monotonic() - start
        tally.longest = max(tally.longest, seconds)
        if seconds > LONGEST_S:
            problem = f"took {seconds:.0f} s"
        if resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024 > MOST_MB:
            problem = problem or "took more memory than allowed"
        if problem:
            tally.findings += 1
            keep(options.keep, name, tally.findings, path, problem)
    return tally


def keep(folder: Path, name: str, number: int, path: Path, problem: str) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    kept = folder / f"{name.replace(' ', '_')}_{number}_{path.name}"
    kept.write_bytes(path.read_bytes())
    if number <= 5:
        print(f"finding in {name}, kept as {kept}:\n{problem}", flush=True)


def mutations(octets: bytes, numbers: random.Random) -> Iterator[bytes]:
    """For ever: bytes flipped, numbers and texts at their limits, parts cut, doubled or moved; mostly in the header."""
    while True:
        found = bytearray(octets)
        for _ in range(numbers.choice((1, 1, 1, 2, 3, 8))):
            if not found:
                break
            header = min(len(found), 4096)
            at = numbers.randrange(header if numbers.random() < 0.8 else len(found))
            kind = numbers.randrange(7)
            if kind == 0:
                found[at] = numbers.randrange(256)
            elif kind == 1:
                found[at] ^= 1 << numbers.randrange(8)
            elif kind == 2:
                found[at : at + 4] = numbers.choice(NUMBERS)
            elif kind == 3:
                text = numbers.choice(TEXTS)
                found[at : at + len(text)] = text
            elif kind == 4:
                del found[at : at + numbers.choice((1, 2, 4, 16, 1000))]
            elif kind == 5:
                part = found[at : at + numbers.choice((1, 2, 8, 64))]
                found[at:at] = part
            else:
                del found[numbers.randrange(len(found)) :]
        yield bytes(found)


if __name__ == "__main__":
    sys.exit(main())
