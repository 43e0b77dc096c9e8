"""Annotations: which voxels the user has labelled, and on which slices every voxel is known.

Finds annotated slices in any plane of the volume's own axes and holds oblique ones; does not resample, and
does not judge whether the slices are well chosen. Array axes are k, j, i.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TypeVar

import numpy as np

from .errors import InputError
from .layers import Covered
from .oblique import digital_plane
from .relations import Relation
from .structure import Color, Segment
from .volume import Geometry

UNKNOWN, BACKGROUND = 0, 255
AXIS_NAMES = ("k", "j", "i")
# Labels that were floats come back from 8 bits and a scale factor as 0.996 and the like.
_ROUNDING = 0.01
_FLOAT = 1e-4  # of 32-bit floats up to 255
_T = TypeVar("_T")
_HOW_TO = (
    "on an annotated slice every voxel is a structure (1...254) or background (255; in a .seg.nrrd: a "
    "segment named 'background'), 0 means unknown"
)


@dataclass(frozen=True)
class AnnotatedSlice:
    """A plane of the volume's own axes with no unknown voxel; `axis` is 0 = k, 1 = j, 2 = i."""

    axis: int
    index: int

    def voxels(self, shape: tuple[int, int, int]) -> np.ndarray:
        """Flat (C order) int64 indices of the slice's voxels in an array of `shape` (k, j, i)."""
        ranges = [np.arange(n) for n in shape]
        ranges[self.axis] = np.array([self.index])
        return np.ravel_multi_index(np.ix_(*ranges), shape).ravel()


@dataclass(frozen=True, eq=False)
class ObliqueSlice:
    """Known voxels off the volume's planes, treated as one slice.

    `flat` are int64 indices (C order) into the volume; `affine` (4, 4) takes a pixel (row, column, 0, 1) of
    the drawn slice to LPS mm, or is None where the voxels were found in a label file.
    """

    flat: np.ndarray
    affine: np.ndarray | None = None

    def voxels(self, shape: tuple[int, int, int]) -> np.ndarray:
        """Flat (C order) int64 indices of the slice's voxels (`shape` as for AnnotatedSlice)."""
        return self.flat


@dataclass(frozen=True, eq=False)
class Stroke:
    """A partial remark about one structure: flat int64 indices (C order), sorted, of voxels in it and not in it."""

    inside: np.ndarray = field(default_factory=lambda: np.empty(0, np.int64))
    outside: np.ndarray = field(default_factory=lambda: np.empty(0, np.int64))


@dataclass(frozen=True, eq=False)
class Annotation:
    """What the user has labelled on a volume's grid, and the slices found in it.

    `labels` are uint8 (k, j, i): 0 unknown, 1...254 structures, 255 background. `structures` are those
    present, sorted; `names` and `colors` (red, green, blue, 0...1) may lack some of them. `notes` are sentences for
    the user about what the reader left out.

    `finished` says for which structures alone a slice is finished; one that it does not name is finished for all.
    `strokes` are by structure. What both mean is in `knowledge`. Structures exclude each other but for `relations`;
    where they share voxels, `labels` show the smallest, and `covered` has those of the others.
    """

    labels: np.ndarray
    geometry: Geometry
    slices: tuple[AnnotatedSlice, ...] = ()
    oblique: tuple[ObliqueSlice, ...] = ()
    structures: tuple[int, ...] = ()
    names: Mapping[int, str] = field(default_factory=dict)
    colors: Mapping[int, Color] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    finished: Mapping[AnnotatedSlice, frozenset[int]] = field(default_factory=dict)
    strokes: Mapping[int, Stroke] = field(default_factory=dict)
    relations: tuple[Relation, ...] = ()
    covered: Covered = field(default_factory=dict)


def empty_annotation(geometry: Geometry) -> Annotation:
    """Nothing known yet: the start for `add_oblique_slice`."""
    return Annotation(np.zeros(geometry.shape, np.uint8), geometry)


def annotation_from_labels(
    labels: np.ndarray,
    geometry: Geometry,
    names: Mapping[int, str] | None = None,
    colors: Mapping[int, Color] | None = None,
) -> Annotation:
    """Find the annotated slices of a label array (k, j, i), integers or whole floats 0...255.

    Planes of all three axes may be mixed; where the whole volume is known, only axial (k) slices are
    reported. Known voxels on no full plane are strokes, beside one, or else one oblique slice. `names` declares
    structures that must have voxels. Raises InputError where there is nothing to learn from.
    """
    if labels.shape != geometry.shape:
        raise InputError(f"labels have shape {labels.shape}, the image has {geometry.shape} (k, j, i)")
    labels = as_label_array(labels)
    slices = full_planes(labels)
    rest = known_outside(labels, slices)
    strokes: dict[int, Stroke] = {}
    if slices and rest.size and not _is_tilted(rest, labels.shape):
        labels, strokes, rest = *_as_strokes(labels, rest), rest[:0]
    annotation = Annotation(
        labels=labels,
        geometry=geometry,
        slices=slices,
        oblique=(ObliqueSlice(rest),) if rest.size else (),
        structures=_structures(labels, slices, rest),
        names=_of_structures(names or {}),
        colors=_of_structures(colors or {}),
        strokes=strokes,
    )
    require_usable(annotation)
    return annotation


