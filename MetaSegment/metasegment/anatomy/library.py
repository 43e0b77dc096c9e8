"""Which of the tasks kept in a folder fits what is wanted: by structure, modality and how much each was taught.

Looks at provenance alone; how well a task fits an image is seen when it is applied (familiarity).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from ..errors import InputError
from ..io.task_file import read_task
from ..task import Provenance, Task
from .graph import distance
from .lookup import recognise

#: The suffix that a task's file has in a library.
SUFFIX = ".metasegment"
#: Steps of the graph (`anatomy/graph.py`) up to which a structure stands for another: the other one of its pair, or
#: what it is part of.
_NEAR = 1.0
_CT, _OTHER = "CT", "no CT"


@dataclass(frozen=True, eq=False)
class Fit:
    """A task that fits, and why in one sentence; `distance` is 0 where it has exactly what is wanted."""

    path: Path
    task: Task
    distance: float
    reason: str


def best_fit(folder: Path, wanted: Sequence[str], is_ct: bool, weights: str) -> tuple[Fit, tuple[str, ...]]:
    """Finds the task of a folder that fits the wanted structures best, and sentences on files that could not be read.

    Without wanted names every task fits. `weights` is the SHA-256 of the network's, for which a task must be made.
    Raises InputError where none fits, naming what there is.
    """
    found, notes = _tasks_in(folder)
    usable = {path: task for path, task in found.items() if task.provenance.weights == weights}
    fits = [fit for path, task in usable.items() if (fit := _fit(path, task, wanted, is_ct))]
    if not fits:
        raise InputError(_nothing_fits(folder, found, usable, wanted, is_ct))
    return min(fits, key=lambda fit: (fit.distance, -fit.task.provenance.volumes, fit.path.name)), notes


def _tasks_in(folder: Path) -> tuple[dict[Path, Task], tuple[str, ...]]:
    if not folder.is_dir():
        raise InputError(f"{folder} is no folder: give the one that your tasks (*{SUFFIX}) are in")
    found, notes = {}, []
    for path in sorted(folder.rglob(f"*{SUFFIX}")):
        try:
            found[path] = read_task(path)
        except InputError as error:
            notes.append(str(error))
    return found, tuple(notes)


def _fit(path: Path, task: Task, wanted: Sequence[str], is_ct: bool) -> Fit | None:
    provenance = task.provenance
    if (provenance.modality == _CT) != is_ct:
        return None
    stand_ins = {name: _nearest(name, provenance) for name in wanted}
    steps = [away for away, _ in stand_ins.values()]
    if any(away > _NEAR for away in steps):
        return None
    parts = [_said(name, taught, away) for name, (away, taught) in stand_ins.items()]
    what = ", ".join(parts) if parts else ", ".join(task.names.values())
    volumes = f"{provenance.volumes} volume{'s' if provenance.volumes > 1 else ''}"
    reason = f"{what}; taught on {volumes} of {_CT if is_ct else f'{_OTHER}, as this image is'}"
    return Fit(path, task, sum(steps), reason)


def _nearest(name: str, provenance: Provenance) -> tuple[float, str]:
    """How far the nearest structure of a task is, and what it is called."""
    return min((_away(name, taught.name), taught.name) for taught in provenance.structures)


def _away(one: str, other: str) -> float:
    if one.casefold() == other.casefold():
        return 0.0
    first, second = recognise(one), recognise(other)
    if first is None or second is None or first.place != second.place:
        return float("inf")
    return distance(first.structure.name, second.structure.name)


def _said(name: str, taught: str, away: float) -> str:
    if name.casefold() == taught.casefold():
        return f"it has {taught}"
    return f"it has {taught}, {'which is' if away == 0 else 'which is near'} {name}"


def _nothing_fits(
    folder: Path, found: dict[Path, Task], usable: dict[Path, Task], wanted: Iterable[str], is_ct: bool
) -> str:
    if not found:
        return f"{folder} has no task (*{SUFFIX}): save one there with --save-task"
    if not usable:
        return f"no task in {folder} was made for these weights: teach them again"
    there = "; ".join(
        f"{path.name}: {', '.join(task.names.values())} ({task.provenance.modality or _OTHER})"
        for path, task in usable.items()
    )
    what = f"{', '.join(wanted) or 'this image'} in {_CT if is_ct else _OTHER}"
    return f"no task in {folder} is for {what}; there are {there}"
