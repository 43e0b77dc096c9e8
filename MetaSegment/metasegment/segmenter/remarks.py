"""What is unusual about the structures of a result, by what is known of anatomy."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from ..anatomy.plausibility import NamedMask, masks_of, measured, remarks_on
from ..layers import whole
from ..segmentation import Segmentation
from ..volume import Volume


def with_remarks(result: Segmentation, volume: Volume) -> Segmentation:
    """The result with a remark for each thing that is unusual; nothing else of it changes."""
    region = result.map.region
    names = {s.label: s.name for s in result.structures}
    found = masks_of(result.labels[region], {n: name for n, name in names.items() if n not in result.map.covered})
    for label in result.map.covered:
        mask = whole(result.labels, result.map.covered, label)[region]
        found += masks_of(mask * np.uint8(label), {label: names[label]})
    known = [measured(_in_volume(mask, region), volume.geometry) for mask in found]
    remarks = {one.named.label: remarks_on(one, known, volume.geometry, volume.array) for one in known}
    return replace(result, structures=tuple(replace(s, remarks=remarks[s.label]) for s in result.structures))


def _in_volume(mask: NamedMask, region: tuple[slice, slice, slice]) -> NamedMask:
    """A mask of a region of the volume, as one of the volume."""
    k, j, i = (slice(a.start + b.start, a.start + b.stop) for a, b in zip(region, mask.region, strict=True))
    return replace(mask, region=(k, j, i))
