"""Structures that may share voxels: what is inside another lies in it, and each competes only with what excludes it."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import torch
from torch import Tensor

from ..annotation import Annotation
from ..knowledge import finished_slices, seen_for, stroke_of
from ..layers import paint
from ..relations import Relation, inside_of, related, sharing
from ..segmentation import Region


def nested(values: Mapping[int, Tensor], relations: tuple[Relation, ...]) -> dict[int, Tensor]:
    """Probabilities (k, j, i) on one region, by label, such that what is inside a structure is part of it.

    Where the inner one is found and the outer one is not, the likelier of both and neither holds, the two taken as
    independent: both where their probabilities are more than one together.
    """
    found = dict(values)
    pairs = [(r.first, r.second) for r in relations if r.kind == "inside" and {r.first, r.second} <= set(values)]
    order = {label: n for n, label in enumerate(related(relations))}
    for inner, outer in sorted(pairs, key=lambda pair: -order[pair[1]]):
        both = (found[inner] > 0.5) & (found[inner] + found[outer] > 1)
        found[outer] = torch.where(both, torch.maximum(found[outer], found[inner]), found[outer])
    for inner, outer in sorted(pairs, key=lambda pair: order[pair[1]]):
        found[inner] = torch.where(found[outer] > 0.5, found[inner], torch.minimum(found[inner], found[outer]))
    return found


def with_shared(
    labels: np.ndarray, region: Region, values: Mapping[int, Tensor], annotation: Annotation
) -> dict[int, np.ndarray]:
    """Gives the structures of the annotation's relations their voxels in labels uint8 (k, j, i), in place, as drawn
    where they are drawn; returns what is covered. `values` are all structures' probabilities on the region.
    """
    relations = annotation.relations
    here = [label for label in related(relations) if label in values]
    masks = {label: _found(label, region, values, annotation) for label in here}
    for outer in here:
        for inner in inside_of(relations, outer) & set(here):
            masks[inner] &= masks[outer]
    for relation in sorted(relations, key=lambda r: here.index(r.second) if r.second in here else 0):
        if relation.excluded and {relation.first, relation.second} <= set(here):
            masks[relation.second] &= ~masks[relation.first]
    labels[np.isin(labels, here)] = 0
    return paint(labels, {label: np.flatnonzero(mask) for label, mask in masks.items()})


def _found(label: int, region: Region, values: Mapping[int, Tensor], annotation: Annotation) -> np.ndarray:
    """Where a structure is likelier than not and than each that excludes it; what is known of it is as drawn."""
    free = sharing(annotation.relations, label)
    most = torch.full_like(values[label], 0.5)
    for other, rival in values.items():
        if other != label and other not in free:
            most = torch.maximum(most, rival)
    mask = np.zeros(annotation.labels.shape, bool)
    mask[region] = (values[label] > most).numpy()
    view, flat = seen_for(annotation, label), mask.reshape(-1)
    for sheet in finished_slices(view, label):
        voxels = sheet.voxels(view.geometry.shape)
        flat[voxels] = view.labels.reshape(-1)[voxels] == label
    stroke = stroke_of(view, label)
    flat[stroke.outside], flat[stroke.inside] = False, True
    return mask
