"""What a segmented volume teaches for the next one: a task."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch

from ..anatomy.terminology import terminology_of
from ..annotation import UNKNOWN, Annotation
from ..errors import InputError
from ..export import default_name
from ..io.terminology import entry_of
from ..knowledge import seen_for, with_relations
from ..progress import Progress
from ..structure import TISSUE
from ..task import LONGEST_NAME, Provenance, Task, TaskStructure
from ..transfer import TaughtSubject, from_numbers, learn_subject, to_numbers
from ..volume import Volume, is_ct

#: How tasks are learnt; a file of another way is refused.
STRATEGY = "context"
#: Lessons that a task holds at most, the latest ones; each answers, and the answers are averaged.
MOST_SUBJECTS = 8


def teach(
    volume: Volume, annotation: Annotation, weights: str, earlier: Task | None, seed: int, progress: Progress
) -> Task:
    """A task from a volume of which every voxel is known, beside what an earlier task holds.

    `weights` is the checksum of the network's weights. Raises InputError where voxels are unknown or the structures are
    not the earlier task's.
    """
    if bool((annotation.labels == UNKNOWN).any()):
        raise InputError("only a whole segmentation can be taught, and some voxels are unknown (0): segment it first")
    structures = tuple(_structure(annotation, label) for label in annotation.structures)
    subjects: list[TaughtSubject] = []
    if earlier:
        _require_same(structures, earlier)
        annotation = with_relations(
            annotation, annotation.relations or earlier.provenance.relations, annotation.covered
        )
        subjects = subjects_of(earlier, weights)
    image = torch.from_numpy(np.ascontiguousarray(volume.array)).float()
    masks = [_mask(annotation, structure.label) for structure in structures]
    subjects.append(learn_subject(image, masks, volume.geometry.spacing_kji, seed, progress))
    progress.report("done", 1.0)
    provenance = Provenance(
        structures=structures,
        weights=weights,
        strategy=STRATEGY,
        modality="CT" if is_ct(float(image.min())) else "",
        volumes=1 + (earlier.provenance.volumes if earlier else 0),
        relations=annotation.relations,
    )
    return Task(provenance, to_numbers(subjects[-MOST_SUBJECTS:]))


def subjects_of(task: Task, weights: str) -> list[TaughtSubject]:
    """What a task holds; raises InputError for one of other weights (by their checksum) or of another way."""
    provenance = task.provenance
    if provenance.weights != weights:
        raise InputError("the task was taught with other weights: use those, or teach it again with these")
    if provenance.strategy != STRATEGY:
        raise InputError(
            f"the task was taught in another way ({provenance.strategy}): update MetaSegment, or teach it again"
        )
    try:
        return from_numbers(task.numbers, len(task.structures))
    except ValueError:
        raise InputError("the task is damaged: copy it again or teach it again") from None


def _mask(annotation: Annotation, label: int) -> torch.Tensor:
    return torch.from_numpy(seen_for(annotation, label).labels == label).float()


def _structure(annotation: Annotation, label: int) -> TaskStructure:
    name = annotation.names.get(label) or default_name(label)
    terminology = terminology_of(name)
    entry = "" if terminology == TISSUE else entry_of(terminology)
    return TaskStructure(label, name[:LONGEST_NAME], annotation.colors.get(label), entry)


def _require_same(structures: Sequence[TaskStructure], earlier: Task) -> None:
    ours, theirs = ([f"{s.name} ({s.label})" for s in found] for found in (structures, earlier.structures))
    if ours != theirs:
        raise InputError(f"the task is for {', '.join(theirs)}, the segmentation has {', '.join(ours)}: teach the same")
