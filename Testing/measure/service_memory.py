"""What a job takes in memory, beside what the service expects it to: `python Testing/measure/service_memory.py [KIND]`.

Ellipsoids in noise, one inside the other, of several sizes, each case in a process of its own. A segmentation is by
the first strategy alone, or with --auto what the gate makes of a second; a task is taught on the whole of a volume,
and applied to the same one. Linux only. Reports; asserts nothing.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context

import numpy as np
from speed import with_peak

from metasegment.annotation import BACKGROUND, Annotation, annotation_from_labels, complete
from metasegment.memory import peak_memory_mb
from metasegment.network.engine import Engine
from metasegment.network.meta_parameters import load_learnt
from metasegment.network.unet import RELEASED, load_network
from metasegment.segmentation import Budget
from metasegment.segmenter import Segmenter
from metasegment.service.estimate import running_bytes
from metasegment.volume import Geometry, Volume
from metasegment.wire.messages import Kind

#: Shape (k, j, i), radius of the largest structure as a share of the shape, structures.
CASES = (
    ((64, 96, 96), 0.3, 1),
    ((100, 256, 256), 0.2, 1),
    ((100, 256, 256), 0.45, 1),
    ((100, 256, 256), 0.45, 3),
    ((300, 512, 512), 0.12, 1),
    ((300, 512, 512), 0.45, 1),
)
#: Each structure's radius, as a share of that of the one around it.
SHRINKING = 0.9


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("kind", metavar="KIND", nargs="?", default="segment", choices=("segment", "teach", "apply"))
    parser.add_argument("--auto", action="store_true", help="let the gate choose, with a second to adapt")
    options = parser.parse_args()
    print(f"{'voxels':>18} {'radius':>6} {'structures':>10} {'taken MiB':>10} {'expected MiB':>12}")
    for shape, radius, structures in CASES:
        with ProcessPoolExecutor(1, get_context("spawn")) as fresh:
            way = (options.kind, options.auto)
            taken, expected = fresh.submit(memory, shape, radius, structures, *way).result()
        size = " x ".join(map(str, reversed(shape)))
        print(f"{size:>18} {radius:>6} {structures:>10} {taken / 2**20:>10.0f} {expected / 2**20:>12.0f}", flush=True)


def memory(shape: tuple[int, int, int], radius: float, structures: int, kind: Kind, auto: bool) -> tuple[int, int]:
    """Bytes that a job took at its peak, beside volume, annotation and program; and what was expected."""
    volume, annotation, truth = study(shape, radius, structures)
    segmenter = Segmenter(Engine(load_network(), "cpu", load_learnt(RELEASED)))
    way = (Budget(seconds=1), "auto") if auto else (Budget(seconds=0), "in_context")
    accepted = complete(annotation, truth)
    task = segmenter.teach(volume, accepted) if kind == "apply" else None
    work: dict[str, Callable[[], object]] = {
        "segment": lambda: segmenter.segment(volume, annotation, *way),
        "teach": lambda: segmenter.teach(volume, accepted),
        "apply": lambda: segmenter.apply(task, volume, None, way[0]),
    }
    before = peak_of_nothing()
    _, peak = with_peak(work[kind])
    return peak - before, running_bytes(kind, volume, structures)


def peak_of_nothing() -> int:
    """Resident bytes at the moment."""
    with_peak(lambda: None)
    return int((peak_memory_mb() or 0) * 2**20)


def study(shape: tuple[int, int, int], radius: float, structures: int) -> tuple[Volume, Annotation, np.ndarray]:
    """A volume, three annotated slices of its structures, and these throughout."""
    truth = np.zeros(shape, np.uint8)
    _, rows, columns = (np.linspace(-1, 1, n) for n in shape)
    flat = rows[:, None] ** 2 + columns**2
    for k, height in enumerate(np.linspace(-1, 1, shape[0])):
        for number in range(structures):
            truth[k][flat + height**2 <= (2 * radius * SHRINKING**number) ** 2] = number + 1
    array = np.random.default_rng(0).integers(0, 40, shape, np.int16)
    array += 100 * truth.astype(np.int16)
    labels = np.zeros(shape, np.uint8)
    for share in (-0.6, 0.0, 0.6):
        k = int(shape[0] * (0.5 + radius * share))
        labels[k] = np.where(truth[k], truth[k], BACKGROUND)
    depth, height_, width = shape
    geometry = Geometry((width, height_, depth), (0.8, 0.8, 1.0), (0.0, 0.0, 0.0), (1.0, 0, 0, 0, 1.0, 0, 0, 0, 1.0))
    return Volume(array, geometry), annotation_from_labels(labels, geometry), truth


if __name__ == "__main__":
    main()
