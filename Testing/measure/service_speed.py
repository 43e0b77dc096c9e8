"""What the service costs over a call in this process: `OMP_NUM_THREADS=1 python Testing/measure/service_speed.py`.

A CT-like volume of 512 x 512 x 300 voxels (157 MB) with three annotated slices is segmented by the first strategy
alone, in this process and through a LocalLearner that already runs: a volume that the service has never seen (first),
then the same again (next). Overhead is the time outside of the learner's own stages, there less here, so that a busy
machine's slower learner does not count; time of the CPU is of both processes, in all there less here. Medians, with the
cores that other processes kept busy beside them: a first request keeps two busy itself, and `chrt -r 1 python ...` (as
root, on Linux) makes the others wait. Before each call memory is filled and given back, so that a virtual
machine's host has found it already: that can take more than all the rest, as the time to fill as much as the volume
without it shows. Reports; asserts nothing.
"""

from __future__ import annotations

import argparse
import os
import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
from speed import annotated, ct_like

from metasegment.client import LocalLearner
from metasegment.network.engine import Engine
from metasegment.network.meta_parameters import load_learnt
from metasegment.network.unet import RELEASED, load_network
from metasegment.segmentation import Budget, Segmentation
from metasegment.segmenter import Segmenter
from metasegment.volume import Volume

SLICES = 3
#: Bytes that a call takes at most beside what its process has: in the service the volume, label maps, probabilities.
MEMORY = 640_000_000
#: Seconds that issue 4 allows.
ALLOWED = {"first": 0.3, "next": 0.05}


@dataclass(frozen=True)
class Cost:
    """Seconds of one call: on the clock, in the learner's own stages, of the CPU in both processes and in others."""

    wall: float
    stages: float
    cpu: float
    others: float

    @property
    def outside(self) -> float:
        return self.wall - self.stages


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5, help="of each call (default %(default)s)")
    rounds = parser.parse_args().rounds
    volume, truth = ct_like(1)
    annotation = annotated(truth, volume.geometry, SLICES)
    del truth
    segmenter = Segmenter(Engine(load_network(), "cpu", load_learnt(RELEASED)))
    costs: dict[str, list[Cost]] = {"here": [], "first": [], "next": []}
    filled: list[tuple[float, np.ndarray]] = []
    with LocalLearner(device="cpu") as learner:
        learner.capabilities()
        child = learner.child
        assert child

        def ask(who: Segmenter | LocalLearner, asked: Volume) -> Segmentation:
            return who.segment(asked, annotation, Budget(seconds=0), "in_context", preview=lambda labels: None)

        answers = [ask(who, volume) for who in (segmenter, learner)]  # kernels are set up, weights are read
        assert np.array_equal(answers[0].labels, answers[1].labels)
        for number in range(rounds):
            array = volume.array.copy()
            array[:, 0, 0] += number + 1
            fresh = Volume(array, volume.geometry)
            filled.append(filling(array))
            costs["here"].append(cost_of(partial(ask, segmenter, fresh)))
            costs["first"].append(cost_of(partial(ask, learner, fresh), child.pid))
            costs["next"].append(cost_of(partial(ask, learner, fresh), child.pid))
    report(costs, statistics.median(seconds for seconds, _ in filled))


def filling(array: np.ndarray) -> tuple[float, np.ndarray]:
    """Seconds to copy an array, and the copy: who keeps it gets other memory the next time."""
    started = time.perf_counter()
    copied = array.copy()
    return time.perf_counter() - started, copied


def cost_of(work: Callable[[], Segmentation], pid: int | None = None) -> Cost:
    """The cost of a call, with the CPU of another process."""
    np.ones(MEMORY, np.uint8)
    busy, cpu, wall = busy_seconds(), time.process_time() + cpu_seconds(pid), time.perf_counter()
    result = work()
    wall = time.perf_counter() - wall
    cpu = time.process_time() + cpu_seconds(pid) - cpu
    return Cost(wall, sum(result.seconds.values()), cpu, max(0.0, busy_seconds() - busy - cpu))


def cpu_seconds(pid: int | None) -> float:
    """Seconds of the CPU that a process had so far, on Linux; 0 for None."""
    if pid is None:
        return 0.0
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def busy_seconds() -> float:
    """Seconds that all cores were busy so far, on Linux."""
    user, nice, system, _idle, _waiting, *interrupts = map(int, Path("/proc/stat").read_text().split()[1:9])
    return (user + nice + system + sum(interrupts)) / os.sysconf("SC_CLK_TCK")


def report(costs: dict[str, list[Cost]], memory: float) -> None:
    here = median(costs["here"], lambda c: c.outside)
    here_cpu = median(costs["here"], lambda c: c.cpu)
    print(
        f"{os.cpu_count()} cores; here: {median(costs['here'], lambda c: c.wall):.3f} s a call; "
        f"to fill fresh memory: {memory:.3f} s"
    )
    for name, allowed in ALLOWED.items():
        overheads = sorted(c.outside - here for c in costs[name])
        print(
            f"{name}: overhead {statistics.median(overheads):.3f} s (allowed {allowed} s; from {overheads[0]:.3f} to "
            f"{overheads[-1]:.3f}), {median(costs[name], lambda c: c.cpu) - here_cpu:.3f} s of the CPU; "
            f"others kept {median(costs[name], lambda c: c.others / c.wall):.1f} cores busy"
        )


def median(costs: list[Cost], of: Callable[[Cost], float]) -> float:
    return statistics.median(map(of, costs))


if __name__ == "__main__":
    main()
