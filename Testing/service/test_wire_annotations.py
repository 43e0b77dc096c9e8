"""Annotations on the wire: rebuilt exactly from their slices alone, and refused where they contradict themselves."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from helpers.grids import geometry_with
from hypothesis import given, settings
from hypothesis import strategies as st

from metasegment.annotation import (
    AnnotatedSlice,
    Annotation,
    ObliqueSlice,
    add_oblique_slice,
    annotation_from_labels,
    empty_annotation,
)
from metasegment.errors import InputError
from metasegment.io.arrays import decode, encode
from metasegment.knowledge import with_relations
from metasegment.relations import Relation
from metasegment.volume import Geometry
from metasegment.wire import FormatError
from metasegment.wire.annotations import (
    Described,
    ObliqueOutline,
    PackedAnnotation,
    decode_job,
    encode_job,
    pack,
    unpack,
)
from metasegment.wire.messages import JobRequest

REQUEST = JobRequest("segment", "0f" * 32)
IDENTITY = (1.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 1.0)


def _sent(annotation: Annotation) -> Annotation:
    request, packed = decode_job(b"".join(encode_job(REQUEST, pack(annotation))))
    assert request == REQUEST
    return unpack(packed, annotation.geometry)


def _are_equal(left: Annotation, right: Annotation) -> bool:
    def oblique(annotation: Annotation) -> list[tuple[list[int], Any]]:
        return [(o.flat.tolist(), None if o.affine is None else o.affine.tolist()) for o in annotation.oblique]

    return (
        np.array_equal(left.labels, right.labels)
        and oblique(left) == oblique(right)
        and all(
            getattr(left, name) == getattr(right, name)
            for name in ("geometry", "slices", "structures", "names", "colors")
        )
    )


@st.composite
def _annotations(draw: st.DrawFn) -> Annotation:
    """Full planes of any axes, voxels beside them, drawn oblique slices, names and colours."""
    shape = draw(st.tuples(*[st.integers(2, 7)] * 3))
    seed = np.random.default_rng(draw(st.integers(0, 2**32)))
    labels = np.zeros(shape, np.uint8)
    for axis in draw(st.lists(st.integers(0, 2), min_size=1, max_size=4)):
        plane = labels.swapaxes(0, axis)[draw(st.integers(0, shape[axis] - 1))]
        plane[:] = seed.choice([1, 7, 254, 255], plane.shape)
        plane[0, 0] = 7
    labels[seed.random(shape) < draw(st.sampled_from([0.0, 0.1]))] = 7
    spacing = draw(st.tuples(*[st.floats(0.1, 10)] * 3))
    geometry = Geometry((shape[2], shape[1], shape[0]), spacing, (0.1, -20.0, 1e3), IDENTITY)
    annotation = annotation_from_labels(labels, geometry, {7: draw(st.text(max_size=9))}, {7: (0.0, 1 / 3, 1.0)})
    for _ in range(draw(st.integers(0, 2))):
        affine = np.eye(4) + np.pad(seed.normal(0, 0.4, (3, 3)), (0, 1))
        affine[:3, 3] = geometry.origin
        try:
            annotation = add_oblique_slice(annotation, seed.choice([0, 7, 9, 255], (12, 12)), affine)
        except InputError:  # beside the volume
            continue
    return annotation


@pytest.fixture
def a_crossed_annotation() -> Annotation:
    """On 13 x 11 x 9 voxels an axial and a sagittal slice, structures 1 and 2, and one drawn oblique slice."""
    geometry = geometry_with()
    labels = np.zeros(geometry.shape, np.uint8)
    labels[4], labels[:, :, 6] = 255, 255
    labels[4, 2:5, 5:8], labels[4, 7, 2] = 1, 2
    affine = np.array([[1.0, 0, 0, 0], [0, 0.7, 0.7, 0], [0, 0.7, -0.7, 0], [0, 0, 0, 1]])
    annotation = annotation_from_labels(labels, geometry, {1: "liver", 2: "Niere"}, {1: (1.0, 0.5, 0.0)})
    return add_oblique_slice(annotation, np.where(np.eye(20) > 0, 1, 255), affine)


@given(_annotations())
@settings(max_examples=50, deadline=None)
def test_an_annotation_is_rebuilt_exactly_from_its_slices(annotation: Annotation) -> None:
    assert _are_equal(_sent(annotation), annotation)


def test_an_annotation_of_oblique_slices_alone_arrives(awkward_geometry: Geometry) -> None:
    middle = awkward_geometry.index_to_world @ [6, 5, 4, 1]
    affine = np.eye(4)
    affine[:3, 0] = awkward_geometry.index_to_world[:3, :3] @ [1, 0.3, 0]
    affine[:3, 1] = awkward_geometry.index_to_world[:3, :3] @ [0, 0.6, 0.8]
    affine[:3, 3] = (middle - 10 * affine[:, 0] - 10 * affine[:, 1])[:3]
    annotation = add_oblique_slice(empty_annotation(awkward_geometry), np.where(np.eye(21) > 0, 3, 255), affine)
    assert annotation.oblique and not annotation.slices
    assert _are_equal(_sent(annotation), annotation)


def test_a_volume_annotated_throughout_arrives() -> None:
    labels = np.random.default_rng(0).choice([1, 2, 255], geometry_with().shape).astype(np.uint8)
    annotation = annotation_from_labels(labels, geometry_with())
    assert _are_equal(_sent(annotation), annotation)


def test_only_the_voxels_of_slices_travel() -> None:
    geometry = geometry_with((200, 200, 100))
    labels = np.zeros(geometry.shape, np.uint8)
    labels[50] = 255
    labels[50, 80:90, 80:90] = 1
    pieces = encode_job(REQUEST, pack(annotation_from_labels(labels, geometry)))
    assert sum(map(len, pieces)) < 200 * 200 + 2000


def test_only_a_task_is_applied_where_nothing_is_annotated() -> None:
    asked = JobRequest("apply", "0f" * 32, task="f0" * 32)
    assert decode_job(b"".join(encode_job(asked, None))) == (asked, None)
    for request in (REQUEST, replace(REQUEST, kind="suggest"), replace(asked, kind="teach")):
        with pytest.raises(FormatError, match="must have the text annotation"):
            decode_job(b"".join(encode_job(request, None)))


def test_half_an_annotation_is_none(a_crossed_annotation: Annotation) -> None:
    asked = JobRequest("apply", "0f" * 32, task="f0" * 32)
    arrays, texts = decode(b"".join(encode_job(asked, pack(a_crossed_annotation))))
    for half in ((arrays, {"request": texts["request"]}), ({}, texts)):
        with pytest.raises(FormatError, match="a job must have"):
            decode_job(b"".join(encode(*half)))


def test_an_annotation_keeps_its_own_rounding_of_the_grid(a_crossed_annotation: Annotation) -> None:
    rounded = replace(a_crossed_annotation.geometry, spacing=(1.00001, 1.0, 1.0))
    received = unpack(pack(replace(a_crossed_annotation, geometry=rounded)), a_crossed_annotation.geometry)
    assert received.geometry == rounded


def _outlined(**change: Any) -> Callable[[PackedAnnotation], PackedAnnotation]:
    return lambda packed: replace(packed, outline=replace(packed.outline, **change))


def _with_voxel(number: int, value: int) -> Callable[[PackedAnnotation], PackedAnnotation]:
    def change(packed: PackedAnnotation) -> PackedAnnotation:
        values = packed.values.copy()
        values[number] = value
        return replace(packed, values=values)

    return change


def _with_flat(change: Callable[[np.ndarray], np.ndarray]) -> Callable[[PackedAnnotation], PackedAnnotation]:
    return lambda packed: replace(packed, flat=change(packed.flat.copy()))


_SLICES = (AnnotatedSlice(0, 4), AnnotatedSlice(2, 6))
_LIES = {
    "another size": (_outlined(geometry=Geometry((9, 11, 13), (1, 1, 1), (0, 0, 0), IDENTITY)), "volume's grid"),
    "another place": (_outlined(geometry=Geometry((13, 11, 9), (1, 1, 1), (0, 0, 5), IDENTITY)), "volume's grid"),
    "no grid": (_outlined(geometry=Geometry((13, 11, 9), (1, 1, 1), (0, 0, 0), (1.0,) * 8)), "9 cosines"),
    "a grid without end": (_outlined(geometry=Geometry((13, 11, 9), (1, 1, 1e308), (0, 0, 0), IDENTITY)), "spacing"),
    "a slice outside": (_outlined(slices=(AnnotatedSlice(0, 9), AnnotatedSlice(2, 6))), "outside the volume"),
    "a slice below": (_outlined(slices=(AnnotatedSlice(0, -1), AnnotatedSlice(2, 6))), "outside the volume"),
    "a fourth axis": (_outlined(slices=(AnnotatedSlice(3, 1), AnnotatedSlice(2, 6))), "outside the volume"),
    "a slice twice": (_outlined(slices=_SLICES + _SLICES[:1]), "appears twice"),
    "a slice too many": (_outlined(slices=(*_SLICES, AnnotatedSlice(0, 1))), "values must be one"),
    "a slice too few": (_outlined(slices=_SLICES[:1]), "values must be one"),
    "an oblique slice too few": (_outlined(oblique=()), "flat must have an entry"),
    "an oblique slice without end": (_outlined(oblique=(ObliqueOutline(10**30, None),)), "flat must have an entry"),
    "a structure that is not drawn": (_outlined(structures=(1, 2, 3)), "structures must be"),
    "a structure that is left out": (_outlined(structures=(1,)), "structures must be"),
    "structures out of order": (_outlined(structures=(2, 1)), "structures must be"),
    "an unknown voxel": (_with_voxel(0, 0), "unknown"),
    "slices that contradict each other": (_with_voxel(6, 2), "contradict each other"),
    "oblique voxels outside": (_with_flat(lambda flat: flat + 13 * 11 * 9), "outside the volume"),
    "oblique voxels below": (_with_flat(lambda flat: flat - 1000), "outside the volume"),
    "oblique voxels unsorted": (_with_flat(lambda flat: np.r_[flat[1::-1], flat[2:]]), "sorted"),
    "oblique voxels twice": (_with_flat(lambda flat: np.r_[flat[:1], flat[:1], flat[2:]]), "sorted"),
    "oblique voxels that wrap around": (
        _with_flat(lambda flat: np.r_[flat[:1], 2**63 - 1, -(2**63), flat[3:]]),
        "sorted",
    ),
}


@pytest.mark.parametrize(("change", "reason"), _LIES.values(), ids=_LIES.keys())
def test_an_annotation_that_lies_is_refused(
    a_crossed_annotation: Annotation, change: Callable[[PackedAnnotation], PackedAnnotation], reason: str
) -> None:
    _, packed = decode_job(b"".join(encode_job(REQUEST, change(pack(a_crossed_annotation)))))
    with pytest.raises(FormatError, match=reason) as caught:
        unpack(packed, a_crossed_annotation.geometry)
    assert "\n" not in str(caught.value)


def test_slices_without_a_structure_arrive_too() -> None:
    """They tell a task where it has nothing to find."""
    labels = np.zeros(geometry_with().shape, np.uint8)
    labels[0] = 255
    annotation = Annotation(labels, geometry_with(), (AnnotatedSlice(0, 0),))
    assert _are_equal(_sent(annotation), annotation)
    assert _are_equal(_sent(empty_annotation(annotation.geometry)), empty_annotation(annotation.geometry))


@pytest.mark.parametrize(
    ("described", "reason"),
    [
        ((0, None, None), "1 to 254"),
        ((255, None, None), "1 to 254"),
        ((1, "n" * 501, None), "500 characters"),
        ((1, None, (0.0, 0.0, 1.1)), "0 to 1"),
    ],
)
def test_a_structure_that_cannot_be_is_refused(described: tuple[Any, ...], reason: str) -> None:
    with pytest.raises(FormatError, match=reason):
        Described(*described)


def test_an_oblique_slice_with_no_voxels_or_half_an_affine_is_refused(a_crossed_annotation: Annotation) -> None:
    with pytest.raises(FormatError, match="must have voxels"):
        ObliqueOutline(0, None)
    with pytest.raises(FormatError, match="16 numbers"):
        ObliqueOutline(3, (1.0,) * 9)
    (oblique,) = a_crossed_annotation.oblique
    endless = replace(a_crossed_annotation, oblique=(ObliqueSlice(oblique.flat, np.full((4, 4), np.inf)),))
    with pytest.raises(FormatError, match="NaN or infinite"):
        encode_job(REQUEST, pack(endless))


@given(st.data())
@settings(max_examples=60, deadline=None)
def test_a_job_with_changed_bytes_is_read_or_refused(data: st.DataObject) -> None:
    annotation = data.draw(_annotations())
    message = bytearray(b"".join(encode_job(REQUEST, pack(annotation))))
    for _ in range(data.draw(st.integers(1, 4))):
        message[data.draw(st.integers(0, len(message) - 1))] = data.draw(st.integers(0, 255))
    try:
        unpack(decode_job(bytes(message))[1], annotation.geometry)
    except FormatError as error:
        assert "\n" not in str(error)


def test_relations_and_voxels_of_two_structures_arrive(a_crossed_annotation: Annotation) -> None:
    shared = np.flatnonzero(a_crossed_annotation.labels == 2)
    relations = (Relation(2, "inside", 1, excluded=True), Relation(1, "overlaps", 7))
    annotation = with_relations(a_crossed_annotation, relations, {1: shared})
    arrived = _sent(annotation)
    assert arrived.relations == relations
    np.testing.assert_array_equal(arrived.covered[1], shared)
    assert _are_equal(arrived, annotation)


@pytest.mark.parametrize(
    ("relations", "reason"),
    [
        ((Relation(1, "inside", 2), Relation(2, "inside", 1)), "relations contradict each other"),
        ((Relation(1, "inside", 255),), "relations must be between structures"),
        ((Relation(2, "overlaps", 7),), "a covered structure must be in a relation"),
    ],
)
def test_relations_that_cannot_be_are_refused(
    relations: tuple[Relation, ...], reason: str, a_crossed_annotation: Annotation
) -> None:
    shared = {1: np.flatnonzero(a_crossed_annotation.labels == 2)}
    packed = pack(replace(a_crossed_annotation, relations=relations, covered=shared))
    with pytest.raises(FormatError, match=reason):
        unpack(packed, a_crossed_annotation.geometry)


def test_covered_voxels_outside_of_the_volume_are_refused(a_crossed_annotation: Annotation) -> None:
    annotation = replace(a_crossed_annotation, relations=(Relation(2, "inside", 1),), covered={1: np.array([5, 10**6])})
    with pytest.raises(FormatError, match="covered voxels must be inside the volume"):
        unpack(pack(annotation), annotation.geometry)
