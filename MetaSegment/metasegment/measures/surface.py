"""Distances between two masks' surfaces, from MONAI, and their agreement within a tolerance."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ..regrid import bounding_box


def surface_distances(
    a: np.ndarray, b: np.ndarray, spacing_kji: Sequence[float]
) -> list[tuple[np.ndarray, np.ndarray]]:
    """Of each mask (bool, k, j, i) its surface voxels, as a mask, and their distances in mm to the other's surface.

    The functions that SurfaceDiceMetric and HausdorffDistanceMetric are made of, called once for both.
    """
    from monai.metrics.utils import get_mask_edges, get_surface_distance

    edges = get_mask_edges(a, b, crop=False)
    return [
        (one, np.asarray(get_surface_distance(one, other, spacing=tuple(spacing_kji))))
        for one, other in (edges, edges[::-1])
    ]


def surface_dice(a: np.ndarray, b: np.ndarray, spacing_kji: Sequence[float], tolerance_mm: float) -> float:
    """Share of both surfaces that lies within a tolerance of the other (NSD; Nikolov et al., arXiv 1809.04430).

    Masks are boolean (k, j, i); 1 where both are empty, 0 where one is.
    """
    if not (a.any() and b.any()):
        return float(a.any() == b.any())
    window = tuple(slice(max(0, part.start - 1), part.stop + 1) for part in bounding_box(a | b))
    distances = surface_distances(np.pad(a[window], 1), np.pad(b[window], 1), spacing_kji)
    near = [each <= tolerance_mm for _surface, each in distances]
    return float(sum(each.sum() for each in near) / sum(map(len, near)))
