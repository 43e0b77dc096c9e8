"""Where the middle of the body is, from left to right, as an image shows it; None where it does not show both sides."""

from __future__ import annotations

import numpy as np

from ..segmentation import Region
from ..volume import Geometry, is_ct

#: Voxels looked at along each axis, about.
_SAMPLES = 96
#: Air is below this in CT, in HU; images with no such values are parted by Otsu's threshold.
AIR = -300.0
#: Share of the outermost planes that the body may fill where it ends inside of the image.
_TOUCHING = 0.02
#: Narrower than this, in mm, it may be a limb, whose middle is not the body's.
_LEAST_WIDTH = 120.0


def body_midline(image: np.ndarray, geometry: Geometry, around: Region) -> tuple[float, float] | None:
    """Tells where the body's middle is on the slices across its length that a region (k, j, i) is on, and half the
    body's width there, in LPS mm; None where the image does not hold the body from side to side.
    """
    affine = geometry.index_to_world[:3, :3]
    # Array axes, k, j, i, that run from head to foot and from left to right.
    length, side = (2 - int(np.abs(affine[axis]).argmax()) for axis in (2, 0))
    if length == side:
        return None
    steps = [max(1, n // _SAMPLES) for n in image.shape]
    cut = [slice(None, None, step) for step in steps]
    part = around[length]
    cut[length] = slice(part.start, part.stop, max(1, (part.stop - part.start) // 16))
    values = image[tuple(cut)]
    whole = image[tuple(slice(None, None, step) for step in steps)]
    body = values > (AIR if shows_ct(image) else _threshold(whole))
    across = np.moveaxis(body, side, 0).reshape(body.shape[side], -1).mean(axis=1)
    found = np.flatnonzero(across > _TOUCHING)
    if not len(found) or across[0] > _TOUCHING or across[-1] > _TOUCHING:
        return None
    indices = np.argwhere(body) * [c.step or 1 for c in cut] + [c.start or 0 for c in cut]
    x = indices[:, ::-1] @ affine[0] + geometry.origin[0]
    half = (found[-1] - found[0] + 1) * steps[side] * float(np.linalg.norm(affine[:, 2 - side])) / 2
    return (float(np.median(x)), half) if 2 * half >= _LEAST_WIDTH else None


def shows_ct(image: np.ndarray) -> bool:
    """Tells CT from other modalities by some of the values: air is somewhere in every CT, and not in one voxel."""
    return is_ct(float(image[::4, ::4, ::4].min()))


def _threshold(values: np.ndarray) -> float:
    """What parts body from air, from Otsu's threshold (IEEE Trans Syst Man Cybern 9:62, 1979)."""
    finite = values[np.isfinite(values)].astype(np.float64)
    low, high = np.percentile(finite, (0, 99))
    if not high > low:
        return float(high)
    counts, edges = np.histogram(finite.clip(low, high), 64)
    middles = (edges[1:] + edges[:-1]) / 2
    below = counts.cumsum()
    sums = (counts * middles).cumsum()
    above = below[-1] - below
    with np.errstate(divide="ignore", invalid="ignore"):
        between = below * above * (sums / below - (sums[-1] - sums) / above) ** 2
    # The body is brighter than half of what parts its bright from its dark tissue.
    best = float(middles[int(np.nanargmax(between[:-1]))])
    return float(low + (best - low) / 2)
