"""Label maps on the image's grid, and Slicer's .seg.nrrd with names, colours and terminology."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np

from ..io.image_file import write_image
from ..io.seg_nrrd import header_of
from ..io.volume_file import image_from_volume, write_volume
from ..structure import Color
from ..volume import Geometry, Volume
from .structures import Structures, structures_from_labels


def write_segmentation(
    labels: np.ndarray,
    geometry: Geometry,
    path: str | Path,
    names: Mapping[int, str] | None = None,
    colors: Mapping[int, Color] | None = None,
    like: Path | None = None,
) -> None:
    """Write labels uint8 (k, j, i), 0 = background, to `.nii.gz`, `.nii`, `.nrrd`, `.mha` or `.seg.nrrd`.

    A `.seg.nrrd` gets a segment for each label that has voxels or a name; those without name or colour get
    `default_name` and `default_color`; `like` is the image's file, whose placement a NIfTI repeats. All or nothing;
    raises InputError where the file cannot be written.
    """
    write_label_map(structures_from_labels(labels, geometry, names, colors), path, like)


def write_label_map(structures: Structures, path: str | Path, like: Path | None = None) -> None:
    """What `write_segmentation` does, for structures that know their names, colours and codes."""
    volume = Volume(structures.labels, structures.geometry)
    if not Path(path).name.lower().endswith(".seg.nrrd"):
        write_volume(volume, path, like)
        return
    image = image_from_volume(volume)
    for key, value in header_of(structures.segments, structures.geometry.size).items():
        image.SetMetaData(key, value)
    write_image(image, path)
