"""Nested pairs against each structure alone: `python Testing/measure/relations.py --data DATA`.

Nested pairs of training volumes: a structure, and its union with the one that surrounds most of it. Slices through the
inner one are annotated for both. Prints the Dice, on the voxels that were not annotated, of the outer and of the inner
structure: segmented alone, as a related pair, and as two structures that compete (the outer one is then the union).
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator
from pathlib import Path
from statistics import mean

import numpy as np
from scipy import ndimage

from metasegment.annotation import BACKGROUND, annotation_from_labels
from metasegment.io.volume_file import read_volume, read_voxels
from metasegment.knowledge import with_relations
from metasegment.layers import whole
from metasegment.measures.dice import dice
from metasegment.network.engine import Engine
from metasegment.network.unet import RELEASED, load_network
from metasegment.relations import Relation
from metasegment.segmenter import Segmenter
from metasegment.volume import Volume

DATASETS = ("mni152_aseg_mr", "totalseg_example_ct", "totalseg_example_mr", "fetal_brain_atlas")
#: Share of the inner one's surface that the other structure must touch, and voxels that either must have.
TOUCHING, LEAST = 0.4, 300
#: A structure counts as worse from this loss of Dice.
HARM = 0.01
OUTER, INNER = 1, 2


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--slices", type=int, default=3)
    parser.add_argument("--pairs", type=int, default=6, help="of each volume, those with the largest share of contact")
    parser.add_argument("--volumes", type=int, default=2, help="of each data set")
    options = parser.parse_args()
    segmenter = Segmenter(Engine(load_network(RELEASED), "cpu"))
    scores = []
    for dataset in DATASETS:
        for case in sorted((options.data / "train" / dataset).iterdir())[: options.volumes]:
            if not (case / "labels.nii.gz").is_file():
                continue
            volume, labels = read_volume(case / "image.nii.gz"), read_voxels(case / "labels.nii.gz").array
            for truth in nested_pairs(labels, options.pairs):
                scores.append(scored(segmenter, volume, truth, options.slices))
                print(f"\r{len(scores)} pairs", end="", file=sys.stderr, flush=True)
    print(file=sys.stderr)
    for n, structure in enumerate(("outer", "inner")):
        alone, pair, rivals = ([score[way][n] for score in scores] for way in range(3))
        gains = [b - a for a, b in zip(alone, pair, strict=True)]
        print(
            f"{structure}: alone {mean(alone):.3f}, related {mean(pair):.3f}, competing {mean(rivals):.3f}; "
            f"related less alone: least {min(gains):+.3f}, {sum(g < -HARM for g in gains)} of {len(gains)} worse"
        )


def nested_pairs(labels: np.ndarray, most: int) -> Iterator[np.ndarray]:
    """Labels (k, j, i) with the inner structure on top of what is left of the outer one."""
    found = []
    for inner in np.unique(labels[labels > 0]).tolist():
        mask = labels == inner
        around = labels[ndimage.binary_dilation(mask) & ~mask]
        counts = np.bincount(around[around > 0], minlength=1)
        if not len(around) or not counts.any():
            continue
        outer = int(counts.argmax())
        large, small = np.count_nonzero(labels == outer), np.count_nonzero(mask)
        if counts[outer] >= TOUCHING * len(around) and LEAST <= small < large:
            found.append((counts[outer] / len(around), inner, outer))
    for _, inner, outer in sorted(found, reverse=True)[:most]:
        yield np.where(labels == inner, INNER, np.where(labels == outer, OUTER, 0)).astype(np.uint8)


def scored(segmenter: Segmenter, volume: Volume, truth: np.ndarray, slices: int) -> list[tuple[float, float]]:
    """Dice of outer and inner: alone, related, competing."""
    shown = np.flatnonzero((truth == INNER).any(axis=(1, 2)))
    planes = sorted({int(shown[round((n + 0.5) * len(shown) / slices - 0.5)]) for n in range(slices)})
    unknown = np.ones(truth.shape, bool)
    unknown[planes] = False

    def drawn(labels: np.ndarray) -> np.ndarray:
        return np.where(unknown, 0, np.where(labels > 0, labels, BACKGROUND)).astype(np.uint8)

    wanted = {OUTER: truth > 0, INNER: truth == INNER}
    alone = tuple(
        dice(
            (segmenter.segment(volume, annotation_from_labels(drawn(mask), volume.geometry)).labels > 0)[unknown],
            mask[unknown],
        )
        for mask in wanted.values()
    )
    both = annotation_from_labels(drawn(truth), volume.geometry)
    pair = segmenter.segment(volume, with_relations(both, [Relation(INNER, "inside", OUTER)]))
    rivals = segmenter.segment(volume, both).labels
    found = [whole(pair.labels, pair.map.covered, label) for label in wanted]
    ways = [found, [rivals > 0, rivals == INNER]]
    return [
        (alone[0], alone[1]),
        *((dice(a[unknown], wanted[OUTER][unknown]), dice(b[unknown], wanted[INNER][unknown])) for a, b in ways),
    ]


if __name__ == "__main__":
    main()
