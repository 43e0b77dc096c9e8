"""A mask of many objects in parts, one each: connected ones, and of those that touch the pieces around every middle."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from ..grid import Triple
from ..segmentation import Region
from .object_view import INSIDE

#: Two middles are two objects where what joins them is shallower by this share of the deepest one's depth, or of the
#: examples': tubes, whose width varies, stay whole.
NECK = 0.5


@dataclass(frozen=True, eq=False)
class Part:
    """One part of a mask: boolean (k, j, i) on the region that just holds it; its mean probability, volume, and
    its elongation: the longest over the middle standard deviation of its cells, as a natural logarithm.
    """

    region: Region
    mask: Tensor
    probability: float
    volume_mm3: float
    elongation: float


def parts_of(probability: Tensor, cell_mm: Triple, depth_mm: float, least_mm3: float) -> Iterator[Part]:
    """Parts of what is probable (k, j, i) of at least some volume; examples are `depth_mm` deep.

    Touching ones are split by the watershed of the distance to the border (Vincent and Soille, Watersheds in digital
    spaces, IEEE TPAMI 1991).
    """
    import SimpleITK as sitk

    image = sitk.GetImageFromArray((probability > INSIDE).numpy().astype(np.uint8))
    image.SetSpacing(cell_mm[::-1])
    components = sitk.ConnectedComponent(image)
    shapes = sitk.LabelShapeStatisticsImageFilter()
    shapes.Execute(components)
    labels = sitk.GetArrayViewFromImage(components)
    cell_mm3 = math.prod(cell_mm)
    for label in shapes.GetLabels():
        if shapes.GetNumberOfPixels(label) * cell_mm3 < least_mm3:
            continue
        i, j, k, columns, rows, planes = shapes.GetBoundingBox(label)
        region = (slice(k, k + planes), slice(j, j + rows), slice(i, i + columns))
        mask = np.asarray(labels[region] == label)
        pieces = _split(mask, cell_mm, depth_mm)
        for piece in range(1, int(pieces.max()) + 1):
            part = _part(pieces == piece, region, probability, cell_mm)
            if part and part.volume_mm3 >= least_mm3:
                yield part


def depth_of(mask: Tensor, cell_mm: Triple) -> float:
    """Distance in mm from the border of a mask (k, j, i) to its middle."""
    return float(_depths(mask.numpy(), cell_mm).max())


def part_of(mask: Tensor, region: Region, probability: Tensor, cell_mm: Triple) -> Part:
    """A mask that has cells (k, j, i), on a region of a volume of probabilities, as a part."""
    found = _part(mask.numpy(), region, probability, cell_mm)
    assert found is not None
    return found


def _depths(mask: np.ndarray, cell_mm: Triple) -> np.ndarray:
    import SimpleITK as sitk

    image = sitk.GetImageFromArray(np.pad(mask, 1).astype(np.uint8))
    image.SetSpacing(cell_mm[::-1])
    away = sitk.SignedMaurerDistanceMap(image, insideIsPositive=True, squaredDistance=False, useImageSpacing=True)
    return sitk.GetArrayFromImage(away)[1:-1, 1:-1, 1:-1] + min(cell_mm) / 2


def _split(mask: np.ndarray, cell_mm: Triple, depth_mm: float) -> np.ndarray:
    """Numbers of the pieces (k, j, i), 0 outside the mask."""
    import SimpleITK as sitk

    depths = np.where(mask, _depths(mask, cell_mm), 0)
    level = NECK * min(depth_mm, float(depths.max()))
    pieces = sitk.MorphologicalWatershed(sitk.GetImageFromArray(-depths.astype(np.float32)), level, False)
    return np.where(mask, sitk.GetArrayFromImage(pieces), 0)


def _part(mask: np.ndarray, region: Region, probability: Tensor, cell_mm: Triple) -> Part | None:
    places = np.argwhere(mask)
    if not len(places):
        return None
    low, high = places.min(0).tolist(), (places.max(0) + 1).tolist()
    own = tuple(slice(a, b) for a, b in zip(low, high, strict=True))
    k, j, i = (slice(r.start + a, r.start + b) for r, a, b in zip(region, low, high, strict=True))
    kept = torch.from_numpy(np.ascontiguousarray(mask[own]))
    spread = np.cov((places * cell_mm).T) + np.diag(np.square(cell_mm)) / 12 if len(places) > 1 else np.eye(3)
    _, middle, longest = np.linalg.eigvalsh(spread)
    return Part(
        (k, j, i),
        kept,
        float(probability[k, j, i][kept].mean()),
        len(places) * math.prod(cell_mm),
        0.5 * math.log(longest / middle),
    )