def add_oblique_slice(annotation: Annotation, mask: np.ndarray, affine: np.ndarray) -> Annotation:
    """Draw an oblique slice into the grid: labels uint8 (rows, columns), 0 where nothing was said.

    `affine` (4, 4) takes (row, column, 0, 1) to LPS mm; its third column is not used. Along the grid axis
    that the plane crosses most steeply, each line of voxels gets exactly the voxel nearest to the plane, so
    the sheet has no holes. Where slices cross, the one drawn last wins. Raises InputError for a degenerate
    affine or a slice outside the volume.
    """
    flat, rows, columns = digital_plane(affine, mask.shape, annotation.geometry)
    values = as_label_array(mask)[rows, columns]
    flat, values = flat[values != UNKNOWN], values[values != UNKNOWN]
    if flat.size == 0:
        raise InputError(
            "the oblique slice does not meet the volume; its affine must take (row, column, 0, 1) to LPS mm"
        )
    labels = annotation.labels.copy()
    labels.ravel()[flat] = values
    slices = full_planes(labels)
    new = () if _lies_in_a_plane(flat, labels.shape, slices) else (ObliqueSlice(flat, affine),)
    oblique = annotation.oblique + new
    on_oblique = np.concatenate([np.empty(0, np.int64), *(sheet.flat for sheet in oblique)])
    return replace(
        annotation,
        labels=labels,
        slices=slices,
        oblique=oblique,
        structures=_structures(labels, slices, on_oblique),
    )


def complete(annotation: Annotation, labels: np.ndarray, covered: Covered | None = None) -> Annotation:
    """The annotation with every unknown voxel filled from a label map uint8 (k, j, i), whose 0 is background.

    On a slice that is not finished for all structures the label map says what is not drawn. `covered` goes with it.
    """
    filled = np.where(labels == UNKNOWN, np.uint8(BACKGROUND), labels)
    known = annotation.labels != UNKNOWN
    for plane in annotation.finished:
        drawn = np.moveaxis(annotation.labels, plane.axis, 0)[plane.index]
        np.moveaxis(known, plane.axis, 0)[plane.index] &= drawn != BACKGROUND
    filled[known] = annotation.labels[known]
    found = annotation_from_labels(filled, annotation.geometry)
    structures = tuple(sorted({*found.structures, *(covered or {})}))
    return replace(
        found,
        structures=structures,
        names=annotation.names,
        colors=annotation.colors,
        relations=annotation.relations,
        covered=covered or {},
    )


def annotated_slices(annotation: Annotation) -> tuple[AnnotatedSlice | ObliqueSlice, ...]:
    """All annotated slices, oblique ones last; the `voxels` of one can be hidden and the others kept.

    Voxels on the line where two slices cross belong to both.
    """
    return annotation.slices + annotation.oblique


def require_usable(annotation: Annotation) -> None:
    """Raise InputError, saying what to do, where no slice is annotated or a structure has no voxel."""
    labels = annotation.labels
    if not labels.any():
        raise InputError(f"nothing is annotated: every voxel is unknown (0); {_HOW_TO}")
    if not annotation.slices:
        if not (labels == BACKGROUND).any():
            raise InputError(f"no voxel is marked as background (255), so no slice is fully annotated; {_HOW_TO}")
        drawn = (sheet.affine is not None or _is_tilted(sheet.flat, labels.shape) for sheet in annotation.oblique)
        if not any(drawn):
            raise InputError(f"no slice is fully annotated: {_nearest_miss(labels)}; {_HOW_TO}")
    if not annotation.structures:
        raise InputError(
            "only background (255) is annotated; draw each structure on at least one slice (1...254, so not 255 as in "
            "masks of 0 and 255)"
        )
    for label, name in annotation.names.items():
        if label not in annotation.structures:
            raise InputError(f"structure '{name}' (label {label}) has no voxel; draw it on a slice or remove it")


