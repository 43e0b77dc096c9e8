"""A task's labels for what is drawn on another image: structures are known by their names, not by a file's numbering.

Looks at no voxel but to renumber it; imports no torch.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from .annotation import Annotation
from .errors import InputError
from .task import Task


def to_task_labels(task: Task, annotation: Annotation) -> Annotation:
    """The annotation with the task's labels and names; structures without a name keep their label.

    Raises InputError for a structure that the task does not know, and where two would be the same.
    """
    wanted = {label: _label_in(task, label, annotation.names.get(label)) for label in annotation.structures}
    if len(set(wanted.values())) < len(wanted):
        raise InputError("two structures of the annotation are the same one of the task's: give them different names")
    table = np.arange(256, dtype=np.uint8)
    table[list(wanted)] = list(wanted.values())
    unchanged = all(label == same for label, same in wanted.items())
    return replace(
        annotation,
        labels=annotation.labels if unchanged else table[annotation.labels],
        structures=tuple(sorted(wanted.values())),
        names={label: task.names[label] for label in sorted(wanted.values())},
        colors={wanted[label]: color for label, color in annotation.colors.items() if label in wanted},
        finished={s: frozenset(wanted.get(x, x) for x in labels) for s, labels in annotation.finished.items()},
        strokes={wanted.get(label, label): stroke for label, stroke in annotation.strokes.items()},
        relations=tuple(
            replace(r, first=wanted.get(r.first, r.first), second=wanted.get(r.second, r.second))
            for r in annotation.relations
        ),
        covered={wanted.get(label, label): voxels for label, voxels in annotation.covered.items()},
    )


def _label_in(task: Task, label: int, name: str | None) -> int:
    """The task's label for a structure; letters' case does not count."""
    if name is None and label in task.names:
        return label
    for known, called in task.names.items():
        if name is not None and called.casefold() == name.casefold():
            return known
    called = f"'{name}'" if name is not None else "without a name"
    known_names = ", ".join(task.names.values())
    raise InputError(f"structure {called} (label {label}) is none of the task's: it knows {known_names}; rename it")
