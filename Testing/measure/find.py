"""Many of a kind, measured as detection: sensitivity at 1, 2, 4 and 8 false positives a volume, and Dice of the found.

    python Testing/measure/find.py phantoms [SEEDS]          5, 30, 80 and 200 lesions in synthetic blocks
    python Testing/measure/find.py spines SPLIT [CASES]      vertebral bodies of `DATA/train`, or of another split
    python Testing/measure/find.py speed                     a 512 x 512 x 300 CT-like volume: seconds

Two objects of middling size are given as examples, all others are to be found. About a minute a volume on one core.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from metasegment.demo.lesions import lesion_phantom
from metasegment.io.volume_file import read_volume, read_voxels
from metasegment.network.unet import RELEASED
from metasegment.objects import FoundObjects
from metasegment.progress import Progress
from metasegment.segmenter import Segmenter
from metasegment.segmenter.load import load_segmenter
from metasegment.volume import Geometry, Volume

ALLOWED = (1, 2, 4, 8)
#: A found object is a true one where their Dice is at least this.
HIT = 0.3
COUNTS = (5, 30, 80, 200)
SPINES = ("spine_mr_t2_lumbar_chu", "spine_mr_clinical_zukic", "spine_mr_myosegmentum")
LARGE = (300, 512, 512)


@dataclass(frozen=True)
class Score:
    """Of one volume: confidence and Dice of the true objects found, confidence of the false ones, objects to find."""

    hits: tuple[tuple[float, float], ...]
    false: tuple[float, ...]
    wanted: int


def score(found: FoundObjects, truth: np.ndarray, given: list[int]) -> Score:
    """Compares with numbered true objects (k, j, i), of which some were given; the surest find of each counts."""
    sizes = np.bincount(truth.ravel())
    hits: dict[int, tuple[float, float]] = {}
    false = []
    for item in sorted(found.objects, key=lambda o: -o.confidence):
        if item.example:
            continue
        under = truth[found.labels == item.label]
        shared = np.bincount(under, minlength=len(sizes))
        shared[[0, *given]] = 0
        label = int(shared.argmax())
        dice = 2 * shared[label] / (len(under) + sizes[label])
        if dice >= HIT and label not in hits:
            hits[label] = (item.confidence, float(dice))
        else:
            false.append(item.confidence)
    return Score(tuple(hits.values()), tuple(false), len(np.unique(truth)) - 1 - len(given))


def report(name: str, scores: list[Score], seconds: float) -> None:
    """One line: what is found at each number of false positives a volume, over all volumes."""
    wanted = sum(s.wanted for s in scores)
    false = sorted((c for s in scores for c in s.false), reverse=True)
    hits = [hit for s in scores for hit in s.hits]
    sensitivities = []
    for allowed in ALLOWED:
        n = allowed * len(scores)
        least = false[n] if n < len(false) else -1.0
        sensitivities.append(sum(confidence > least for confidence, _ in hits) / wanted)
    shown = "  ".join(f"{s:.2f} at {n}" for s, n in zip(sensitivities, ALLOWED, strict=True))
    dice = np.mean([d for _, d in hits]) if hits else float("nan")
    print(
        f"{name}: {len(scores)} volumes, {wanted} objects: {shown}; all {len(hits) / wanted:.2f} with "
        f"{len(false) / len(scores):.1f} false; Dice {dice:.3f}; {seconds / len(scores):.1f} s of CPU a volume",
        flush=True,
    )


def middling(truth: np.ndarray) -> list[int]:
    """The numbers of two objects of middling size that are not cut by the edge."""
    inner = truth[1:-1, 1:-1, 1:-1]
    sizes, inside = np.bincount(truth.ravel()), np.bincount(inner.ravel(), minlength=int(truth.max()) + 1)
    whole = [n for n in np.flatnonzero(sizes).tolist() if n and sizes[n] == inside[n]]
    by_size = sorted(whole, key=lambda n: int(sizes[n]))
    return [by_size[len(by_size) // 3], by_size[(2 * len(by_size)) // 3]]


def asked(segmenter: Segmenter, volume: Volume, truth: np.ndarray) -> Score:
    given = middling(truth)
    drawn = np.isin(truth, given).astype(np.uint8)
    return score(segmenter.find(volume, drawn, progress=Progress()), truth, given)


def over_phantoms(segmenter: Segmenter, seeds: int) -> None:
    for count in COUNTS:
        shape = (96, 160, 160) if count < 100 else (160, 256, 256)
        start = time.process_time()
        phantoms = [lesion_phantom(seed, count, shape) for seed in range(seeds)]
        made = time.process_time() - start
        scores = [asked(segmenter, p.volume, p.lesions) for p in phantoms]
        report(f"{count} lesions", scores, time.process_time() - start - made)


def spines(split: Path, cases: int) -> Iterator[tuple[str, list[tuple[Volume, np.ndarray]]]]:
    for folder in (split / name for name in SPINES if (split / name).is_dir()):
        found = []
        for path in sorted(folder.glob("*/labels.nii.gz"))[:cases]:
            found.append((read_volume(path.parent / "image.nii.gz"), read_voxels(path).array.astype(np.uint16)))
        yield folder.name, found


def timed(segmenter: Segmenter) -> None:
    rng = np.random.default_rng(0)
    small = lesion_phantom(0, 30)
    fold = [-(-n // m) for n, m in zip(LARGE, small.lesions.shape, strict=True)]
    k, j, i = (slice(n) for n in LARGE)
    tiled = np.tile(small.volume.array, fold)[k, j, i] + rng.integers(-5, 5, LARGE, np.int16)
    drawn = np.zeros(LARGE, np.uint8)
    part = tuple(slice(n) for n in small.lesions.shape)
    drawn[part] = np.isin(small.lesions, middling(small.lesions))
    geometry = Geometry(
        (LARGE[2], LARGE[1], LARGE[0]), (0.8, 0.8, 1.0), (0.0, 0.0, 0.0), small.volume.geometry.direction
    )
    start, used = time.perf_counter(), time.process_time()
    found = segmenter.find(Volume(tiled, geometry), drawn, progress=Progress())
    print(
        f"512 x 512 x 300: {time.perf_counter() - start:.1f} s, {time.process_time() - used:.1f} s of CPU, "
        f"{len(found.objects)} objects, {found.peak_memory_mb:.0f} MB; {found.seconds}"
    )


def main() -> None:
    segmenter = load_segmenter(RELEASED, "cpu")
    what, *rest = sys.argv[1:]
    if what == "phantoms":
        over_phantoms(segmenter, int(rest[0]) if rest else 2)
    elif what == "speed":
        timed(segmenter)
    else:
        for name, volumes in spines(Path(rest[0]), int(rest[1]) if len(rest) > 1 else 4):
            start = time.process_time()
            scores = [asked(segmenter, volume, truth) for volume, truth in volumes]
            report(name, scores, time.process_time() - start)


if __name__ == "__main__":
    main()
