"""Regions and seeds for peers: the box that MetaSegment itself starts from, as help, and the one of Slicer's effects.

Looks at the annotated slices alone, as the segmenter does; where it helps a peer, it is told so in its settings.
"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from ..annotation import BACKGROUND
from ..grid import Box, Grid, to_voxels
from ..prompts import Scene, structure_box
from ..regrid import filled_planes
from ..segmentation import Region
from ..segmenter.cut_out import extent_on_slices
from .method import STRUCTURE, Study

#: Slicer's effects grow the box of all segments by this share of its length along each axis, by at least so many
#: voxels (AbstractScriptedSegmentEditorAutoCompleteEffect.preview, first initialisation), and work inside.
EXTENT_GROWTH_RATIO, LEAST_MARGIN = 0.1, 3


def starting_box(study: Study) -> Box:
    """Returns the box in voxel-edge coordinates (k, j, i) of the volume that `segmenter.locate` begins with."""
    extent = extent_on_slices(study.annotation, STRUCTURE)
    return structure_box(extent, study.volume.geometry.spacing_kji, study.annotation.labels.shape)


def starting_region(study: Study) -> Region:
    """Returns the voxels (k, j, i) that the box touches, as slices of the volume."""
    return starting_box(study).region(study.annotation.labels.shape)


def closed_seeds(study: Study, region: Region) -> np.ndarray:
    """Returns the labels in a region (k, j, i), its faces background where unknown: the structure is taken to lie
    inside.

    Faces at the border of the volume stay as they are, as the structure may be cut there.
    """
    labels = study.annotation.labels
    seeds = labels[region].copy()
    for axis, part in enumerate(region):
        planes = seeds.swapaxes(0, axis)
        faces = [index for index, inside in ((0, part.start > 0), (-1, part.stop < labels.shape[axis])) if inside]
        planes[faces] = np.where(planes[faces] == 0, BACKGROUND, planes[faces])
    return seeds


def scene_in(study: Study, region: Region, seeds: np.ndarray) -> Scene:
    """Returns the image in a region with these labels (k, j, i), as MetaSegment's own resampling takes it."""
    image = np.ascontiguousarray(study.volume.array[region], np.float32)
    return Scene(
        torch.from_numpy(image),
        torch.from_numpy(np.ascontiguousarray(seeds)),
        study.volume.geometry.spacing_kji,
    )


def in_volume(probability: Tensor, grid: Grid, study: Study, region: Region) -> np.ndarray:
    """Returns a probability on a grid of a region, on the voxels of the volume: float16 (k, j, i), 0 outside
    the grid.
    """
    whole = np.zeros(study.annotation.labels.shape, np.float16)
    part = whole[region]
    values, inside = to_voxels(probability, grid, part.shape)
    part[inside] = values.numpy()
    return whole


def effect_region(segments: np.ndarray) -> Region:
    """Returns the box (k, j, i) that Slicer's effects work in, for an array of segments of which some voxels are
    not 0.
    """
    region = []
    for axis, size in enumerate(segments.shape):
        first, last = filled_planes(segments, axis)[[0, -1]].tolist()
        margin = int(max(LEAST_MARGIN, EXTENT_GROWTH_RATIO * (last - first)))
        region.append(slice(max(0, first - margin), min(size, last + margin + 1)))
    k, j, i = region
    return k, j, i
