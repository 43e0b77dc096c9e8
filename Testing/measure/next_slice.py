"""A simulated user who draws the slice that is advised: `python Testing/measure/next_slice.py --data DATA`.

From the middle axial slice on, on training structures, with the first answer after each slice. Prints the mean Dice on
voxels that were not annotated by number of slices: as advised, by the largest gap in the answer, by chance, and evenly
spaced over the true extent.
"""

from __future__ import annotations

import argparse
import random
from collections import defaultdict
from collections.abc import Callable
from pathlib import Path
from statistics import mean

import numpy as np
from tasks import structures

from metasegment.annotation import BACKGROUND, Annotation, annotation_from_labels
from metasegment.measures.dice import dice
from metasegment.network.engine import Engine
from metasegment.network.unet import RELEASED, load_network
from metasegment.progress import Progress
from metasegment.segmentation import Map
from metasegment.segmenter import Segmenter
from metasegment.segmenter.compose import compose
from metasegment.segmenter.locate import SegmentRequest, locate
from metasegment.segmenter.next_slice import suggest_next_slice
from metasegment.volume import Geometry, Volume

MOST = 5
Advice = Callable[[Map, Annotation, np.ndarray], tuple[int, int] | None]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--weights", type=Path, default=RELEASED)
    parser.add_argument("--most", type=int, default=1, help="structures of a case")
    options = parser.parse_args()
    segmenter = Segmenter(Engine(load_network(options.weights), "cpu"))
    ways: dict[str, Advice] = {"advised": advised, "by chance": by_chance}
    scores: dict[tuple[str, int], list[float]] = defaultdict(list)
    for name, image, mask, spacing in structures(options.data, options.most):
        truth = mask.numpy()
        filled = np.flatnonzero(truth.any((1, 2)))
        if len(filled) < 2 * MOST:
            continue
        volume = as_volume(image.numpy(), spacing)
        for way, advice in ways.items():
            drawn = {(0, int(filled[len(filled) // 2]))}
            for count in range(1, MOST + 1):
                found, annotation = answered(segmenter, volume, truth, drawn)
                scores[way, count].append(dice_off_slices(found.labels, truth, annotation))
                if plane := advice(found, annotation, truth):
                    drawn = drawn | {plane}
        for count in range(1, MOST + 1):
            shares = np.linspace(0.12, 0.88, count) if count > 1 else [0.5]
            drawn = {(0, int(filled[round(s * (len(filled) - 1))])) for s in shares}
            found, annotation = answered(segmenter, volume, truth, drawn)
            scores["evenly", count].append(dice_off_slices(found.labels, truth, annotation))
        print(name, flush=True)
    for (way, count), values in sorted(scores.items()):
        print(f"{way:10s} {count} slices {mean(values):.3f} of {len(values)} structures")


def advised(found: Map, annotation: Annotation, truth: np.ndarray) -> tuple[int, int] | None:
    """What the product advises."""
    suggestion = suggest_next_slice(found, annotation)
    return (suggestion.axis, suggestion.index) if suggestion else None


def by_chance(found: Map, annotation: Annotation, truth: np.ndarray) -> tuple[int, int] | None:
    """An axial slice through the true structure that is not annotated yet."""
    known = {plane.index for plane in annotation.slices}
    free = [int(n) for n in np.flatnonzero(truth.any((1, 2))) if n not in known]
    return (0, random.Random(len(known)).choice(free)) if free else None


def answered(
    segmenter: Segmenter, volume: Volume, truth: np.ndarray, drawn: set[tuple[int, int]]
) -> tuple[Map, Annotation]:
    """The first answer, where these planes are drawn."""
    labels = np.zeros(truth.shape, np.uint8)
    for axis, index in drawn:
        np.moveaxis(labels, axis, 0)[index] = np.where(np.moveaxis(truth, axis, 0)[index], 1, BACKGROUND)
    annotation = annotation_from_labels(labels, volume.geometry)
    request = SegmentRequest(volume, annotation)
    located = locate(request, 1, None, segmenter.strategies["in_context"], segmenter.engine, Progress())
    return compose(annotation, [located.answered(located.preview, "in_context")]), annotation


def dice_off_slices(found: np.ndarray, truth: np.ndarray, annotation: Annotation) -> float:
    unknown = annotation.labels == 0
    return dice((found > 0)[unknown], truth[unknown])


def as_volume(image: np.ndarray, spacing: tuple[float, float, float]) -> Volume:
    k, j, i = spacing
    size = image.shape[2], image.shape[1], image.shape[0]
    return Volume(image, Geometry(size, (i, j, k), (0.0, 0.0, 0.0), tuple(np.eye(3).ravel().tolist())))


if __name__ == "__main__":
    main()
