"""Dice of the product's answers on held-out structures, quickly: `python Testing/measure/accuracy.py --data DATA`.

For comparing weights and changes; `metasegment benchmark` has peers, intervals and every other part. Prints the mean
over data sets of the Dice on voxels that were not annotated, of the first answer, of the refined one and of slice
propagation alone, and the median of predicted over true length, for each number of evenly spaced axial slices.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import replace
from pathlib import Path
from statistics import mean, median

import numpy as np
from tasks import as_study, structures

from metasegment.annotation import BACKGROUND, Annotation
from metasegment.episodes.held_out import HeldOutTask, held_out_tasks, tasks_of
from metasegment.episodes.labelled import LabelledVolume
from metasegment.measures.dice import dice
from metasegment.network.engine import Engine
from metasegment.network.unet import RELEASED, load_network
from metasegment.segmentation import Budget
from metasegment.segmenter import Segmenter
from metasegment.volume import Volume


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--weights", type=Path, default=RELEASED)
    parser.add_argument("--counts", type=int, nargs="+", default=[1, 3, 5])
    parser.add_argument("--every", type=int, default=1, help="take every n-th structure")
    parser.add_argument("--training", action="store_true", help="on structures of the training data, to choose by")
    parser.add_argument("--ends", action="store_true", help="also mark an empty slice beyond each end")
    options = parser.parse_args()
    segmenter = Segmenter(Engine(load_network(options.weights), "cpu"))
    rows: dict[tuple[int, str], list[tuple[str, float]]] = defaultdict(list)
    start = time.monotonic()
    tasks = (training_tasks if options.training else held_out_tasks)(options.data, tuple(options.counts))
    for number, task in enumerate(tasks):
        if number // len(options.counts) % options.every:
            continue
        for name, value in measured(segmenter, task, options.ends).items():
            rows[task.slices, name].append((task.dataset, value))
        print(f"\r{number + 1} tasks, {time.monotonic() - start:.0f} s", end="", file=sys.stderr, flush=True)
    print(file=sys.stderr)
    for (count, name), values in sorted(rows.items()):
        each = by_dataset(values)
        whole = mean(each.values()) if "length" not in name else median(v for _, v in values)
        print(f"{count} slices {name:12s} {whole:.3f}  " + " ".join(f"{d} {v:.3f}" for d, v in each.items()))


def training_tasks(data: Path, counts: tuple[int, ...]) -> Iterator[HeldOutTask]:
    """Two structures of two cases of every training data set, annotated as held-out ones are."""
    for name, image, mask, spacing in structures(data, most=2):
        dataset, case, _ = name.split("/")
        yield from tasks_of(LabelledVolume(dataset, case, image, mask.short(), spacing, (1,)), 1, counts)


def measured(segmenter: Segmenter, task: HeldOutTask, ends: bool) -> dict[str, float]:
    """Dice by answer, and how long the refined one is for the truth."""
    volume, annotation = as_asked(task, ends)
    first: list[np.ndarray] = []
    result = segmenter.segment(volume, annotation, Budget(), preview=first.append)
    carried = segmenter.segment(volume, annotation, Budget(), "propagation")
    unknown = annotation.labels == 0
    truth = task.mask.numpy()
    scores = {"first": first[0], "refined": result.labels, "propagation": carried.labels}
    found = {name: dice(labels[unknown] > 0, truth[unknown]) for name, labels in scores.items()}
    planes = [np.flatnonzero(x.any((1, 2))) for x in (result.labels > 0, truth)]
    lengths = [np.ptp(p) + 1 if len(p) else 0 for p in planes]
    return {
        **found,
        "length": float(lengths[0] / lengths[1]),
        "estimate off": abs(found["refined"] - result.structures[0].estimated_dice),
    }


def as_asked(task: HeldOutTask, ends: bool) -> tuple[Volume, Annotation]:
    """The task as the product sees it, with an empty slice beyond each end where `ends` are given."""
    if not ends:
        return as_study(task)
    labels = task.scene.labels.clone()
    filled = np.flatnonzero(task.mask.numpy().any((1, 2)))
    for index in (filled[0] - 1, filled[-1] + 1):
        if 0 <= index < len(labels):
            labels[index] = BACKGROUND
    return as_study(replace(task, scene=replace(task.scene, labels=labels)))


def by_dataset(values: Iterable[tuple[str, float]]) -> dict[str, float]:
    """Mean within each data set."""
    found: dict[str, list[float]] = defaultdict(list)
    for dataset, value in values:
        found[dataset].append(value)
    return {dataset: mean(each) for dataset, each in found.items()}


if __name__ == "__main__":
    main()
