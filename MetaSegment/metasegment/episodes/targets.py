"""What one segments in an episode: a labelled structure, merged, split or redrawn, so that no organ can simply be
remembered.

Mutually exclusive tasks force the learner to read the support (Yin et al., Meta-Learning without Memorization, arXiv
1912.03820).
"""

from __future__ import annotations

import torch
from torch import Generator, Tensor
from torch.nn.functional import max_pool3d

from ..fields.chance import choose, happens, integer, uniform
from .filled import filled_planes
from .labelled import LabelledVolume


def labelled_target(volume: LabelledVolume, generator: Generator) -> Tensor:
    """Returns a structure of the volume as a boolean mask (k, j, i); one time in five united with one or two that touch
    it.
    """
    label = choose(generator, volume.targets)
    mask = volume.labels == label
    if happens(generator, 0.2):
        for _ in range(integer(generator, 1, 2)):
            mask = mask | _touching(mask, volume, generator)
    return mask


def redrawn(mask: Tensor, image: Tensor, generator: Generator) -> Tensor:
    """Returns the mask as it is, or cut in two, hollowed, or one voxel wider or tighter (k, j, i)."""
    way = choose(
        generator,
        ("as is", "cut", "bright or dark", "core or shell", "margin"),
        (0.6, 0.12, 0.06, 0.08, 0.14),
    )
    if way == "cut":
        return _half(mask, generator)
    if way == "bright or dark":
        smooth = torch.nn.functional.avg_pool3d(image[None, None], 3, stride=1, padding=1)[0, 0]
        inside = smooth[mask]
        return mask & ((smooth > inside.median()) ^ happens(generator, 0.5)) if len(inside) else mask
    if way == "core or shell":
        core = eroded(mask, integer(generator, 2, 4))
        return core if happens(generator, 0.5) else mask & ~core
    if way == "margin":
        return eroded(mask, 1) if happens(generator, 0.5) else ~eroded(~mask, 1)
    return mask


def shortened(mask: Tensor, generator: Generator) -> Tensor:
    """Returns the mask (k, j, i) without one end or both, cut square: many structures end by convention where the image
    shows nothing, and only the spread of the annotated slices tells.
    """
    axis = choose(generator, (0, 1, 2), (0.6, 0.2, 0.2))
    filled = filled_planes(mask)[axis]
    out = mask.clone()
    if filled:
        first, last = filled[0], filled[-1]
        planes = out.movedim(axis, 0)
        planes[: first + round(uniform(generator, 0, 0.35) * (last - first))] = False
        planes[last + 1 - round(uniform(generator, 0, 0.35) * (last - first)) :] = False
    return out


def eroded(mask: Tensor, voxels: int) -> Tensor:
    """Returns the mask (k, j, i) without its outer `voxels` layers."""
    size = 2 * voxels + 1
    return max_pool3d((~mask)[None, None].float(), size, stride=1, padding=voxels)[0, 0] == 0


def _half(mask: Tensor, generator: Generator) -> Tensor:
    points = mask.nonzero().float()
    if not len(points):
        return mask
    normal = torch.randn(3, generator=generator, device=generator.device)
    height = (points - points.mean(0)) @ normal
    kept = points[height > height.median()].long()
    out = torch.zeros_like(mask)
    out[kept[:, 0], kept[:, 1], kept[:, 2]] = True
    return out


def _touching(mask: Tensor, volume: LabelledVolume, generator: Generator) -> Tensor:
    around = ~eroded(~mask, 1) & ~mask
    neighbours = [v for v in volume.labels[around].unique().tolist() if v in volume.targets]
    return volume.labels == choose(generator, neighbours) if neighbours else mask
