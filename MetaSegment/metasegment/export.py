"""Segmentations to files: label maps on the image's grid, and Slicer's .seg.nrrd with names and colours.

Does not resample and does not make surfaces.
"""

from __future__ import annotations

import colorsys
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from .image_file import write_image
from .seg_nrrd import Color, Segment, header_of
from .volume import Geometry, Volume, image_from_volume

_GOLDEN_RATIO = 0.618034  # steps of it spread hues so that no two of the first dozen look alike


def write_segmentation(
    labels: np.ndarray,
    geometry: Geometry,
    path: str | Path,
    names: Mapping[int, str] | None = None,
    colors: Mapping[int, Color] | None = None,
) -> None:
    """Write labels uint8 (k, j, i), 0 = background, to `.nii.gz`, `.nii`, `.nrrd`, `.mha` or `.seg.nrrd`.

    A `.seg.nrrd` gets a segment for each label that has voxels or a name; those without name or colour get
    `default_name` and `default_color`. All or nothing; raises InputError where the file cannot be written.
    """
    image = image_from_volume(Volume(labels, geometry))
    if Path(path).name.lower().endswith(".seg.nrrd"):
        names, colors = names or {}, colors or {}
        segments = tuple(
            Segment(label, names.get(label, default_name(label)), colors.get(label, default_color(label)))
            for label in sorted({*_present(labels), *names} - {0})
        )
        for key, value in header_of(segments, geometry.size).items():
            image.SetMetaData(key, value)
    write_image(image, path)


def default_name(label: int) -> str:
    """Name of a structure that the user has not named."""
    return f"Structure {label}"


def default_color(label: int) -> Color:
    """Red, green, blue (0...1) of a structure without a colour: bright, unlike that of labels nearby."""
    return colorsys.hsv_to_rgb((label * _GOLDEN_RATIO) % 1, 0.65, 0.95)


def _present(labels: np.ndarray) -> list[int]:
    counts = np.zeros(256, np.int64)
    for plane in labels:  # counting the whole volume at once would copy it to 64 bits
        counts += np.bincount(plane.ravel(), minlength=256)
    return np.flatnonzero(counts).tolist()
