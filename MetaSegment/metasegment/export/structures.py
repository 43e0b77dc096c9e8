"""A finished segmentation with what its structures are called: made from labels, or read from any file that holds one.

Array axes are k, j, i.
"""

from __future__ import annotations

import colorsys
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np

from ..anatomy.terminology import terminology_of
from ..errors import InputError
from ..io.annotation_file import covered_on_grid, on_grid
from ..io.background import finished, without_background
from ..io.dicom_annotation import read_drawn
from ..io.dicom_file import is_dicom
from ..io.label_file import LabelFile, read_label_file
from ..io.terminology import terminology_in
from ..layers import Covered, whole
from ..regrid import label_counts
from ..structure import Color, Segment
from ..task import Task
from ..volume import Geometry

_GOLDEN_RATIO = 0.618034  # steps of it spread hues so that no two of the first dozen look alike


@dataclass(frozen=True, eq=False)
class Structures:
    """Labels uint8 (k, j, i), 0 = background, and one segment for each label that has voxels or a name.

    `notes` are sentences for the user about what the reader left out or renumbered. Where structures share voxels,
    labels show the smallest, and `covered` has those of the others.
    """

    labels: np.ndarray
    geometry: Geometry
    segments: tuple[Segment, ...]
    notes: tuple[str, ...] = ()
    covered: Covered = field(default_factory=dict)

    def mask(self, label: int) -> np.ndarray:
        """All voxels of a structure, bool (k, j, i)."""
        return whole(self.labels, self.covered, label)

    def drawn(self) -> tuple[Segment, ...]:
        """The segments that have voxels; raises InputError where none has."""
        present = {*present_labels(self.labels), *self.covered}
        found = tuple(segment for segment in self.segments if segment.label in present)
        if not found:
            raise InputError("the segmentation is empty: it has no voxel of a structure")
        return found


def structures_from_labels(
    labels: np.ndarray,
    geometry: Geometry,
    names: Mapping[int, str] | None = None,
    colors: Mapping[int, Color] | None = None,
    covered: Covered | None = None,
) -> Structures:
    """Name labels uint8 (k, j, i); those without name or colour get the default ones, codes come from the names."""
    names, colors = names or {}, colors or {}
    found = sorted({*present_labels(labels), *names, *(covered or {})} - {0})
    segments = tuple(_segment(label, names, colors) for label in found)
    return Structures(labels, geometry, segments, covered=covered or {})


def structures_of_task(
    task: Task, labels: np.ndarray, geometry: Geometry, covered: Covered | None = None
) -> Structures:
    """Labels uint8 (k, j, i) that a task found, called and coloured as it was taught, all of them even where empty."""
    segments = (
        Segment(
            label=taught.label,
            name=taught.name,
            color=taught.color or default_color(taught.label),
            terminology=terminology_in(taught.terminology) or terminology_of(taught.name),
        )
        for taught in task.structures
    )
    return Structures(labels, geometry, tuple(segments), covered=covered or {})


def read_structures(
    path: str | Path,
    grid: Geometry | None = None,
    frame_of_reference: str | None = None,
    names: Sequence[str] = (),
    same_grids: Sequence[Geometry] = (),
) -> Structures:
    """Read a label map, `.seg.nrrd`, DICOM segmentation or structure set; onto `grid` where one is given.

    Labels are numbered as in annotations: 1...254 are structures, 255 counts as background where it fills annotated
    slices, and so does a segment of that name; elsewhere 255 is a structure, which gets a free number. `names` chooses
    structures; `same_grids` are other places that the image's header tells. Raises InputError, naming
    the file, where it is unreadable, empty or does not lie on the grid's voxels.
    """
    if is_dicom(path):
        drawn = read_drawn(path, grid, frame_of_reference, names)
        return Structures(without_background(drawn.labels), drawn.geometry, drawn.segments, drawn.notes)
    file = read_label_file(path, names)
    found = _finished(file)
    if grid is None:
        return found
    try:
        covered = covered_on_grid(file, grid, same_grids)
        labels = on_grid(found.labels, found.geometry, grid, same_grids)
        return replace(found, labels=labels, geometry=grid, covered=covered)
    except InputError as error:
        raise InputError(f"{path}: {error}") from None


def default_name(label: int) -> str:
    """Name of a structure that the user has not named."""
    return f"Structure {label}"


def default_color(label: int) -> Color:
    """Red, green, blue (0...1) of a structure without a colour: bright, unlike that of labels nearby."""
    return colorsys.hsv_to_rgb((label * _GOLDEN_RATIO) % 1, 0.65, 0.95)


def file_names(segments: Sequence[Segment]) -> list[tuple[Segment, str]]:
    """Names that every file system takes, and no two the same (some do not tell A from a)."""
    names = [re.sub(r"[^\w.-]+", "_", segment.name).strip("._") or "structure" for segment in segments]
    lowered = [name.lower() for name in names]
    return [
        (segment, f"{name}_{segment.label}" if lowered.count(name.lower()) > 1 else name)
        for segment, name in zip(segments, names, strict=True)
    ]


def present_labels(labels: np.ndarray) -> tuple[int, ...]:
    """Labels that have voxels, 0 included, sorted."""
    return tuple(np.flatnonzero(label_counts(labels)).tolist())


def _finished(file: LabelFile) -> Structures:
    labels, notes = finished(file.labels)
    named = {segment.label: segment for segment in file.segments}
    found = sorted({*present_labels(labels), *named, *file.covered} - {0})
    segments = tuple(named.get(label, _segment(label, {}, {})) for label in found)
    return Structures(labels, file.geometry, segments, file.notes + notes, file.covered)


def _segment(label: int, names: Mapping[int, str], colors: Mapping[int, Color]) -> Segment:
    name = names.get(label, default_name(label))
    return Segment(label, name, colors.get(label, default_color(label)), terminology_of(name))
