"""A cohort from its studies to the report; what was done before is not done again."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path

from ..errors import Cancelled
from ..io.task_file import to_bytes, write_task
from ..segmentation import Budget
from ..service.ray_cluster import ray_cluster
from ..task import Task
from .output import Case, Output, Row, cases_of, is_done, read_row, write_row
from .report import worst_first, write_report
from .studies import Study
from .workers import shared_out, workers_for

_DIED = "its worker died, and again when it was tried once more: most often the memory is full"


@dataclass(frozen=True)
class CohortOptions:
    """What is to be done: a task, the weights it holds for, the studies, and the folder for the results.

    `workers` is how many are wanted; None leaves it to the machine.
    """

    task: Task
    weights: Path
    studies: tuple[Study, ...]
    output: Output
    device: str
    workers: int | None
    budget: Budget
    seed: int


def apply_to_all(
    options: CohortOptions, progress: Callable[[str, float], None], cancelled: Callable[[], bool]
) -> tuple[Row, ...]:
    """Applies the task to every study that is not done, and writes the report; returns its rows, worst first.

    `progress` receives words and the share done, 0…1. Raises InputError where nothing can be done, and Cancelled, the
    report being written, when the user stops it; the same options then goes on with the rest.
    """
    options.output.prepare()
    task = to_bytes(options.task)
    cases = cases_of(options.studies, task)
    waiting = [case for case in cases if not is_done(options.output, case)]
    stopped = False
    try:
        if waiting:
            _share_out(options, waiting, len(cases), progress, cancelled)
    except Cancelled:
        stopped = True
    rows = worst_first(row for case in cases if (row := read_row(options.output, case)))
    write_report(options.output, rows, len(cases))
    if stopped:
        done = sum(row.failure is None for row in rows)
        raise Cancelled(f"cancelled: {done} of {len(cases)} studies are done; the same command goes on with the rest")
    return tuple(rows)


def _share_out(
    options: CohortOptions,
    waiting: Sequence[Case],
    cases: int,
    progress: Callable[[str, float], None],
    cancelled: Callable[[], bool],
) -> None:
    with ray_cluster("a cohort", show_output=False):
        import ray

        from .worker import Job, Worker

        write_task(options.task, options.output.task)
        workers = workers_for(ray.cluster_resources(), options.device, options.workers)
        job = Job(
            weights=options.weights.absolute(),
            device=workers.device,
            threads=workers.threads,
            budget=options.budget,
            seed=options.seed,
            output=options.output,
        )
        runs = [tuple(frames) for _, frames in groupby(waiting, lambda case: case.study.image)]
        before, start = cases - len(waiting), time.monotonic()
        progress(f"{before} of {cases} studies", before / cases)
        for number, (case, ended) in enumerate(shared_out(Worker, job, workers, runs, cancelled), 1):
            if not ended:
                write_row(options.output, Row(case.name, case.mark, failure=_DIED))
            left = (time.monotonic() - start) / number * (len(waiting) - number)
            words = f"{before + number} of {cases} studies" + (f", about {_duration(left)} left" if left else "")
            progress(words, (before + number) / cases)


def _duration(seconds: float) -> str:
    minutes = round(seconds / 60)
    if not minutes:
        return f"{seconds:.0f} s"
    return f"{minutes} min" if minutes < 60 else f"{minutes // 60} h {minutes % 60} min"