def as_label_array(array: np.ndarray, step: float = 0.0) -> np.ndarray:
    """Labels as uint8; raises InputError for values that are not whole numbers 0...255.

    `step` is that of a scale factor between the numbers in a file: labels lie up to half of it off.
    """
    rounding = max(_ROUNDING, step / 2 + _FLOAT) if step < 1 else _ROUNDING
    lowest, highest = array.min(), array.max()
    if not (lowest >= -rounding and highest <= BACKGROUND + rounding):  # written so that NaN is refused too
        raise InputError(
            f"labels out of range: {lowest:g} to {highest:g}; allowed are 0 unknown, 1...254, 255 background"
        )
    if array.dtype.kind != "f":
        return np.ascontiguousarray(array, np.uint8)
    whole = np.rint(array)
    if np.abs(array - whole).max() > rounding:
        raise InputError("labels out of range: some are fractions; a label is a whole number 0...255")
    return np.ascontiguousarray(whole, np.uint8)


def mark_background(labels: np.ndarray, segments: Sequence[Segment]) -> list[Segment]:
    """Give the voxels of a segment named "background" the label 255, in place; returns the other segments."""
    for segment in segments:
        if segment.name.lower() == "background":
            labels[labels == segment.label] = BACKGROUND
    return [segment for segment in segments if segment.name.lower() != "background"]


def _is_structure(label: int) -> bool:
    return UNKNOWN < label < BACKGROUND


def _of_structures(table: Mapping[int, _T]) -> dict[int, _T]:
    return {label: table[label] for label in sorted(table) if _is_structure(label)}


def full_planes(labels: np.ndarray) -> tuple[AnnotatedSlice, ...]:
    """Planes without an unknown voxel. A minimum of bytes runs at memory speed and copies nothing."""
    along_k = labels.min(axis=(1, 2))
    over_k = labels.min(axis=0)
    # When every axial plane is full, so is every other: the volume counts as annotated slice by slice.
    lowest = (along_k,) if along_k.all() else (along_k, over_k.min(axis=1), over_k.min(axis=0))
    return tuple(AnnotatedSlice(axis, int(n)) for axis, low in enumerate(lowest) for n in np.flatnonzero(low))


def known_outside(labels: np.ndarray, slices: tuple[AnnotatedSlice, ...]) -> np.ndarray:
    """Flat indices of known voxels on none of the planes; cheap when there are none."""
    free = [n - sum(plane.axis == axis for plane in slices) for axis, n in enumerate(labels.shape)]
    if np.count_nonzero(labels) == labels.size - int(np.prod(free)):
        return np.empty(0, np.int64)
    known = labels != UNKNOWN
    for plane in slices:
        known.swapaxes(0, plane.axis)[plane.index] = False
    return np.flatnonzero(known)


def _structures(labels: np.ndarray, slices: tuple[AnnotatedSlice, ...], rest: np.ndarray) -> tuple[int, ...]:
    """Labels 1...254 present. Only known voxels are counted: counting all of a CT volume takes longest."""
    counts = np.bincount(labels.ravel()[rest], minlength=BACKGROUND + 1)
    for plane in slices:
        counts += np.bincount(labels.swapaxes(0, plane.axis)[plane.index].ravel(), minlength=BACKGROUND + 1)
    return tuple(label for label in np.flatnonzero(counts).tolist() if _is_structure(label))


def _as_strokes(labels: np.ndarray, marked: np.ndarray) -> tuple[np.ndarray, dict[int, Stroke]]:
    """Labels without the marked voxels (flat), and what those say: of each structure, what is in it, and all else not.

    255 says that no structure is there.
    """
    values = labels.reshape(-1)[marked]
    rest = labels.copy()
    rest.reshape(-1)[marked] = UNKNOWN
    structures = [n for n in np.unique(labels).tolist() if _is_structure(n)]
    return rest, {n: Stroke(marked[values == n], marked[values != n]) for n in structures}


def _is_tilted(flat: np.ndarray, shape: tuple[int, ...]) -> bool:
    """Whether voxels run through neighbouring indices on every axis, as those of an oblique slice do.

    Part of an axial, coronal or sagittal slice has an index with none beside it.
    """
    for positions in np.unravel_index(flat, shape):
        used = np.zeros(max(shape) + 2, bool)
        used[positions + 1] = True
        if (used[1:-1] & ~used[:-2] & ~used[2:]).any():
            return False
    return True


def _nearest_miss(labels: np.ndarray) -> str:
    """The plane with the smallest share of unknown voxels, in words."""
    known = labels != UNKNOWN
    best = (0.0, "")
    for axis in range(3):
        counts = known.sum(axis=tuple(a for a in range(3) if a != axis))
        plane, size = int(counts.argmax()), labels.size // labels.shape[axis]
        where = f"slice {AXIS_NAMES[axis]} = {plane}"
        miss = f"{size - int(counts[plane]):,} of {size:,} voxels of {where} are still unknown"
        best = max(best, (counts[plane] / size, miss))
    return best[1]


def _lies_in_a_plane(flat: np.ndarray, shape: tuple[int, ...], slices: tuple[AnnotatedSlice, ...]) -> bool:
    positions = np.unravel_index(flat, shape)
    return any((positions[plane.axis] == plane.index).all() for plane in slices)
