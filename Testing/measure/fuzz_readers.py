#!/usr/bin/env python3
"""Fuzz of every reader: valid files, made here and real, are mutated, and each must be read or refused in one line.

usage: fuzz_readers.py [--minutes 2] [--seed 0] [--data FOLDER ...] [READER ...]
Real files are those below 300 kB in the folders given. Each reader runs in a process of its own. Prints for each how
many files were tried, read and refused, the longest time, and how much memory the process has had at most beyond what
it began with. A traceback, a reading of more than 20 s or of more than 600 MB is a finding, kept in a file.
"""

from __future__ import annotations

import argparse
import multiprocessing
import random
import resource
import shutil
import sys
import tempfile
import time
import traceback
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
from fuzz_mutations import mutated

from metasegment.errors import InputError
from metasegment.export.structures import read_structures
from metasegment.export.to_file import to_file
from metasegment.io.annotation_file import read_annotation
from metasegment.io.dicom_file import header_of, is_dicom
from metasegment.io.task_file import read_task
from metasegment.io.volume_file import frames_in, read_volume, write_volume
from metasegment.volume import Geometry, Volume

GRID = Geometry((14, 12, 10), (0.8, 1.1, 2.5), (-20.0, 30.0, 100.0), (1, 0, 0, 0, 1, 0, 0, 0, 1))
LONGEST_S, PATIENCE_S, MOST_MB = 20.0, 240.0, 600
LARGEST_FILE, MOST_OF_A_SERIES, MOST_SEEDS = 300_000, 12, 25
IMAGES = {".nii": "nifti", ".gz": "nifti packed", ".nrrd": "nrrd", ".nhdr": "nrrd", ".mha": "mha", ".mhd": "mha"}


@dataclass(frozen=True)
class Seed:
    """A valid file, and what reads a mutated one that is beside it."""

    path: Path
    read: Callable[[Path], object]


@dataclass
class Tally:
    tried: int = 0
    read: int = 0
    refused: int = 0
    longest: float = 0.0
    most_mb: float = 0.0
    findings: int = 0


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minutes", type=float, default=2.0, help="for each reader")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--data", type=Path, action="append", default=[], help="a folder with real files")
    parser.add_argument("--keep", type=Path, default=Path(tempfile.gettempdir()) / "fuzz_findings")
    parser.add_argument("readers", nargs="*")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        seeds = made(Path(folder))
        for found in options.data:
            add_real(found, seeds, Path(folder))
        findings = 0
        for name in options.readers or list(seeds):
            with multiprocessing.Pool(1) as pool:
                running = pool.apply_async(fuzz, (name, options, Path(folder), seeds[name]))
                try:
                    tally = running.get(60 * options.minutes + PATIENCE_S)
                except multiprocessing.TimeoutError:
                    tally = ended(name, Path(folder), options.keep)
            print(
                f"{name:<16} {len(seeds[name]):>3} seeds {tally.tried:>6} files: {tally.read:>6} read, "
                f"{tally.refused:>6} refused, longest {tally.longest:5.2f} s, memory {tally.most_mb:,.0f} MB, "
                f"{tally.findings} findings",
                flush=True,
            )
            findings += tally.findings
    return 1 if findings else 0


def made(folder: Path) -> dict[str, list[Seed]]:
    """A small valid file of each kind, for each reader."""
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
    onto_grid = partial(read_structures, grid=GRID)
    seeds = {
        "nifti": [Seed(folder / "image.nii", read_volume)],
        "nifti packed": [Seed(folder / "image.nii.gz", read_volume)],
        "nrrd": [Seed(folder / "image.nrrd", read_volume)],
        "mha": [Seed(folder / "image.mha", read_volume)],
        "annotation": [Seed(folder / "drawn.nrrd", read_drawing)],
        "seg.nrrd": [Seed(folder / "a.seg.nrrd", onto_grid)],
        "dicom seg": [Seed(folder / "a.dcm", onto_grid), Seed(folder / "a.dcm", read_structures)],
        "rtstruct": [Seed(folder / "a.rtstruct.dcm", onto_grid)],
        "dicom slice": [Seed(slice_file, partial(read_in_series, slice_file))],
        "dicom frames": [Seed(frames, read_volume)],
    }
    taught = Path(__file__).parent / "task.safetensors"
    if taught.exists():
        seeds["task"] = [Seed(taught, read_task)]
    return seeds


def add_real(data: Path, seeds: dict[str, list[Seed]], folder: Path) -> None:
    """Add real files to the seeds of the readers that they are for; slices get a copy of a part of their series."""
    for path in sorted(data.rglob("*")):
        if not path.is_file() or path.stat().st_size > LARGEST_FILE:
            continue
        if path.name.endswith(".seg.nrrd"):
            add(seeds["seg.nrrd"], Seed(path, read_structures))
        elif path.suffix in IMAGES:
            add(seeds[IMAGES[path.suffix]], Seed(path, read_image_or_labels))
        elif is_dicom(path):
            add_dicom(path, seeds, folder)


