"""Annotations from files: label maps, Slicer's `.seg.nrrd`, DICOM SEG and RTSTRUCT, on the grid of their image."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from ..annotation import AXIS_NAMES, BACKGROUND, UNKNOWN, Annotation, annotation_from_labels, as_label_array
from ..errors import InputError
from ..knowledge import require_related, with_finished, with_relations
from ..layers import Covered
from ..regrid import bounding_box, moved_to_grid
from ..relations import Relation, relation_in
from ..structure import Segment
from ..volume import Geometry
from .cropped import finished_beyond
from .dicom_annotation import read_drawn
from .dicom_file import is_dicom
from .dicom_source import frame_of_reference_in
from .label_file import LabelFile, read_label_file
from .nifti import is_nifti, nifti_geometries
from .slices_file import read_relations, read_slices


def read_annotation(
    path: str | Path,
    geometry: Geometry,
    frame_of_reference: str | None = None,
    names: Sequence[str] = (),
    same_grids: Sequence[Geometry] = (),
    slices: Path | None = None,
    relations: Sequence[str] = (),
) -> Annotation:
    """Read a label file onto the image's grid `geometry`; see `annotation_from_labels`.

    Axes in another order or direction and parts of the grid are moved to it; slices annotated all over such a part
    count as background beyond it, where no structure is cut. In a `.seg.nrrd` names and colours are
    kept, and a segment named "background" counts as 255 whatever its value. Slices on which a DICOM segmentation or
    structure set has something are fully annotated, others unknown; `frame_of_reference` is the DICOM image's, where it
    is one. `names` chooses structures. `same_grids` are other places that the image's header tells. `slices` is a
    file that says what each slice is finished for, and relations (`slices_file`) beside the sentences `relations`.
    Segments that overlap must be related. Raises InputError, naming the file, where it is unreadable, on other voxels,
    drawn on another image, or holds nothing to learn from.
    """
    if is_dicom(path):
        drawn = read_drawn(path, geometry, frame_of_reference, names)
        annotation = _annotation(drawn.labels, geometry, drawn.segments, slices)
        return replace(_related(annotation, {}, slices, relations), notes=drawn.notes)
    found = read_label_file(path, names)
    try:
        labels = on_grid(found.labels, found.geometry, geometry, same_grids)
        notes = found.notes + _beyond_crop(found, labels, geometry, same_grids)
        covered = covered_on_grid(found, geometry, same_grids)
        if covered:  # said first: what overlaps may leave no slice complete
            drawn_names = {segment.label: segment.name for segment in found.segments}
            require_related(labels, covered, _said(drawn_names, slices, relations), drawn_names)
        annotation = _annotation(labels, geometry, found.segments, slices)
        return replace(_related(annotation, covered, slices, relations), notes=notes)
    except InputError as error:
        raise InputError(f"{path}: {error}") from None


def read_annotation_of(
    image: Path,
    geometry: Geometry,
    annotation: Path,
    names: Sequence[str] = (),
    slices: Path | None = None,
    relations: Sequence[str] = (),
) -> Annotation:
    """Reads what is drawn on an image file or folder whose grid is `geometry`; InputError as `read_annotation` has."""
    frame = frame_of_reference_for(image, annotation)
    return read_annotation(annotation, geometry, frame, names, places_of(image), slices, relations)


def frame_of_reference_for(image: Path, drawn: Path) -> str | None:
    """That of a DICOM image, to compare with what was drawn on it in DICOM; finding it reads all headers again."""
    return frame_of_reference_in(image) if image.is_dir() and is_dicom(drawn) else None


def places_of(image: Path) -> tuple[Geometry, ...]:
    """The grids that other programs take an image for, beside our own: a NIfTI header may tell two."""
    return nifti_geometries(image) if image.is_file() and is_nifti(image) else ()


def on_grid(labels: np.ndarray, found: Geometry, wanted: Geometry, same: Sequence[Geometry] = ()) -> np.ndarray:
    """Labels (k, j, i) moved to the grid `wanted`, or to one of those that are the `same` for other programs.

    Raises InputError as `moved_to_grid` does, for the wanted one.
    """
    if wanted.difference(found) is None:
        return labels
    try:
        return moved_to_grid(labels, found, wanted)
    except InputError:
        for other in same:
            if other.difference(wanted) is None:
                continue
            try:
                return moved_to_grid(labels, found, other)
            except InputError:
                continue
        raise


def _beyond_crop(found: LabelFile, labels: np.ndarray, wanted: Geometry, same: Sequence[Geometry]) -> tuple[str, ...]:
    """Slices of `labels` that are annotated all over the file are so beyond it, in place; which, in words."""
    if sorted(found.labels.shape) == sorted(labels.shape):
        return ()
    try:
        covered = on_grid(np.ones_like(found.labels), found.geometry, wanted, same)
    except InputError:  # the file reaches beyond the image
        return ()
    return finished_beyond(labels, bounding_box(covered))


def covered_on_grid(found: LabelFile, wanted: Geometry, same: Sequence[Geometry] = ()) -> dict[int, np.ndarray]:
    """What is covered in a label file, moved as `on_grid` moves its labels."""
    moved = {}
    for label, voxels in found.covered.items():
        mask = np.zeros(found.labels.shape, np.uint8)
        mask.reshape(-1)[voxels] = 1
        moved[label] = np.flatnonzero(on_grid(mask, found.geometry, wanted, same))
    return {label: voxels for label, voxels in moved.items() if len(voxels)}


def _related(annotation: Annotation, covered: Covered, slices: Path | None, sentences: Sequence[str]) -> Annotation:
    every = sorted({*annotation.structures, *annotation.names, *covered})
    names = {label: annotation.names.get(label, str(label)) for label in every}
    said = _said(names, slices, sentences)
    return with_relations(annotation, said, covered) if said or covered else annotation


def _said(names: Mapping[int, str], slices: Path | None, sentences: Sequence[str]) -> list[Relation]:
    said = [relation_in(sentence, names) for sentence in sentences]
    return said + list(read_relations(slices, names)) if slices is not None else said


def _annotation(labels: np.ndarray, geometry: Geometry, segments: Sequence[Segment], slices: Path | None) -> Annotation:
    names = {segment.label: segment.name for segment in segments}
    colors = {segment.label: segment.color for segment in segments}
    if slices is None:
        return annotation_from_labels(labels, geometry, names, colors)
    listed = read_slices(slices, names)
    labels = as_label_array(labels).copy()
    for plane in listed:
        if plane.index >= labels.shape[plane.axis]:
            raise InputError(f"slice {AXIS_NAMES[plane.axis]} = {plane.index} of {slices} is outside the image")
        values = np.moveaxis(labels, plane.axis, 0)[plane.index]
        values[values == UNKNOWN] = BACKGROUND
    found = annotation_from_labels(labels, geometry, names, colors)
    some = {plane: labels for plane, labels in listed.items() if labels is not None}
    return with_finished(found, some) if some else found
