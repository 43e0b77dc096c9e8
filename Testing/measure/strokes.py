"""What strokes are worth: `python Testing/measure/strokes.py --data DATA`.

A simulated user looks at the first answer, finds the largest region of an axial slice that is wrong, and marks a disc
in it, in or out; again and again. Prints, by number of annotated slices and of strokes, the mean over data sets of the
Dice of the answer, of the same answer without the random walk from the strokes (so that the network alone has seen
them), and of a plain random walker from the same slices and strokes; and the least gain of any structure. All on the
voxels that were neither annotated nor stroked in the end.
"""

from __future__ import annotations

import argparse
import math
import sys
from collections import defaultdict
from pathlib import Path
from statistics import mean, median

import numpy as np
from accuracy import by_dataset, dice, training_tasks
from scipy import ndimage
from tasks import as_study

from metasegment.annotation import Annotation, Stroke
from metasegment.episodes.held_out import HeldOutTask, held_out_tasks
from metasegment.knowledge import with_strokes
from metasegment.network.engine import Engine
from metasegment.network.unet import RELEASED, load_network
from metasegment.progress import Progress
from metasegment.prompts.random_walker import walk
from metasegment.segmenter import Segmenter
from metasegment.segmenter.answer import Answer
from metasegment.segmenter.carried import with_carried
from metasegment.segmenter.compose import compose
from metasegment.segmenter.locate import SegmentRequest, locate
from metasegment.volume import Volume

#: Radius of a stroke for the diameter of the structure's largest section.
BRUSH = 0.08
#: A structure counts as made worse by strokes from this loss of Dice.
HARM = 0.01
Answers = dict[str, np.ndarray]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--weights", type=Path, default=RELEASED)
    parser.add_argument("--counts", type=int, nargs="+", default=[1, 3])
    parser.add_argument("--strokes", type=int, default=3)
    parser.add_argument("--training", action="store_true", help="on structures of the training data, to choose by")
    parser.add_argument("--every", type=int, default=1, help="take every n-th structure")
    options = parser.parse_args()
    segmenter = Segmenter(Engine(load_network(options.weights), "cpu"))
    rows: dict[tuple[int, str, int], list[tuple[str, float]]] = defaultdict(list)
    tasks = training_tasks if options.training else held_out_tasks
    for number, task in enumerate(tasks(options.data, tuple(options.counts))):
        if number // len(options.counts) % options.every:
            continue
        for (way, stroke), score in corrected(segmenter, task, options.strokes).items():
            rows[task.slices, way, stroke].append((task.dataset, score))
        print(f"\r{number + 1} tasks", end="", file=sys.stderr, flush=True)
    print(file=sys.stderr)
    for (count, way, stroke), scores in rows.items():
        gains = [new - old for (_, new), (_, old) in zip(scores, rows[count, way, 0], strict=True)]
        print(
            f"{count} slices, {stroke:2d} strokes, {way:15s} {mean(by_dataset(scores).values()):.3f}, gain: median "
            f"{median(gains):+.3f}, least {min(gains):+.3f}, {sum(g < -HARM for g in gains)} of {len(gains)} worse"
        )


def corrected(segmenter: Segmenter, task: HeldOutTask, strokes: int) -> dict[tuple[str, int], float]:
    """Dice by way and number of strokes; each stroke is drawn where the answer before it was wrong."""
    volume, annotation = as_study(task)
    truth = task.mask.numpy()
    answers = [answered(segmenter, volume, annotation)]
    for _ in range(strokes):
        marked = stroke_on(answers[-1]["answer"] > 0, truth, annotation)
        annotation = with_strokes(annotation, {1: marked})
        answers.append(answered(segmenter, volume, annotation))
    scored = annotation.labels == 0
    for stroke in annotation.strokes.values():
        scored.reshape(-1)[np.concatenate([stroke.inside, stroke.outside])] = False
    return {
        (way, number): dice(labels[scored] > 0, truth[scored])
        for number, found in enumerate(answers)
        for way, labels in found.items()
    }


def answered(segmenter: Segmenter, volume: Volume, annotation: Annotation) -> Answers:
    """The first answer, the part of it that no random walk made, and a random walker's own, as labels (k, j, i)."""
    request = SegmentRequest(volume, annotation)
    located = locate(request, 1, None, segmenter.strategies["in_context"], segmenter.engine, Progress())
    query = located.query
    walked = walk(query.scene, 1, query.prompt.appearance, query.grid, None)
    ways = {
        "answer": located.preview,
        "network": with_carried(located.first, query),
        "random walker": Answer(query.grid, walked),
    }
    return {way: compose(annotation, [located.answered(answer, "in_context")]).labels for way, answer in ways.items()}


def stroke_on(found: np.ndarray, truth: np.ndarray, annotation: Annotation) -> Stroke:
    """A disc in the largest wrong region of an axial slice, around its innermost voxel; only voxels wrong alike."""
    wrong = (found != truth) & (annotation.labels == 0)
    regions, _ = ndimage.label(wrong, ndimage.generate_binary_structure(3, 1) & _in_plane())
    sizes = np.bincount(regions.reshape(-1))[1:]
    if not len(sizes):
        return Stroke()
    region = regions == 1 + int(sizes.argmax())
    index = int(np.flatnonzero(region.any((1, 2)))[0])
    inside = bool(truth[region].mean() > 0.5)
    same = region[index] & (truth[index] == inside)
    depth = ndimage.distance_transform_edt(np.pad(same, 1))[1:-1, 1:-1]
    centre = np.unravel_index(int(depth.argmax()), depth.shape)
    rows, columns = np.indices(same.shape)
    radius = max(1.0, BRUSH * math.sqrt(4 / math.pi * float(truth.sum((1, 2)).max())))
    disc = same & (np.hypot(rows - centre[0], columns - centre[1]) <= radius)
    flat = np.sort(index * same.size + np.flatnonzero(disc))
    nothing = np.zeros(0, flat.dtype)
    return Stroke(flat, nothing) if inside else Stroke(nothing, flat)


def _in_plane() -> np.ndarray:
    """Which of a voxel's neighbours lie in its axial slice (3, 3, 3)."""
    plane = np.zeros((3, 3, 3), bool)
    plane[1] = True
    return plane


if __name__ == "__main__":
    main()
