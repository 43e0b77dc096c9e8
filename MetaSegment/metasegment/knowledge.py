"""What an annotation says of each structure by itself: the slices that are finished for it, and strokes.

On a slice that is finished for a structure every voxel is in it or out of it. On one that is not, only strokes are
known, and what is drawn of other structures, which exclude it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np

from .annotation import BACKGROUND, UNKNOWN, AnnotatedSlice, Annotation, ObliqueSlice, Stroke, annotated_slices
from .errors import InputError
from .layers import Covered
from .relations import Relation, inside_of, outside_of, require_consistent, sharing


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


def with_relations(annotation: Annotation, relations: Sequence[Relation], covered: Covered | None = None) -> Annotation:
    """The annotation with structures that may share voxels, and `covered` ones that do.

    Raises InputError where relations contradict each other, and where structures that exclude each other share voxels.
    """
    require_consistent(relations, annotation.names)
    covered = covered or {}
    require_related(annotation.labels, covered, relations, annotation.names)
    found = replace(annotation, relations=tuple(relations), covered=covered)
    return replace(found, structures=tuple(sorted({*found.structures, *covered})))


def seen_for(annotation: Annotation, structure: int) -> Annotation:
    """What the annotation says of one structure: `labels` show all of it, with what lies inside it, and those that may
    share other voxels with it as background. The annotation itself where no structure shares any.
    """
    together = sharing(annotation.relations, structure)
    if not together:
        return annotation
    inner = inside_of(annotation.relations, structure)
    table = np.arange(BACKGROUND + 1, dtype=np.uint8)
    table[list(together - inner)] = BACKGROUND
    table[list(inner)] = structure
    labels = table[annotation.labels]
    for label in {structure, *inner} & set(annotation.covered):
        labels.reshape(-1)[annotation.covered[label]] = structure
    strokes = {label: stroke for label, stroke in annotation.strokes.items() if label not in together}
    return replace(annotation, labels=labels, strokes={**strokes, structure: _implied(annotation, structure)})


def renewed(before: Stroke, after: Stroke) -> Stroke:
    """Both remarks about one structure; where they contradict each other, the later one holds."""
    return Stroke(
        np.union1d(np.setdiff1d(before.inside, after.outside), after.inside),
        np.union1d(np.setdiff1d(before.outside, after.inside), after.outside),
    )


def _implied(annotation: Annotation, structure: int) -> Stroke:
    """Strokes of a structure with those of what it is related to: what is in an inner one is in it, what is out of an
    outer one is out of it, and so is what is drawn of an inner one on slices that it is not finished for itself.
    """
    strokes, nothing = annotation.strokes, Stroke()
    inner = sorted(inside_of(annotation.relations, structure))
    inside = [strokes.get(label, nothing).inside for label in (structure, *inner)]
    flat = annotation.labels.reshape(-1)
    for sheet in annotated_slices(annotation):
        if inner and not is_finished(annotation, sheet, structure):
            voxels = sheet.voxels(annotation.labels.shape)
            inside.append(voxels[np.isin(flat[voxels], inner)])
    outer = outside_of(annotation.relations, structure)
    outside = [strokes.get(label, nothing).outside for label in (structure, *outer)]
    known = np.unique(np.concatenate(inside))
    return Stroke(known, np.setdiff1d(np.concatenate(outside), known))


def require_related(
    labels: np.ndarray, covered: Covered, relations: Sequence[Relation], names: Mapping[int, str]
) -> None:
    """Raises InputError where structures of labels uint8 (k, j, i) that exclude each other share voxels."""
    flat = labels.reshape(-1)
    for label, voxels in covered.items():
        counts = np.bincount(flat[voxels], minlength=BACKGROUND + 1)
        for other, hidden in covered.items():
            counts[other] += np.intersect1d(voxels, hidden, assume_unique=True).size if other != label else 0
        counts[list(sharing(relations, label))] = 0
        if counts.any():
            one, two = (f"'{names.get(n, n)}'" for n in (label, int(counts.argmax())))
            raise InputError(
                f"segments {one} and {two} overlap in {counts.max():,} voxels; choose some by name (--structures), say "
                f"how they are related (--relation), or save them without overlap"
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
