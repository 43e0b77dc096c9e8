"""What an annotation says of each structure by itself: the slices that are finished for it, and strokes.

On a slice that is finished for a structure every voxel is in it or out of it. On one that is not, only strokes are
known, and what is drawn of other structures, which exclude it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np

from .annotation import BACKGROUND, UNKNOWN, AnnotatedSlice, Annotation, ObliqueSlice, Stroke, annotated_slices
from .errors import InputError


def is_finished(annotation: Annotation, sheet: AnnotatedSlice | ObliqueSlice, structure: int) -> bool:
    """Whether every voxel of an annotated slice is known of a structure; where nothing is said, it is."""
    if isinstance(sheet, ObliqueSlice):
        return True
    return structure in annotation.finished.get(sheet, (structure,))


def finished_slices(annotation: Annotation, structure: int) -> tuple[AnnotatedSlice | ObliqueSlice, ...]:
    """The annotated slices on which every voxel is known of a structure."""
    return tuple(sheet for sheet in annotated_slices(annotation) if is_finished(annotation, sheet, structure))


def stroke_of(annotation: Annotation, structure: int) -> Stroke:
    """The voxels known of a structure beside its finished slices: its strokes, and others drawn where it is not
    finished, which are outside it.
    """
    own = annotation.strokes.get(structure, Stroke())
    flat = annotation.labels.reshape(-1)
    outside = [own.outside, *(other.inside for label, other in annotation.strokes.items() if label != structure)]
    for sheet in annotated_slices(annotation):
        if not is_finished(annotation, sheet, structure):
            voxels = sheet.voxels(annotation.labels.shape)
            drawn = flat[voxels]
            outside.append(voxels[(drawn != UNKNOWN) & (drawn != BACKGROUND) & (drawn != structure)])
    return Stroke(own.inside, np.setdiff1d(np.concatenate(outside), own.inside))


def with_finished(annotation: Annotation, finished: Mapping[AnnotatedSlice, frozenset[int]]) -> Annotation:
    """The annotation with slices finished for some structures only; structures are those that a slice finished for them
    shows.

    A slice that is named and was not annotated so far becomes one: what is unknown on it is out of the structures that
    it is finished for. Raises InputError for a slice outside the volume and where no structure is left.
    """
    labels = annotation.labels.copy()
    for plane in finished:
        if not (0 <= plane.axis < 3 and 0 <= plane.index < labels.shape[plane.axis]):
            raise InputError(f"slice {plane.index} across axis {plane.axis} is outside the volume")
        values = np.moveaxis(labels, plane.axis, 0)[plane.index]
        values[values == UNKNOWN] = BACKGROUND
    slices = tuple(sorted({*annotation.slices, *finished}, key=lambda plane: (plane.axis, plane.index)))
    found = replace(annotation, labels=labels, slices=slices, finished={**annotation.finished, **finished})
    return replace(found, structures=_shown(found))


def with_strokes(annotation: Annotation, strokes: Mapping[int, Stroke]) -> Annotation:
    """The annotation with strokes, by structure, beside those it has."""
    joined = dict(annotation.strokes)
    for label, stroke in strokes.items():
        before = joined.get(label, Stroke())
        joined[label] = Stroke(
            np.union1d(before.inside, stroke.inside),
            np.setdiff1d(np.union1d(before.outside, stroke.outside), stroke.inside),
        )
    return replace(annotation, strokes=joined)


def renewed(before: Stroke, after: Stroke) -> Stroke:
    """Both remarks about one structure; where they contradict each other, the later one holds."""
    return Stroke(
        np.union1d(np.setdiff1d(before.inside, after.outside), after.inside),
        np.union1d(np.setdiff1d(before.outside, after.inside), after.outside),
    )


def _shown(annotation: Annotation) -> tuple[int, ...]:
    flat = annotation.labels.reshape(-1)
    found: set[int] = set()
    for sheet in annotated_slices(annotation):
        labels = (int(x) for x in np.unique(flat[sheet.voxels(annotation.labels.shape)]))
        found |= {x for x in labels if UNKNOWN < x < BACKGROUND and is_finished(annotation, sheet, x)}
    if not found:
        raise InputError("no slice is finished for a structure that is drawn on it: finish one")
    return tuple(sorted(found))
