"""A task on a new volume: where it finds its structures, without prompts, and how sure that is."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np
import torch

from ..annotation import Annotation
from ..errors import InputError
from ..roi import Box
from ..segmentation import Segmentation, StructureResult
from ..task import Task
from ..transfer import from_numbers, look_for
from ..volume import Volume
from ..watch import Watch
from .answer import Answer, seen_from
from .case import region_of
from .compose import Placed
from .quality import expected_overlap
from .teach import STRATEGY

#: What an answer without slices is called in results.
RECALLED = "task"
#: Below this, on average over the structures, the user is asked for a slice.
UNFAMILIAR = 0.7


def require_structures(task: Task, annotation: Annotation) -> None:
    """Raises InputError where a structure is annotated that the task does not have."""
    known = {structure.label: structure.name for structure in task.structures}
    for label in annotation.structures:
        if label not in known:
            have = ", ".join(f"{name} ({number})" for number, name in known.items())
            raise InputError(f"label {label} is annotated, but the task is for {have}: use its labels")


def sightings(task: Task, weights: str, volume: Volume, watch: Watch) -> dict[int, Answer]:
    """Where the task finds its structures, by label; those that seem not to be there are missing.

    `weights` is the checksum of the network's weights. Raises InputError for a task of another network or way.
    """
    provenance = task.provenance
    if provenance.weights != weights:
        raise InputError("the task was taught with other weights: use those, or teach it again with these")
    if provenance.strategy != STRATEGY:
        raise InputError(
            f"the task was taught in another way ({provenance.strategy}): update MetaSegment, or teach it again"
        )
    try:
        lessons = from_numbers(task.numbers)
    except KeyError:
        raise InputError("the task is damaged: copy it again or teach it again") from None
    image = torch.from_numpy(np.ascontiguousarray(volume.array)).float()
    found = look_for(lessons, image, volume.geometry.spacing_kji, watch)
    labels = [structure.label for structure in task.structures]
    return {s: Answer(f.grid, f.probability) for s, f in zip(labels, found, strict=True) if f}


def placed(answer: Answer, structure: int, shape: tuple[int, ...]) -> Placed:
    """An answer in the volume's coordinates, as one in those of the region that it touches."""
    whole = Box((0.0, 0.0, 0.0), (float(shape[0]), float(shape[1]), float(shape[2])))
    region = region_of(answer.grid.box.clipped(whole), shape)
    return Placed(structure, region, seen_from(region, answer))


def confidence(answer: Answer) -> float:
    """The Dice that the probabilities of an answer themselves expect, 0…1."""
    return expected_overlap(answer.probability, torch.ones_like(answer.probability, dtype=torch.bool))


def with_confidence(result: Segmentation, task: Task, priors: Mapping[int, Answer]) -> Segmentation:
    """The result with an entry for every structure of the task, how familiar the volume is, and what both mean for the
    user.
    """
    present = {structure.label for structure in result.structures}
    missing = [s for s in task.structures if s.label not in present]
    empty = [StructureResult(s.label, s.name, 0, 0.0, 0.0, RECALLED) for s in missing]
    notes = [f"{s.name} was not found: annotate one slice of it, unless this volume does not show it" for s in missing]
    familiarity = sum(map(confidence, priors.values())) / len(task.structures)
    if familiarity < UNFAMILIAR:
        notes.append("low confidence, as this volume is unlike what the task learnt from: annotate one slice")
    structures = sorted((*result.structures, *empty), key=lambda s: s.label)
    return replace(result, structures=tuple(structures), familiarity=familiarity, notes=(*result.notes, *notes))
