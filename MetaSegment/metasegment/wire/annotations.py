"""An annotation as arrays and a text: the voxels of its slices travel, never its whole label volume.

Relies on Annotation's own promise that no voxel off its slices is labelled; does not judge what is annotated.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from ..annotation import BACKGROUND, UNKNOWN, AnnotatedSlice, Annotation, ObliqueSlice, Stroke
from ..errors import InputError
from ..io.arrays import decode, encode
from ..io.records import FormatError, from_json, require, to_json
from ..relations import Relation, require_consistent
from ..structure import Color
from ..volume import Geometry
from .messages import JobRequest
from .volumes import check_geometry

# Names in a job's message.
_REQUEST, _OUTLINE, _VALUES, _FLAT = "request", "annotation", "values", "flat"
#: Characters of a structure's name.
_LONGEST_NAME = 500
#: Voxels looked up at a time: numpy widens each to 8 bytes, which for a whole volume would be gigabytes.
_PIECE = 1 << 16


@dataclass(frozen=True)
class ObliqueOutline:
    """An oblique slice of so many voxels; `affine` has its 16 numbers, row by row."""

    voxels: int
    affine: tuple[float, ...] | None

    def __post_init__(self) -> None:
        require(self.voxels > 0, "an oblique slice must have voxels")
        require(self.affine is None or len(self.affine) == 16, "an oblique slice's affine must have 16 numbers")


@dataclass(frozen=True)
class Described:
    """What a structure is called and how it looks, as far as that is known."""

    label: int
    name: str | None
    color: Color | None

    def __post_init__(self) -> None:
        require(_is_structure(self.label), "a structure's label must be 1 to 254")
        require(len(self.name or "") <= _LONGEST_NAME, f"a structure's name may have {_LONGEST_NAME} characters")
        require(all(0 <= part <= 1 for part in self.color or ()), "a structure's color must be 0 to 1")


@dataclass(frozen=True)
class FinishedFor:
    """A slice that is finished for some structures only."""

    slice: AnnotatedSlice
    structures: tuple[int, ...]

    def __post_init__(self) -> None:
        require(all(map(_is_structure, self.structures)), "a slice is finished for structures of 1 to 254")


@dataclass(frozen=True)
class StrokeOutline:
    """How many voxels are stroked as in a structure, and as not in it."""

    label: int
    inside: int
    outside: int

    def __post_init__(self) -> None:
        require(_is_structure(self.label), "a stroke's label must be 1 to 254")
        require(min(self.inside, self.outside) >= 0, "a stroke's voxels must be counted")


@dataclass(frozen=True)
class CoveredOutline:
    """How many voxels of a structure are drawn as another that lies in it or overlaps it."""

    label: int
    voxels: int

    def __post_init__(self) -> None:
        require(_is_structure(self.label), "a covered structure's label must be 1 to 254")
        require(self.voxels > 0, "a covered structure must have covered voxels")


@dataclass(frozen=True)
class Outline:
    """All of an annotation but its voxels. `structures` are those present, `described` those with name or colour."""

    geometry: Geometry
    slices: tuple[AnnotatedSlice, ...]
    oblique: tuple[ObliqueOutline, ...]
    structures: tuple[int, ...]
    described: tuple[Described, ...]
    finished: tuple[FinishedFor, ...] = ()
    strokes: tuple[StrokeOutline, ...] = ()
    relations: tuple[Relation, ...] = ()
    covered: tuple[CoveredOutline, ...] = ()


@dataclass(frozen=True, eq=False)
class PackedAnnotation:
    """An annotation as it travels and waits: `values` uint8 are the labels on its slices, `flat` int64 where in the
    volume those of oblique slices are, and after them stroked and covered voxels; each slice after the other,
    axis-aligned ones first, then each structure's strokes, inside first, then covered voxels.
    """

    outline: Outline
    values: np.ndarray
    flat: np.ndarray


def pack(annotation: Annotation) -> PackedAnnotation:
    """Takes the labels off the slices; raises FormatError for names that are too long and colours that are none."""
    labels = annotation.labels
    oblique = [
        ObliqueOutline(len(o.flat), None if o.affine is None else tuple(np.ravel(o.affine).tolist()))
        for o in annotation.oblique
    ]
    described = [
        Described(label, annotation.names.get(label), annotation.colors.get(label))
        for label in sorted({*annotation.names, *annotation.colors})
    ]
    outline = Outline(
        annotation.geometry,
        annotation.slices,
        tuple(oblique),
        annotation.structures,
        tuple(described),
        tuple(FinishedFor(plane, tuple(sorted(for_))) for plane, for_ in annotation.finished.items()),
        tuple(StrokeOutline(n, len(s.inside), len(s.outside)) for n, s in sorted(annotation.strokes.items())),
        annotation.relations,
        tuple(CoveredOutline(n, len(voxels)) for n, voxels in sorted(annotation.covered.items())),
    )
    flat = np.concatenate([np.empty(0, np.int64), *(o.flat for o in annotation.oblique)])
    stroked = [part for _, s in sorted(annotation.strokes.items()) for part in (s.inside, s.outside)]
    values = np.concatenate(list(_values(labels, annotation.slices, flat)))
    covered = [voxels for _, voxels in sorted(annotation.covered.items())]
    return PackedAnnotation(outline, values, np.concatenate([flat, *stroked, *covered]))


def unpack(packed: PackedAnnotation, geometry: Geometry) -> Annotation:
    """The annotation, on the grid `geometry` of the volume it was made for.

    Raises FormatError where it is on another grid, slices are outside, twice or contradict each other, or `structures`
    are not those that are drawn.
    """
    outline, shape = packed.outline, geometry.shape
    check_geometry(outline.geometry)
    require(geometry.difference(outline.geometry) is None, "the annotation is not on the volume's grid")
    _check_slices(outline.slices, outline.finished, shape)
    _check_sizes(packed, shape)
    _check_relations(outline)
    oblique = tuple(_oblique_slices(packed, shape))
    strokes, covered = _strokes(packed, shape), _covered(packed, shape)
    labels = np.zeros(shape, np.uint8)
    start = 0
    for plane in outline.slices:
        target = labels[_across(plane)]
        target[:] = packed.values[start : start + target.size].reshape(target.shape)
        start += target.size
    np.put(labels, packed.flat[: len(packed.values) - start], packed.values[start:])
    _check_crossings(labels, packed)
    _check_structures(packed)
    return Annotation(
        labels,
        outline.geometry,
        outline.slices,
        oblique,
        outline.structures,
        {d.label: d.name for d in outline.described if d.name is not None},
        {d.label: d.color for d in outline.described if d.color is not None},
        finished={f.slice: frozenset(f.structures) for f in outline.finished},
        strokes=strokes,
        relations=outline.relations,
        covered=covered,
    )


def encode_job(request: JobRequest, packed: PackedAnnotation | None) -> list[bytes | memoryview]:
    """The body of a job, in pieces; raises FormatError for an affine that is not finite."""
    if packed is None:
        return encode({}, {_REQUEST: to_json(request)})
    arrays = {_VALUES: packed.values, _FLAT: packed.flat}
    return encode(arrays, {_REQUEST: to_json(request), _OUTLINE: to_json(packed.outline)})


def decode_job(message: bytes | bytearray | memoryview) -> tuple[JobRequest, PackedAnnotation | None]:
    """What is asked, and of what; `unpack` checks the annotation once its volume is at hand.

    Only a task can be applied where nothing is annotated. Raises FormatError for whatever is not a job.
    """
    arrays, texts = decode(message)
    require(_REQUEST in texts, f"a job must have the text {_REQUEST}")
    request = from_json(JobRequest, texts[_REQUEST])
    if request.kind == "apply" and not arrays and _OUTLINE not in texts:
        return request, None
    require(_OUTLINE in texts, f"a job must have the text {_OUTLINE}")
    require({_VALUES, _FLAT} <= set(arrays), f"a job must have the arrays {_VALUES} and {_FLAT}")
    values, flat = arrays[_VALUES], arrays[_FLAT]
    require(values.dtype == np.uint8 and values.ndim == 1, f"a job's {_VALUES} must be U8 along one axis")
    require(flat.dtype == np.int64 and flat.ndim == 1, f"a job's {_FLAT} must be I64 along one axis")
    return request, PackedAnnotation(from_json(Outline, texts[_OUTLINE]), values, flat)


def _is_structure(label: int) -> bool:
    return UNKNOWN < label < BACKGROUND


def _across(plane: AnnotatedSlice) -> tuple[slice | int, ...]:
    """What picks a plane out of an array, as a view in C order of the two other axes."""
    return (*[slice(None)] * plane.axis, plane.index)


def _values(labels: np.ndarray, slices: tuple[AnnotatedSlice, ...], flat: np.ndarray) -> Iterator[np.ndarray]:
    """The labels on one slice after the other, those on oblique ones last."""
    yield from (labels[_across(plane)].ravel() for plane in slices)
    yield np.take(labels, flat)


def _check_slices(
    slices: tuple[AnnotatedSlice, ...], finished: tuple[FinishedFor, ...], shape: tuple[int, int, int]
) -> None:
    inside = all(0 <= plane.axis < 3 and 0 <= plane.index < shape[plane.axis] for plane in slices)
    require(inside, "an annotated slice is outside the volume")
    require(len(set(slices)) == len(slices), "an annotated slice appears twice")
    require({f.slice for f in finished} <= set(slices), "a slice that is finished for structures is not annotated")


def _check_sizes(packed: PackedAnnotation, shape: tuple[int, int, int]) -> None:
    oblique = sum(o.voxels for o in packed.outline.oblique)
    planes = sum(math.prod(shape) // shape[plane.axis] for plane in packed.outline.slices)
    stroked = sum(s.inside + s.outside for s in packed.outline.strokes)
    sentence = "the annotation's flat must have an entry for each oblique, stroked or covered voxel"
    covered = sum(c.voxels for c in packed.outline.covered)
    require(packed.flat.size == oblique + stroked + covered, sentence)
    require(packed.values.size == planes + oblique, "the annotation's values must be one for each voxel of a slice")


def _check_crossings(labels: np.ndarray, packed: PackedAnnotation) -> None:
    """Slice by slice: of a volume that is annotated throughout, a copy would be as large as it."""
    start = 0
    oblique = packed.flat[: sum(o.voxels for o in packed.outline.oblique)]
    for values in _values(labels, packed.outline.slices, oblique):
        same = np.array_equal(values, packed.values[start : start + values.size])
        require(same, "the annotation's slices contradict each other where they cross")
        start += values.size


def _oblique_slices(packed: PackedAnnotation, shape: tuple[int, int, int]) -> Iterator[ObliqueSlice]:
    start = 0
    for outline in packed.outline.oblique:
        flat = packed.flat[start : start + outline.voxels]
        start += outline.voxels
        require(flat[0] >= 0 and flat[-1] < math.prod(shape), "an oblique slice is outside the volume")
        require((flat[1:] > flat[:-1]).all(), "an oblique slice's voxels must be sorted, each once")
        yield ObliqueSlice(flat, None if outline.affine is None else np.reshape(outline.affine, (4, 4)))


def _strokes(packed: PackedAnnotation, shape: tuple[int, int, int]) -> dict[int, Stroke]:
    labels = [outline.label for outline in packed.outline.strokes]
    require(len(set(labels)) == len(labels), "a structure's strokes appear twice")
    start, found = sum(o.voxels for o in packed.outline.oblique), {}
    for outline in packed.outline.strokes:
        parts = []
        for count in (outline.inside, outline.outside):
            part = packed.flat[start : start + count]
            start += count
            require(_are_voxels(part, shape), "a stroke's voxels must be inside the volume and sorted, each once")
            parts.append(part)
        found[outline.label] = Stroke(*parts)
    return found


def _covered(packed: PackedAnnotation, shape: tuple[int, int, int]) -> dict[int, np.ndarray]:
    outlines = packed.outline.covered
    require(len({outline.label for outline in outlines}) == len(outlines), "a covered structure appears twice")
    start, found = packed.flat.size - sum(outline.voxels for outline in outlines), {}
    for outline in outlines:
        part = packed.flat[start : start + outline.voxels]
        start += outline.voxels
        require(_are_voxels(part, shape), "covered voxels must be inside the volume and sorted, each once")
        found[outline.label] = part
    return found


def _check_relations(outline: Outline) -> None:
    try:
        require_consistent(outline.relations, {})
    except InputError:
        raise FormatError("the annotation's relations contradict each other") from None
    labels = {label for r in outline.relations for label in (r.first, r.second)}
    require(all(map(_is_structure, labels)), "relations must be between structures of 1 to 254")
    require({c.label for c in outline.covered} <= labels, "a covered structure must be in a relation")


def _are_voxels(flat: np.ndarray, shape: tuple[int, int, int]) -> bool:
    """Whether flat indices are inside a volume of `shape` and sorted, each once."""
    return len(flat) == 0 or bool(flat[0] >= 0 and flat[-1] < math.prod(shape) and (flat[1:] > flat[:-1]).all())


def _check_structures(packed: PackedAnnotation) -> None:
    present = np.zeros(BACKGROUND + 1, bool)
    for start in range(0, packed.values.size, _PIECE):
        present[packed.values[start : start + _PIECE]] = True
    require(not present[UNKNOWN], "a voxel on an annotated slice is unknown (0)")
    present[[c.label for c in packed.outline.covered]] = True
    drawn = tuple(label for label in np.flatnonzero(present).tolist() if _is_structure(label))
    found, some = packed.outline.structures, bool(packed.outline.finished)
    fits = set(found) <= set(drawn) and found == tuple(sorted(set(found))) if some else found == drawn
    require(fits and (found or not drawn), "the annotation's structures must be those its slices show, sorted")
