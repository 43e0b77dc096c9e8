"""Agreement of two masks' surfaces within a tolerance, from MONAI's surface distances."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ..regrid import bounding_box


def surface_dice(a: np.ndarray, b: np.ndarray, spacing_kji: Sequence[float], tolerance_mm: float) -> float:
    """Share of both surfaces that lies within a tolerance of the other (NSD; Nikolov et al., arXiv 1809.04430).

    Masks are boolean (k, j, i); 1 where both are empty, 0 where one is.
    """
    from monai.metrics.utils import get_mask_edges, get_surface_distance

    if not (a.any() and b.any()):
        return float(a.any() == b.any())
    window = tuple(slice(max(0, part.start - 1), part.stop + 1) for part in bounding_box(a | b))
    edges = get_mask_edges(np.pad(a[window], 1), np.pad(b[window], 1), crop=False)
    near = [
        np.asarray(get_surface_distance(one, other, spacing=tuple(spacing_kji))) <= tolerance_mm
        for one, other in (edges, edges[::-1])
    ]
    return float(sum(each.sum() for each in near) / sum(map(len, near)))
