"""An annotation that belongs to an image, both as files the user has."""

from __future__ import annotations

from pathlib import Path

from .annotation import Annotation, read_annotation
from .dicom_objects.source import frame_of_reference_in
from .dicom_series import is_dicom
from .volume import Geometry


def read_annotation_of(image: Path, geometry: Geometry, annotation: Path) -> Annotation:
    """Reads what is drawn on an image file or folder whose grid is `geometry`; InputError as `read_annotation` has."""
    return read_annotation(annotation, geometry, frame_of_reference_for(image, annotation))


def frame_of_reference_for(image: Path, drawn: Path) -> str | None:
    """That of a DICOM image, to compare with what was drawn on it in DICOM; finding it reads all headers again."""
    return frame_of_reference_in(image) if image.is_dir() and is_dicom(drawn) else None