def add_dicom(path: Path, seeds: dict[str, list[Seed]], folder: Path) -> None:
    try:
        header = header_of(path)
    except InputError:
        return
    modality = header.get("Modality")
    if modality == "SEG":
        add(seeds["dicom seg"], Seed(path, read_structures))
    elif modality == "RTSTRUCT":
        beside = next((f for f in sorted(path.parent.parent.iterdir()) if f.is_dir() and f != path.parent), path.parent)
        try:
            grid = read_volume(beside if path.parent.name == "mask" else path.parent).geometry
        except InputError:
            grid = GRID
        add(seeds["rtstruct"], Seed(path, partial(read_structures, grid=grid)))
    elif int(header.get("NumberOfFrames") or 1) > 1:
        add(seeds["dicom frames"], Seed(path, read_volume))
    elif not (copy := folder / "real" / path.parent.relative_to(path.anchor)).exists():
        copy.mkdir(parents=True)
        for slice_file in sorted(path.parent.iterdir())[:MOST_OF_A_SERIES]:
            if slice_file.is_file() and slice_file.stat().st_size <= LARGEST_FILE:
                shutil.copyfile(slice_file, copy / slice_file.name)
        if (copy / path.name).exists():
            add(seeds["dicom slice"], Seed(copy / path.name, partial(read_in_series, copy / path.name)))


def add(seeds: list[Seed], seed: Seed) -> None:
    """Add a seed whose file can be read or is refused; the rest of a large folder is like its first files."""
    if len(seeds) < MOST_SEEDS:
        seeds.append(seed)


def read_drawing(path: Path) -> object:
    return read_annotation(path, GRID), read_structures(path, GRID), frames_in(path)


def read_image_or_labels(path: Path) -> object:
    return read_volume(path), frames_in(path), read_structures(path)


def read_in_series(slice_file: Path, path: Path) -> object:
    """Reads the series of `slice_file` with the file at `path` in its place."""
    original = slice_file.read_bytes()
    try:
        slice_file.write_bytes(path.read_bytes())
        return read_volume(slice_file.parent)
    finally:
        slice_file.write_bytes(original)


def fuzz(name: str, options: argparse.Namespace, folder: Path, seeds: list[Seed]) -> Tally:
    """Read mutated files until the time is over."""
    # What a header promises must not be allocated: a process that tries ends here and not the machine.
    resource.setrlimit(resource.RLIMIT_AS, (12 << 30, 12 << 30))
    for seed in seeds:
        outcome(seed, seed.path)  # imports its libraries, so that the memory is that of the files
    tally, numbers, before = Tally(), random.Random(f"{options.seed} {name}"), most_memory()
    end = time.monotonic() + 60 * options.minutes
    while time.monotonic() < end:
        seed = numbers.choice(seeds)
        path = folder / "fuzzed" / name / seed.path.name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(mutated(seed.path.read_bytes(), numbers))
        start, memory = time.monotonic(), most_memory()
        refused, problem = outcome(seed, path)
        seconds = time.monotonic() - start
        tally.tried += 1
        tally.refused += refused
        tally.read += not (refused or problem)
        tally.longest = max(tally.longest, seconds)
        tally.most_mb = max(tally.most_mb, most_memory() - before)
        if seconds > LONGEST_S:
            problem = f"took {seconds:.0f} s"
        if most_memory() - before > MOST_MB and most_memory() > memory:
            problem = problem or f"took {most_memory() - before:,.0f} MB"
        if problem:
            tally.findings += 1
            keep(options.keep, name, tally.findings, path, f"{seed.path}\n{problem}")
    return tally


def outcome(seed: Seed, path: Path) -> tuple[bool, str]:
    """Whether a file was refused, and what is wrong with how."""
    try:
        seed.read(path)
    except InputError as error:
        return True, "more than one line" if "\n" in str(error) else ""
    except Exception:
        return False, traceback.format_exc(limit=-4)
    return False, ""


def most_memory() -> float:
    """Most memory in MB that this process has had."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def ended(name: str, folder: Path, kept: Path) -> Tally:
    """The finding where a file brought the process to an end, or never came to one: the last that was written."""
    last = max((folder / "fuzzed" / name).iterdir(), key=lambda path: path.stat().st_mtime)
    keep(kept, name, 1, last, "the process hung or ended")
    return Tally(findings=1)


def keep(folder: Path, name: str, number: int, path: Path, problem: str) -> None:
    """Keep a finding's file and print what it is, the first five of a reader in full."""
    folder.mkdir(parents=True, exist_ok=True)
    kept = folder / f"{name.replace(' ', '_')}_{number}_{path.name}"
    shutil.copyfile(path, kept)
    if number <= 5:
        print(f"finding in {name}, kept as {kept}, from {problem}", flush=True)


if __name__ == "__main__":
    sys.exit(main())
