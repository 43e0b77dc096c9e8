"""One structure of an annotated volume, cut out: what the annotation shows of it, in a region around it."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import torch

from ..annotation import AnnotatedSlice, Annotation
from ..grid import Resampled
from ..knowledge import finished_slices, stroke_of
from ..prompts import Extent, Scene
from ..segmentation import Region
from ..strategies import Support
from ..volume import Volume


def extent_on_slices(annotation: Annotation, structure: int) -> Extent:
    """Tells where the annotated slices show the structure; looks at their voxels only, however large the volume."""
    shape = annotation.labels.shape
    finished = finished_slices(annotation, structure)
    found = [np.unravel_index(_voxels_of(annotation, annotated, structure), shape) for annotated in finished]
    positions = [np.concatenate([f[axis] for f in found]) for axis in range(3)]
    present = [set(np.unique(p).tolist()) for p in positions]
    low, high = [int(p.min()) for p in positions], [int(p.max()) + 1 for p in positions]
    planes = [[s.index for s in finished if isinstance(s, AnnotatedSlice) and s.axis == axis] for axis in range(3)]
    return Extent(
        (low[0], low[1], low[2]),
        (high[0], high[1], high[2]),
        tuple(tuple(p for p in planes[a] if p in present[a]) for a in range(3)),
        tuple(tuple(p for p in planes[a] if p not in present[a]) for a in range(3)),
    )


def with_stroked(extent: Extent, annotation: Annotation, structure: int) -> Extent:
    """Returns the extent of a structure with the voxels stroked as in."""
    inside = stroke_of(annotation, structure).inside
    if not len(inside):
        return extent
    positions = np.unravel_index(inside, annotation.labels.shape)
    low = [min(a, int(p.min())) for a, p in zip(extent.low, positions, strict=True)]
    high = [max(a, int(p.max()) + 1) for a, p in zip(extent.high, positions, strict=True)]
    return replace(extent, low=(low[0], low[1], low[2]), high=(high[0], high[1], high[2]))


def cut_out(volume: Volume, annotation: Annotation, structure: int, region: Region) -> Support:
    """Returns the part of volume and annotation in a region, with the annotated slices that cross it."""
    drawn = torch.from_numpy(np.ascontiguousarray(annotation.labels[region]))
    # Slices that are finished for others only say nothing: below, what is known of this structure is filled in.
    labels = torch.zeros_like(drawn) if annotation.finished else drawn
    image = torch.from_numpy(np.ascontiguousarray(volume.array[region]))
    k, j, i = labels.shape
    crossing = []
    for annotated in finished_slices(annotation, structure):
        if isinstance(annotated, AnnotatedSlice):
            index = annotated.index - region[annotated.axis].start
            if 0 <= index < labels.shape[annotated.axis]:
                crossing.append(torch.from_numpy(AnnotatedSlice(annotated.axis, index).voxels((k, j, i))))
        else:
            inside = _within(annotated.flat, annotation.labels.shape, region)
            if len(inside):
                crossing.append(torch.from_numpy(inside))
    if annotation.finished:
        for voxels in crossing:
            labels.view(-1)[voxels] = drawn.view(-1)[voxels]
    strokes = _strokes_in(annotation, structure, region)
    scene = Scene(image, labels, volume.geometry.spacing_kji, strokes, Resampled(image))
    return Support(scene, structure, tuple(crossing))


def _strokes_in(annotation: Annotation, structure: int, region: Region) -> torch.Tensor | None:
    """Strokes as a scene has them, int8 on the region; None where there are none."""
    stroke = stroke_of(annotation, structure)
    if not len(stroke.inside) and not len(stroke.outside):
        return None
    marked = np.zeros([part.stop - part.start for part in region], np.int8)
    for flat, sign in ((stroke.outside, -1), (stroke.inside, 1)):
        marked.reshape(-1)[_within(flat, annotation.labels.shape, region)] = sign
    return torch.from_numpy(marked) if marked.any() else None


def _voxels_of(annotation: Annotation, annotated: object, structure: int) -> np.ndarray:
    flat: np.ndarray = annotated.voxels(annotation.labels.shape)  # type: ignore[attr-defined]
    return flat[annotation.labels.reshape(-1)[flat] == structure]


def _within(flat: np.ndarray, shape: tuple[int, ...], region: Region) -> np.ndarray:
    """Flat indices into a region of those of the volume's flat indices that lie in it."""
    positions = np.unravel_index(flat, shape)
    kept = np.all([(p >= r.start) & (p < r.stop) for p, r in zip(positions, region, strict=True)], axis=0)
    local = tuple(p[kept] - r.start for p, r in zip(positions, region, strict=True))
    return np.ravel_multi_index(local, tuple(r.stop - r.start for r in region))
