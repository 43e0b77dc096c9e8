"""The next slice worth annotating: where the answer is unsure, far from what is known, and quick to draw."""

from __future__ import annotations

import numpy as np

from ..annotation import Annotation
from ..segmentation import Map, NextSlice
from ..volume import Geometry

#: Effort of opening a slice at all, in voxels of contour to draw.
FIXED_EFFORT = 100.0
#: Distance to the known slices, as a share of the region's mean length, at which a voxel counts as far from them.
FAR = 0.15


def suggest_next_slice(map_: Map, annotation: Annotation) -> NextSlice | None:
    """Returns the plane, of all three axes, with the most uncertainty far from known slices for each voxel of contour
    to draw.

    None where nothing was found or every plane is known. Largest gap weighted by uncertainty, after the quality head of
    Mem3D (arXiv 2106.10686) in spirit.
    """
    spacing = annotation.geometry.spacing_kji
    far_mm = FAR * float(np.mean([n * s for n, s in zip(map_.uncertainty.shape, spacing, strict=True)]))
    worth = map_.uncertainty.astype(np.float32) * (1 - np.exp(-_distance_to_known(annotation, map_, spacing) / far_mm))
    inside = map_.labels[map_.region] > 0
    best: tuple[float, int, int] | None = None
    for axis in range(3):
        across = tuple(a for a in range(3) if a != axis)
        scores = worth.sum(axis=across) / (FIXED_EFFORT + _contour(inside, axis))
        scores[~inside.any(axis=across)] = 0
        index = int(scores.argmax())
        if scores[index] > 0 and (best is None or scores[index] > best[0]):
            best = (float(scores[index]), axis, index + map_.region[axis].start)
    return _described(best[1], best[2], annotation) if best else None


def plane_name(axis: int, geometry: Geometry) -> str:
    """Anatomical name of the planes across an array axis, by the LPS direction their normal is closest to."""
    column = 2 - axis
    normal = [abs(geometry.direction[row * 3 + column]) for row in range(3)]
    return {0: "sagittal", 1: "coronal", 2: "axial"}[int(np.argmax(normal))]


def _described(axis: int, index: int, annotation: Annotation) -> NextSlice:
    known = [s.index for s in annotation.slices if s.axis == axis]
    spacing = annotation.geometry.spacing_kji[axis]
    plane = plane_name(axis, annotation.geometry)
    if not known:
        return NextSlice(
            axis, index, plane, float("nan"), f"no {plane} slice is annotated yet, and the answer is least sure here"
        )
    gap = min(abs(index - k) for k in known) * spacing
    return NextSlice(
        axis, index, plane, gap, f"the answer is least sure here, {gap:.0f} mm from the nearest annotated {plane} slice"
    )


def _distance_to_known(annotation: Annotation, map_: Map, spacing: tuple[float, float, float]) -> np.ndarray:
    """Distance in mm of each voxel of the map's region to the nearest annotated slice (to its plane, if it has one)."""
    starts = [part.start for part in map_.region]
    size = [part.stop - part.start for part in map_.region]
    distance = np.full(size, np.inf, np.float32)
    for known in annotation.slices:
        axis = known.axis
        away = np.abs(np.arange(size[axis]) + starts[axis] - known.index).astype(np.float32) * spacing[axis]
        np.minimum(distance, away.reshape([-1 if a == axis else 1 for a in range(3)]), out=distance)
    for sheet in annotation.oblique:
        np.minimum(distance, _distance_to_oblique(sheet.flat, annotation, map_, spacing), out=distance)
    return distance


def _distance_to_oblique(
    flat: np.ndarray, annotation: Annotation, map_: Map, spacing: tuple[float, float, float]
) -> np.ndarray:
    """Distance to the plane through an oblique slice's voxels."""
    points = np.stack(np.unravel_index(flat, annotation.labels.shape), 1) * spacing
    centre = points.mean(0)
    normal = np.linalg.svd((points - centre)[:: max(1, len(points) // 2000)], full_matrices=False)[2][-1]
    axes = [
        ((np.arange(part.start, part.stop) * s - c) * n).astype(np.float32)
        for part, s, c, n in zip(map_.region, spacing, centre, normal, strict=True)
    ]
    return np.abs(axes[0][:, None, None] + axes[1][:, None] + axes[2])


def _contour(inside: np.ndarray, axis: int) -> np.ndarray:
    """Voxels of outline on each plane across an axis."""
    planes = np.moveaxis(inside, axis, 0)
    edges = (planes[:, 1:] != planes[:, :-1]).sum((1, 2)) + (planes[:, :, 1:] != planes[:, :, :-1]).sum((1, 2))
    return edges.astype(np.float32)
