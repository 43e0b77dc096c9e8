"""Label maps on the image's grid, and Slicer's .seg.nrrd with names, colours and terminology."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path

import numpy as np

from ..io.image_file import WRITABLE, write_image
from ..io.seg_nrrd import header_of
from ..io.volume_file import composed, image_from_volume, write_volume
from ..layers import Covered, as_layers
from ..structure import Color
from ..volume import Geometry, Volume
from .structures import Structures, file_names, structures_from_labels


def write_segmentation(
    labels: np.ndarray,
    geometry: Geometry,
    path: str | Path,
    names: Mapping[int, str] | None = None,
    colors: Mapping[int, Color] | None = None,
    like: Path | None = None,
    covered: Covered | None = None,
) -> tuple[Path, ...]:
    """Write labels uint8 (k, j, i), 0 = background, to `.nii.gz`, `.nii`, `.nrrd`, `.mha` or `.seg.nrrd`.

    A `.seg.nrrd` gets a segment for each label that has voxels or a name; those without name or colour get
    `default_name` and `default_color`; `like` is the image's file, whose placement a NIfTI repeats. Structures that
    share voxels, the smallest of which the labels show, get layers in a `.seg.nrrd`; in other formats each `covered`
    one has a label map of its own beside, its name added to that of `path`. Returns the files, each all or nothing;
    raises InputError where one cannot be written.
    """
    return write_label_map(structures_from_labels(labels, geometry, names, colors, covered), path, like)


def write_label_map(structures: Structures, path: str | Path, like: Path | None = None) -> tuple[Path, ...]:
    """What `write_segmentation` does, for structures that know their names, colours and codes."""
    path = Path(path)
    if not path.name.lower().endswith(".seg.nrrd"):
        write_volume(Volume(structures.labels, structures.geometry), path, like)
        return (path, *_whole_maps(structures, path, like))
    layers, layer_of = as_layers(structures.labels, structures.covered)
    image = image_from_volume(Volume(layers[0], structures.geometry))
    if layer_of:
        others = [image_from_volume(Volume(layer, structures.geometry)) for layer in layers[1:]]
        image = composed([image, *others])
    for key, value in header_of(structures.segments, structures.geometry.size, layer_of).items():
        image.SetMetaData(key, value)
    write_image(image, path)
    return (path,)


def _whole_maps(structures: Structures, path: Path, like: Path | None) -> Iterator[Path]:
    """Writes each covered structure, whole, as a label map of its own."""
    suffix = max((s for s in WRITABLE if path.name.lower().endswith(s)), key=len)
    stem, suffix = path.name[: -len(suffix)], path.name[-len(suffix) :]
    for segment, name in file_names(structures.segments):
        if segment.label in structures.covered:
            labels = structures.mask(segment.label) * np.uint8(segment.label)
            beside = path.with_name(f"{stem}_{name}{suffix}")
            write_volume(Volume(labels, structures.geometry), beside, like)
            yield beside
