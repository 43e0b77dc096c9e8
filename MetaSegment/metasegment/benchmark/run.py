"""Runs methods over the tasks of a protocol, row by row, and goes on where an earlier run stopped."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

from .. import __version__
from ..errors import InputError
from ..io.labelled_folder import labelled_files
from .cases import Case, load_case
from .masks import save_mask
from .measures import measured
from .method import Method, Prediction, suits
from .methods.metasegment import NAME, Learner
from .protocol import Protocol, Task
from .rows import Row, append_row, read_rows
from .worker import Solved, Worker


def run(
    protocol: Protocol,
    root: Path,
    methods: Sequence[Method],
    folder: Path,
    progress: Callable[[str, float], None],
    cancelled: Callable[[], bool],
) -> None:
    """Appends a row to `folder` for each task and method that suits it and has none yet, and keeps the predicted mask.

    `root` holds `<dataset>/<case>`. MetaSegment's rows that other weights made are made again. Raises InputError for a
    folder with rows of another protocol and for data that do not fit the protocol, and Cancelled when asked to stop.
    """
    done = {row.key: row for row in current_rows(folder, protocol, methods)}
    _check_files(protocol, root)
    asked = ((m, t) for m in _metasegment_first(methods) for t in protocol.tasks if suits(m, t.taught_on is not None))
    todo = [(m, t) for m, t in asked if (t.id, m.name) not in done]
    started = 0
    for method in dict.fromkeys(m for m, _ in todo):
        with Worker(method, cancelled) as worker:
            for task in (t for m, t in todo if m is method):
                progress(f"{method.name}: {task.part}", started / len(todo))
                ours = done.get((task.id, NAME))
                case = load_case(root, task, ours.seconds if ours else None)
                solved = worker.solve(case.study)
                row = _row(protocol, method, task, case, solved)
                if solved.prediction:
                    save_mask(folder, method.name, task.id, solved.prediction.mask)
                append_row(folder, row)
                done[row.key] = row
                started += 1
    progress("measured", 1.0)


def current_rows(folder: Path, protocol: Protocol, methods: Sequence[Method]) -> list[Row]:
    """Returns rows of the folder that belong to this protocol's tasks and, for MetaSegment, to these weights."""
    rows = read_rows(folder)
    for row in rows:
        if row.protocol != protocol.identity:
            raise InputError(
                f"{folder} holds rows of protocol {row.protocol}, not of {protocol.identity}; give another folder"
            )
    weights = {method.name: weights_of(method) for method in methods}
    tasks = {task.id for task in protocol.tasks}
    return [row for row in rows if row.task in tasks and row.weights == weights.get(row.method, row.weights)]


def weights_of(method: Method) -> str | None:
    """Checksum of the weights behind a method; None for peers, whose settings say what they are."""
    return method.checksum if isinstance(method, Learner) else None


def _row(protocol: Protocol, method: Method, task: Task, case: Case, solved: Solved) -> Row:
    """The measures of the answer; of finding nothing where there is none."""
    found = solved.prediction or Prediction(np.zeros(case.truth.shape, bool))
    study = case.study
    measures = measured(found, case.truth, study.annotation.labels != 0, study.volume.geometry.spacing_kji)
    return Row(
        protocol=protocol.identity,
        version=__version__,
        task=task.id,
        method=method.name,
        weights=weights_of(method),
        dice=measures.dice,
        nsd=measures.nsd,
        hd95=measures.hd95,
        ece=measures.ece,
        estimated_dice=found.estimated_dice,
        first_seconds=found.first_seconds,
        seconds=solved.seconds,
        peak_memory_mb=solved.peak_memory_mb,
        error=solved.error,
        preparing_seconds=found.preparing_seconds,
    )


def _check_files(protocol: Protocol, root: Path) -> None:
    """Every case is there: better known now than after an hour."""
    cases = [(task.dataset, task.case) for task in protocol.tasks]
    cases += [(task.dataset, task.taught_on.case) for task in protocol.tasks if task.taught_on]
    for dataset, case in dict.fromkeys(cases):
        labelled_files(root / dataset, case)


def _metasegment_first(methods: Sequence[Method]) -> list[Method]:
    """Its seconds are what a method trained from scratch is given for the same task."""
    return sorted(methods, key=lambda method: method.name != NAME)
