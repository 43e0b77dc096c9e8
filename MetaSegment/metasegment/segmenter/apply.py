"""A task on a new volume: where it finds its structures, without prompts, and how sure that is."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np
import torch

from ..annotation import BACKGROUND, UNKNOWN, Annotation, annotation_from_labels
from ..errors import InputError
from ..grid import Box, Grid, to_voxels
from ..knowledge import seen_for
from ..network.engine import Engine
from ..progress import Progress
from ..segmentation import UNFAMILIAR, Segmentation, StructureResult
from ..task import Task
from ..transfer import Detection, LocationHint, TaughtSubject, look_for
from ..volume import Volume
from .answer import Answer, StructureAnswer, seen_from
from .correct import corrected
from .cut_out import extent_on_slices
from .locate import Prior
from .quality import recalled_dice

#: What an answer without slices is called in results.
RECALLED = "task"


def require_structures(task: Task, annotation: Annotation) -> None:
    """Raises InputError where a structure is annotated that the task does not have."""
    known = {structure.label: structure.name for structure in task.structures}
    for label in annotation.structures:
        if label not in known:
            have = ", ".join(f"{name} ({number})" for number, name in known.items())
            raise InputError(f"label {label} is annotated, but the task is for {have}: use its labels")


def what_shows(annotation: Annotation, earlier: np.ndarray | None) -> dict[int, Annotation]:
    """By label, where a structure was seen: on slices, else in an earlier frame, labels (k, j, i) on the same grid.

    Raises InputError where that is another grid.
    """
    shown = {label: seen_for(annotation, label) for label in annotation.structures}
    if earlier is None or not earlier.any():
        return shown
    frame = annotation_from_labels(np.where(earlier == UNKNOWN, BACKGROUND, earlier), annotation.geometry)
    return dict.fromkeys(frame.structures, frame) | shown


def recall(
    task: Task,
    subjects: Sequence[TaughtSubject],
    volume: Volume,
    shown: Mapping[int, Annotation],
    engine: Engine,
    progress: Progress,
) -> dict[int, Prior]:
    """What the subjects find of each structure, by label, as the network corrects it; those that seem not to be there
    are missing. What shows a structure only says where to look, and which of two finds fits it better.
    """
    image = torch.from_numpy(np.ascontiguousarray(volume.array)).float()
    spacing = volume.geometry.spacing_kji
    hints = {n: _hint(shown[s.label], s.label) for n, s in enumerate(task.structures) if s.label in shown}
    found = {}
    for number, detection in enumerate(look_for(subjects, image, spacing, progress, hints)):
        if detection:
            answer = corrected(Answer(detection.grid, detection.probability), image, spacing, engine)
            fit = hints[number].fit(detection) if number in hints else 0.0
            expected = recalled_dice(detection.agreement, detection.growth)
            found[task.structures[number].label] = Prior(answer, expected, fit)
    return found


def _hint(annotation: Annotation, structure: int) -> LocationHint:
    """The middle of what an annotation shows, and the Dice on its known voxels."""
    extent, spacing = extent_on_slices(annotation, structure), annotation.geometry.spacing_kji
    k, j, i = ((a + b) / 2 * s for a, b, s in zip(extent.low, extent.high, spacing, strict=True))
    shown = np.count_nonzero(annotation.labels == structure)

    def fit(detection: Detection) -> float:
        region = detection.grid.box.clipped(Box.whole(annotation.labels.shape)).region(annotation.labels.shape)
        labels, grid = annotation.labels[region], Grid(detection.grid.box.seen_from(region), detection.grid.shape)
        values, where = to_voxels(detection.probability, grid, labels.shape)
        found = (values.numpy() > 0.5) & (labels[where] != UNKNOWN)
        return float(2 * np.count_nonzero(found & (labels[where] == structure)) / (np.count_nonzero(found) + shown))

    return LocationHint((k, j, i), fit)


def recalled(prior: Prior, structure: int, shape: tuple[int, ...]) -> StructureAnswer:
    """A structure as the task finds it in a volume of `shape`, without slices."""
    region = prior.answer.grid.box.clipped(Box.whole(shape)).region(shape)
    return StructureAnswer(structure, region, seen_from(region, prior.answer), RECALLED, prior.expected_dice)


def with_confidence(result: Segmentation, task: Task, priors: Mapping[int, Prior]) -> Segmentation:
    """The result with an entry for every structure of the task, how familiar the volume is, and what both mean for the
    user.
    """
    present = {structure.label for structure in result.structures}
    missing = [s for s in task.structures if s.label not in present]
    empty = [StructureResult(s.label, s.name, 0, 0.0, 0.0, RECALLED) for s in missing]
    notes = [f"{s.name} was not found: annotate one slice of it, unless this volume does not show it" for s in missing]
    familiarity = sum(prior.expected_dice for prior in priors.values()) / len(task.structures)
    if familiarity < UNFAMILIAR:
        notes.append("low confidence, as this volume is unlike what the task learnt from: annotate one slice")
    structures = sorted((*result.structures, *empty), key=lambda s: s.label)
    return replace(result, structures=tuple(structures), familiarity=familiarity, notes=(*result.notes, *notes))
