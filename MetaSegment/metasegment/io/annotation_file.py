"""Annotations from files: label maps, Slicer's `.seg.nrrd`, DICOM SEG and RTSTRUCT, on the grid of their image."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from ..annotation import Annotation, annotation_from_labels, as_label_array, mark_background
from ..errors import InputError
from ..structure import Segment
from ..volume import Geometry, Volume
from .dicom_annotation import read_drawn
from .dicom_series import is_dicom
from .dicom_source import frame_of_reference_in
from .image_file import read_image, read_metadata
from .seg_nrrd import segments_in
from .volume_file import volume_from_image


def read_annotation(path: str | Path, geometry: Geometry, frame_of_reference: str | None = None) -> Annotation:
    """Read a label file that lies on the image's grid `geometry`; see `annotation_from_labels`.

    In a `.seg.nrrd` names and colours are kept, and a segment named "background" counts as 255 whatever its
    value. Slices on which a DICOM segmentation or structure set has something are fully annotated, others unknown;
    `frame_of_reference` is the DICOM image's, where it is one. Raises InputError, naming the file, where it is
    unreadable, on another grid, drawn on another image, or holds nothing to learn from.
    """
    if is_dicom(path):
        drawn = read_drawn(path, geometry, frame_of_reference)
        return _annotation(drawn.labels, geometry, drawn.segments)
    volume, metadata = read_label_file(path)
    if difference := geometry.difference(volume.geometry):
        raise InputError(f"{path} is not on the image's grid: it has {difference}")
    try:
        segments = segments_in(metadata)
        labels = as_label_array(volume.array)
        return _annotation(labels, geometry, mark_background(labels, segments))
    except InputError as error:
        raise InputError(f"{path}: {error}") from None


def read_annotation_of(image: Path, geometry: Geometry, annotation: Path) -> Annotation:
    """Reads what is drawn on an image file or folder whose grid is `geometry`; InputError as `read_annotation` has."""
    return read_annotation(annotation, geometry, frame_of_reference_for(image, annotation))


def frame_of_reference_for(image: Path, drawn: Path) -> str | None:
    """That of a DICOM image, to compare with what was drawn on it in DICOM; finding it reads all headers again."""
    return frame_of_reference_in(image) if image.is_dir() and is_dicom(drawn) else None


def read_label_file(path: str | Path) -> tuple[Volume, dict[str, str]]:
    """A label file's voxels as they are, and its metadata; raises InputError where segments in it overlap."""
    metadata = read_metadata(path)
    if "Segment0_ID" in metadata and metadata["components"] != "1":
        raise InputError(f"{path} has overlapping segments; save it with segments that do not overlap")
    return volume_from_image(read_image(path), path), metadata


def _annotation(labels: np.ndarray, geometry: Geometry, segments: Sequence[Segment]) -> Annotation:
    names = {segment.label: segment.name for segment in segments}
    return annotation_from_labels(labels, geometry, names, {segment.label: segment.color for segment in segments})
