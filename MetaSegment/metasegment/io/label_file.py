"""Files that hold labels as voxels: plain label maps, and Slicer's `.seg.nrrd` with one layer or several."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np

from ..annotation import BACKGROUND, as_label_array, mark_background
from ..errors import InputError
from ..layers import Covered
from ..regrid import label_counts
from ..structure import Segment
from ..volume import Geometry
from .background import free_label, is_annotation
from .chosen import chosen
from .image_file import read_image, read_metadata
from .nifti import is_nifti, nifti_step
from .seg_nrrd import is_segmentation, labels_in
from .volume_file import read_voxels, volume_from_image


@dataclass(frozen=True, eq=False)
class LabelFile:
    """Labels uint8 (k, j, i) in the numbering of annotations, and the segments that the file declares, of those chosen;
    a segment named "background" is label 255, and no segment. `covered` is of those that overlap, `notes` tell what was
    filled in.
    """

    labels: np.ndarray
    geometry: Geometry
    segments: tuple[Segment, ...]
    notes: tuple[str, ...] = ()
    covered: Covered = field(default_factory=dict)


def read_label_file(path: str | Path, names: Sequence[str] = ()) -> LabelFile:
    """Read the structures called `names`, or all; in a plain label map names are numbers. What was not chosen counts as
    background.

    Raises InputError, naming the file, where it is unreadable, and for other voxels than labels.
    """
    metadata = {} if is_nifti(path) else read_metadata(path)
    if not is_segmentation(metadata):
        volume = read_voxels(path)
        with _named(path):
            array, notes = _without_nan(volume.array)
            labels = as_label_array(array, nifti_step(path) if is_nifti(path) else 0.0)
            return LabelFile(_chosen_labels(labels, names), volume.geometry, (), notes)
    volume = volume_from_image(read_image(path, has_layers=True), path)
    with _named(path):
        labels, segments, covered = labels_in(volume.array, metadata, names)
        segments = _without_number_255(labels, segments)
        return LabelFile(labels, volume.geometry, tuple(mark_background(labels, segments)), covered=covered)


@contextmanager
def _named(path: str | Path) -> Iterator[None]:
    try:
        yield
    except InputError as error:
        raise InputError(f"{path}: {' '.join(str(error).split())}") from None


def _without_number_255(labels: np.ndarray, segments: Sequence[Segment]) -> tuple[Segment, ...]:
    """A segment that has the number of background, and is none, gets a free one, in place."""
    found = []
    for segment in segments:
        if segment.label == BACKGROUND and segment.name.lower() != "background":
            if is_annotation(labels):
                continue
            number = free_label(labels, [other.label for other in segments])
            labels[labels == BACKGROUND] = number
            segment = replace(segment, label=number)
        found.append(segment)
    return tuple(found)


def _without_nan(array: np.ndarray) -> tuple[np.ndarray, tuple[str, ...]]:
    """0 for NaN, which some programs write where there is no label, and a note about it."""
    missing = np.isnan(array) if array.dtype.kind == "f" else np.zeros(1, bool)
    if not missing.any():
        return array, ()
    note = f"{np.count_nonzero(missing):,} of {array.size:,} voxels of the labels are NaN and count as 0"
    return np.where(missing, 0, array), (note,)


def _chosen_labels(labels: np.ndarray, names: Sequence[str]) -> np.ndarray:
    if names:
        present = [label for label in np.flatnonzero(label_counts(labels)).tolist() if 0 < label < BACKGROUND]
        kept = [present[n] for n in chosen([str(label) for label in present], names)]
        labels[(labels != 0) & ~np.isin(labels, kept)] = BACKGROUND
    return labels
