"""Objects drawn as examples: each connected part of each label, and whether there is something to learn from them."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import torch

from ..annotation import BACKGROUND
from ..errors import InputError
from ..regrid import bounding_box
from ..segmentation import Region
from ..transfer.object_view import DrawnObject

#: A part of a label smaller than this share of its largest one is a slip of the hand, not another example.
SPECK = 0.05
#: An example that takes up more of the volume leaves no room for others like it.
MOST_FILLED = 0.2
#: An object on a single slice is drawn completely only where it is no wider than so many slice distances.
WIDEST_ON_ONE_SLICE = 4.0


def examples_in(drawn: np.ndarray) -> list[DrawnObject]:
    """The objects of labels 1…254 of uint8 (k, j, i), by label, then from low to high k."""
    import SimpleITK as sitk

    window = bounding_box((drawn != 0) & (drawn != BACKGROUND))
    labels = drawn[window]
    found = []
    for label in np.unique(labels[(labels != 0) & (labels != BACKGROUND)]).tolist():
        parts = sitk.GetArrayFromImage(
            sitk.ConnectedComponent(sitk.GetImageFromArray((labels == label).astype(np.uint8)), True)
        )
        sizes = np.bincount(parts.ravel())[1:]
        for part in np.flatnonzero(sizes >= SPECK * sizes.max()).tolist():
            mask = parts == part + 1
            own = bounding_box(mask)
            k, j, i = (slice(w.start + o.start, w.start + o.stop) for w, o in zip(window, own, strict=True))
            found.append(DrawnObject((k, j, i), torch.from_numpy(np.ascontiguousarray(mask[own]))))
    return found


def is_cut(region: Region, shape: Sequence[int]) -> bool:
    """Whether an object reaches the image's edge."""
    return any(p.start == 0 or p.stop == n for p, n in zip(region, shape, strict=True))


def refuse_unusable(examples: Sequence[DrawnObject], shape: Sequence[int], spacing: Sequence[float]) -> None:
    """Raises InputError where no object is drawn, one fills the volume or is on one slice only, or all are cut."""
    if not examples:
        raise InputError("no example is drawn: draw one or two of the objects completely (labels 1...254)")
    for number, example in enumerate(examples, 1):
        filled = float(example.mask.sum()) / math.prod(shape)
        if filled > MOST_FILLED:
            raise InputError(
                f"example {number} fills {filled:.0%} of the volume, which leaves no room for others like it: use "
                "`segment` for a single structure"
            )
        lengths = [(p.stop - p.start) * s for p, s in zip(example.region, spacing, strict=True)]
        for axis, part in enumerate(example.region):
            width = max(length for other, length in enumerate(lengths) if other != axis)
            if part.stop - part.start == 1 and width > WIDEST_ON_ONE_SLICE * spacing[axis]:
                raise InputError(
                    f"example {number} is drawn on one slice only: draw it on every slice that shows it, or `segment` "
                    "it first"
                )
    if all(is_cut(example.region, shape) for example in examples):
        raise InputError("every example is cut by the image's edge: draw one that lies in the image as a whole")
