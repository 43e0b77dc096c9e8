"""Seconds and memory of a segmentation in a warm process: `python Testing/measure/speed.py [--threads 2]`.

A CT-like volume of 512 x 512 x 300 voxels is made in memory and a few axial slices of an organ are annotated. It is
segmented, then 256 x 256 x 150 voxels around the same organ, then all of it again, as the first of equal boxes also
sets up the kernels of its grids. Slicer's Grow from seeds has the whole one too where slicer-core is installed. Each
cost is a ratio to one plain forward pass as well, which says more than seconds on a machine of unknown speed. The
budget is the default one. Reports; asserts nothing.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TypeVar

import numpy as np
import torch

from metasegment.annotation import BACKGROUND, Annotation, annotation_from_labels
from metasegment.benchmark.method import Study
from metasegment.benchmark.methods.grow_from_seeds import METHODS
from metasegment.network.channels import CHANNELS
from metasegment.network.devices import choose_device
from metasegment.network.engine import Engine
from metasegment.network.unet import load_network
from metasegment.segmenter import Segmenter
from metasegment.volume import Geometry, Volume

SPACING = (0.75, 0.75, 1.0)  # mm along i, j, k
WHOLE, PART = (300, 512, 512), (150, 256, 256)  # voxels along k, j, i
#: Edge in cells of the grid of the plain forward pass.
PLAIN_EDGE = 96
#: Centre and radii in voxels (k, j, i), and Hounsfield units, of organs in the body; the first are annotated.
ORGANS = (
    ((150, 260, 200), (38, 58, 66), 110),
    ((165, 250, 310), (34, 44, 40), 150),
    ((110, 290, 300), (24, 30, 30), 190),
)
BODY, AIR, NOISE = 40, -1000, 25  # Hounsfield units
#: Slices lie evenly between these shares of an organ's length.
FIRST, LAST = 0.12, 0.88
T = TypeVar("T")


@dataclass(frozen=True)
class Cost:
    """Seconds of one piece of work, or of a part of it, and the highest memory of the process meanwhile."""

    name: str
    seconds: float
    peak_bytes: int


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--threads", type=int, default=2, help="CPU threads (default %(default)s)")
    parser.add_argument("--device", default="cpu", help="auto, cpu (default), cuda or cuda:N")
    parser.add_argument("--slices", type=int, default=3, help="annotated slices of each organ (default %(default)s)")
    parser.add_argument("--organs", type=int, default=1, choices=range(1, len(ORGANS) + 1), help="annotated organs")
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    segmenter = Segmenter(Engine(load_network(), choose_device(options.device)))
    volume, truth = ct_like(options.organs)
    annotation = annotated(truth, volume.geometry, options.slices)
    del truth
    part = cut_out(volume, annotation)
    warm_up(segmenter, *part)
    plain = plain_pass(segmenter.engine)
    costs = [
        cost
        for study, note in (((volume, annotation), ""), (part, ""), ((volume, annotation), " again"))
        for cost in segmentation(segmenter, *study, note)
    ]
    if options.organs == 1:
        costs += grown_from_seeds(volume, annotation)
    precision = segmenter.engine.precision
    print(
        f"{options.organs} organ(s), {options.slices} slices each; {options.threads} threads, {segmenter.engine.device}"
    )
    print(f"{precision.dtype}, {precision.layout}; torch {torch.__version__}")
    print(table(plain, costs))


def ct_like(annotatable: int) -> tuple[Volume, np.ndarray]:
    """An abdomen of ellipsoids in noise, int16, and the labels (k, j, i) of its first organs."""
    generator = np.random.default_rng(0)
    array = np.empty(WHOLE, np.int16)
    truth = np.zeros(WHOLE, np.uint8)
    rows, columns = np.ogrid[: WHOLE[1], : WHOLE[2]]
    body = ((rows - 260) / 170) ** 2 + ((columns - 256) / 230) ** 2 <= 1
    for k in range(WHOLE[0]):
        plane = np.where(body, BODY, AIR)
        for label, (centre, radii, intensity) in enumerate(ORGANS, 1):
            left = 1 - ((k - centre[0]) / radii[0]) ** 2
            inside = ((rows - centre[1]) / radii[1]) ** 2 + ((columns - centre[2]) / radii[2]) ** 2 <= left
            plane = np.where(inside, intensity, plane)
            truth[k][inside & (label <= annotatable)] = label
        array[k] = plane + NOISE * generator.standard_normal(plane.shape, np.float32)
    k, j, i = WHOLE
    return Volume(array, Geometry((i, j, k), SPACING, (0.0, 0.0, 0.0), (1, 0, 0, 0, 1, 0, 0, 0, 1))), truth


def annotated(truth: np.ndarray, geometry: Geometry, slices: int) -> Annotation:
    """Evenly spaced axial slices of each organ, all voxels known."""
    labels = np.zeros_like(truth)
    for organ in range(1, int(truth.max()) + 1):
        filled = np.flatnonzero((truth == organ).any((1, 2)))
        shares = np.linspace(FIRST, LAST, slices) if slices > 1 else np.array([0.5])
        for k in filled[np.rint(shares * (len(filled) - 1)).astype(int)]:
            labels[k] = np.where(truth[k], truth[k], BACKGROUND)
    return annotation_from_labels(labels, geometry)


def cut_out(volume: Volume, annotation: Annotation) -> tuple[Volume, Annotation]:
    """The part of volume and annotation around the first organ."""
    corner = [min(max(0, c - n // 2), whole - n) for c, n, whole in zip(ORGANS[0][0], PART, WHOLE, strict=True)]
    k, j, i = (slice(start, start + n) for start, n in zip(corner, PART, strict=True))
    geometry = replace(volume.geometry, size=PART[::-1])
    labels = annotation_from_labels(annotation.labels[k, j, i].copy(), geometry)
    return Volume(volume.array[k, j, i].copy(), geometry), labels


def warm_up(segmenter: Segmenter, volume: Volume, annotation: Annotation) -> None:
    """One segmentation of every third voxel: loads code and sets kernels up."""
    array, labels = volume.array[::3, ::3, ::3].copy(), annotation.labels.copy()
    for sheet in annotation.slices:
        labels[sheet.index // 3 * 3] = labels[sheet.index]
    labels = labels[::3, ::3, ::3].copy()
    k, j, i = array.shape
    geometry = replace(volume.geometry, size=(i, j, k))
    segmenter.segment(Volume(array, geometry), annotation_from_labels(labels, geometry))


def plain_pass(engine: Engine) -> Cost:
    """The network alone on a cube, the best of three."""
    channels = torch.zeros(len(CHANNELS), PLAIN_EDGE, PLAIN_EDGE, PLAIN_EDGE)
    engine.logits(channels)
    seconds, peaks = [], []
    for _ in range(3):
        started = time.perf_counter()
        _, peak = with_peak(lambda: engine.logits(channels))
        seconds.append(time.perf_counter() - started)
        peaks.append(peak)
    return Cost(f"forward pass of {PLAIN_EDGE}³ cells", min(seconds), max(peaks))


def segmentation(segmenter: Segmenter, volume: Volume, annotation: Annotation, note: str) -> list[Cost]:
    """First answer and refined result of one volume."""
    first: list[float] = []
    started = time.perf_counter()
    result, peak = with_peak(
        lambda: segmenter.segment(
            volume, annotation, preview=lambda labels: first.append(time.perf_counter() - started)
        )
    )
    refined = time.perf_counter() - started
    name = " x ".join(map(str, volume.geometry.size)) + note
    stages = ", ".join(f"{stage} {seconds:.2f} s" for stage, seconds in result.seconds.items())
    chosen = ", ".join(f"{s.strategy} (estimated Dice {s.estimated_dice:.2f})" for s in result.structures)
    print(f"{name}: {stages}; {chosen}")
    return [Cost(f"{name}: first answer", first[0], peak), Cost(f"{name}: refined", refined, peak)]


def grown_from_seeds(volume: Volume, annotation: Annotation) -> list[Cost]:
    """Slicer's effect on one organ, in the box that it works in; nothing where slicer-core is absent."""
    effect = METHODS[0]
    if effect.missing():
        return []
    started = time.perf_counter()
    _, peak = with_peak(lambda: effect.predict(Study(volume, annotation, None)))
    return [Cost(effect.label, time.perf_counter() - started, peak)]


def with_peak(work: Callable[[], T]) -> tuple[T, int]:
    """A result, and the highest resident memory of the process in bytes while it was made; Linux only."""
    Path("/proc/self/clear_refs").write_text("5")  # resets VmHWM: man 5 proc
    result = work()
    lines = Path("/proc/self/status").read_text().splitlines()
    peak = next(line for line in lines if line.startswith("VmHWM:"))
    return result, int(peak.split()[1]) * 1024


def table(plain: Cost, costs: list[Cost]) -> str:
    lines = [f"{'':<36} {'seconds':>8} {'ratio':>6} {'peak GB':>8} {'ratio':>6}"]
    for cost in (plain, *costs):
        seconds, memory = cost.seconds / plain.seconds, cost.peak_bytes / plain.peak_bytes
        lines.append(
            f"{cost.name:<36} {cost.seconds:>8.2f} {seconds:>6.1f} {cost.peak_bytes / 1e9:>8.2f} {memory:>6.1f}"
        )
    return "\n".join(lines)


if __name__ == "__main__":
    main()
