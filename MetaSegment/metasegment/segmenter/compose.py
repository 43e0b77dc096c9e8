"""From answers on grids to one label map on the volume's own voxels: structures compete, annotated voxels stay as
drawn.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from types import EllipsisType

import numpy as np
import torch
from torch import Tensor

from ..annotation import BACKGROUND, AnnotatedSlice, Annotation, annotated_slices
from ..grid import to_voxels
from ..segmentation import Map, Region
from .answer import StructureAnswer
from .related import nested, with_shared


def compose(annotation: Annotation, answers: Sequence[StructureAnswer]) -> Map:
    """Each voxel goes to the structure with the highest probability above one half; annotated voxels are taken from the
    annotation. Structures that may share voxels do not compete, and what lies inside another one is part of it.

    Probabilities are interpolated, not logits, whose zero crossing between two cells depends on how sure the surer is:
    two points of Dice on structures of a few cells.
    """
    shape = annotation.labels.shape
    region = _union([item.region for item in answers])
    size = [part.stop - part.start for part in region]
    best = torch.full(size, 0.5)
    doubt = torch.zeros(size)
    winner = torch.zeros(size, dtype=torch.uint8)
    shared = _whole(answers, region) if annotation.relations else {}
    if shared:
        shared = nested(shared, annotation.relations)
    parts = ((label, ..., values) for label, values in shared.items()) if shared else _placed(answers, region)
    for structure, here, values in parts:
        wins = values > best[here]
        winner[here][wins] = structure
        best[here] = torch.maximum(best[here], values)
        doubt[here] = torch.maximum(doubt[here], torch.minimum(values, 1 - values))
    labels = np.zeros(shape, np.uint8)
    labels[region] = winner.numpy()
    uncertainty = (2 * doubt).half().numpy()
    _keep_annotated(labels, uncertainty, region, annotation)
    covered = with_shared(labels, region, shared, annotation) if shared else {}
    return Map(labels, uncertainty, region, covered)


def _placed(
    answers: Sequence[StructureAnswer], region: Region
) -> Iterator[tuple[int, tuple[slice, ...] | EllipsisType, Tensor]]:
    """Each structure, where its answer lies in the region, and its probabilities there."""
    for item in answers:
        inner = [part.stop - part.start for part in item.region]
        values, where = to_voxels(item.answer.probability, item.answer.grid, inner)
        yield (
            item.structure,
            tuple(
                slice(w.start + own.start - all_.start, w.stop + own.start - all_.start)
                for w, own, all_ in zip(where, item.region, region, strict=True)
            ),
            values,
        )


def _whole(answers: Sequence[StructureAnswer], region: Region) -> dict[int, Tensor]:
    """Probabilities of each structure on all of the region, 0 where it was not looked for."""
    found = {}
    for structure, here, values in _placed(answers, region):
        found[structure] = torch.zeros([part.stop - part.start for part in region])
        found[structure][here] = values
    return found


def _keep_annotated(labels: np.ndarray, uncertainty: np.ndarray, region: Region, annotation: Annotation) -> None:
    drawn, answer, unsure = annotation.labels.reshape(-1), labels.reshape(-1), np.zeros(labels.shape, bool).reshape(-1)
    for sheet in annotated_slices(annotation):
        flat = sheet.voxels(labels.shape)
        values, found = drawn[flat], answer[flat]
        finished = annotation.finished.get(sheet) if isinstance(sheet, AnnotatedSlice) else None
        if finished is None:
            answer[flat] = np.where(values == BACKGROUND, 0, values)
        else:  # what the slice is not finished for may be where nothing is drawn
            elsewhere = np.where(np.isin(found, list(finished)), 0, found)
            answer[flat] = np.where(values == BACKGROUND, elsewhere, values)
            unsure[flat] = values == BACKGROUND
    for label, stroke in annotation.strokes.items():
        answer[stroke.outside[answer[stroke.outside] == label]] = 0
        answer[stroke.inside] = label
    uncertainty[(annotation.labels[region] != 0) & ~unsure.reshape(labels.shape)[region]] = 0


def _union(regions: Sequence[Region]) -> Region:
    """The smallest region around all; one voxel where there is none."""
    if not regions:
        return slice(0, 1), slice(0, 1), slice(0, 1)
    k, j, i = (slice(min(r[a].start for r in regions), max(r[a].stop for r in regions)) for a in range(3))
    return k, j, i
