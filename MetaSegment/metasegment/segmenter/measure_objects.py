"""Numbers of each object in a label map: size, place, and whether the image's edge cuts it."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ..export.measurements import shape_of
from ..objects import FoundObject
from ..regrid import bounding_box
from ..segmentation import Region
from ..volume import Geometry
from .examples import is_cut


def measured(
    labels: np.ndarray, regions: Sequence[Region], confidences: Sequence[float], examples: int, geometry: Geometry
) -> tuple[FoundObject, ...]:
    """Objects 1, 2, … of labels (k, j, i), each within its region; the first ones are the examples."""
    found = []
    for label, (region, confidence) in enumerate(zip(regions, confidences, strict=True), 1):
        mask = labels[region] == label
        shape = shape_of(mask, geometry)
        own = [slice(r.start + o.start, r.start + o.stop) for r, o in zip(region, bounding_box(mask), strict=True)]
        k, j, i = own
        found.append(
            FoundObject(
                label=label,
                example=label <= examples,
                confidence=round(confidence, 3),
                voxels=shape.voxels,
                volume_ml=shape.volume_ml,
                longest_diameter_mm=shape.diameter_3d_mm,
                center=((k.start + k.stop) // 2, (j.start + j.stop) // 2, (i.start + i.stop) // 2),
                touches_edge=is_cut((k, j, i), labels.shape),
            )
        )
    return tuple(found)
