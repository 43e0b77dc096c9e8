"""What a finding is about: a 2D image, or one structure of a segmented volume."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from ..errors import InputError
from ..export import read_structures
from ..grid import Box, Grid, resample
from ..io.annotation_file import frame_of_reference_for, places_of
from ..io.picture_file import read_picture
from ..io.volume_file import read_volume

#: Rows and columns of a 2D image.
PICTURE = (256, 256)


@dataclass(frozen=True)
class Subject:
    """An image float32 (k, j, i), one plane thick if it is 2D, with voxels of `spacing` mm (k, j, i).

    `mask` is the structure, boolean (k, j, i); None means the whole of a 2D image, whose pixels have no known size.
    """

    image: Tensor
    spacing: tuple[float, float, float]
    mask: Tensor | None = None


def read_image_subject(path: Path) -> Subject:
    """A 2D image as a whole, stretched to PICTURE: texture must not tell how finely it was stored.

    Raises InputError as `read_picture` does.
    """
    values = torch.from_numpy(read_picture(path))[None]
    _, rows, columns = values.shape
    whole = Box((0.0, 0.0, 0.0), (1.0, float(rows), float(columns)))
    return Subject(resample(values, Grid(whole, (1, *PICTURE))), (1.0, 1.0, 1.0))


def read_structure_subject(image: Path, segmentation: Path, structure: str) -> Subject:
    """A structure of a segmented volume; with no name ("") the only one that is drawn.

    Raises InputError where a file cannot be read, or the structure is not there or not the only one.
    """
    volume = read_volume(image)
    names = (structure,) if structure else ()
    frame = frame_of_reference_for(image, segmentation)
    found = read_structures(segmentation, volume.geometry, frame, names, places_of(image))
    drawn = found.drawn()
    if len(drawn) > 1:
        raise InputError(f"{segmentation} has {len(drawn)} structures; say in the column `structure` which is meant")
    return structure_subject(volume.array, found.mask(drawn[0].label), volume.geometry.spacing_kji)


def structure_subject(image: np.ndarray, mask: np.ndarray, spacing: tuple[float, float, float]) -> Subject:
    """A structure from arrays (k, j, i)."""
    return Subject(torch.from_numpy(image.astype(np.float32)), spacing, torch.from_numpy(mask))
