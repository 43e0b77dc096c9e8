"""Objects drawn one by one, in any file that holds labels: no slice has to be finished, as for annotations."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ..errors import InputError
from ..volume import Geometry
from .annotation_file import frame_of_reference_for, on_grid, places_of
from .background import without_background
from .dicom_annotation import read_drawn
from .dicom_file import is_dicom
from .label_file import read_label_file


@dataclass(frozen=True, eq=False)
class DrawnObjects:
    """Labels uint8 (k, j, i) on the image's grid: 1...254 objects, 255 where none is, 0 unknown; `notes` are sentences
    for the user about what the reader left out.
    """

    labels: np.ndarray
    notes: tuple[str, ...] = ()


def read_drawn_objects(image: Path, geometry: Geometry, path: Path, names: Sequence[str] = ()) -> DrawnObjects:
    """Reads what is drawn on an image file or folder whose grid is `geometry`.

    What a DICOM object leaves empty on a slice is unknown: others of the kind may be there. Raises InputError, naming
    the file, where it is unreadable or on other voxels.
    """
    if is_dicom(path):
        drawn = read_drawn(path, geometry, frame_of_reference_for(image, path), names)
        return DrawnObjects(without_background(drawn.labels), drawn.notes)
    found = read_label_file(path, names)
    try:
        return DrawnObjects(on_grid(found.labels, found.geometry, geometry, places_of(image)))
    except InputError as error:
        raise InputError(f"{path}: {error}") from None
