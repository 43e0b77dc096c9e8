"""Turns a label map into an image as some scanner might: contrast, texture, resolution, bias field, noise.

After SynthSeg (Billot et al. 2023, arXiv 2107.09559). Moves nothing: spatial augmentation is warp.py's.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Generator, Tensor

from ..fields.chance import happens, integer, uniform
from ..fields.smooth import along_axes, smooth_field

#: Chance that a label takes the mean of a label it touches: only shape and texture then tell them apart.
CAMOUFLAGE = 0.15
#: Knot distances in voxels of the three textures: an intensity gradient, lobules, grain.
TEXTURES = ((25.0, 50.0), (5.0, 12.0), (2.0, 4.0))
#: Voxels sampled to learn which labels touch, and how far beside each the neighbour is looked for.
PROBES, REACH = 8192, 2
#: Standard deviation of the noise, where tissue means lie in 0…1.
NOISE = (0.005, 0.1)
#: Standard deviation of the point spread function in voxels of the finest axis.
BLUR = (0.2, 1.2)
#: Thick slices: how many voxels one slice averages, and the fewest slices that are left.
THICKNESS, FEWEST_SLICES = (1.0, 6.0), 10


def render(labels: Tensor, generator: Generator, spacing: Sequence[float] = (1, 1, 1)) -> Tensor:
    """Returns an image (k, j, i), float32, zero mean, unit variance, of a map of non-negative labels (k, j, i).

    `spacing` in mm (k, j, i) decides along which axis slices are thick. Uses the generator's device.
    """
    image = _tissue(labels.to(generator.device).int(), generator)
    if happens(generator, 0.4):
        image = image.clamp(0, 1) ** (2 ** uniform(generator, -1, 1))
    blur, thicken = _optics(image.shape, spacing, generator)
    image = along_axes(image[None], blur)[0]
    if happens(generator, 0.6):
        bias = smooth_field(image.shape, max(image.shape) * uniform(generator, 0.3, 0.8), generator)[0]
        image = image * (uniform(generator, 0.05, 0.35) * bias).exp()
    image = along_axes(_noisy(image, generator)[None], thicken)[0]
    return (image - image.mean()) / image.std(correction=0).clamp(min=1e-6)


def _tissue(labels: Tensor, generator: Generator) -> Tensor:
    """Each voxel drawn from its label's own distribution: mean, textures and white noise."""
    count = int(labels.max()) + 1
    means = _means(labels, count, generator)
    strengths = torch.rand(count, len(TEXTURES) + 1, generator=generator, device=labels.device) ** 2
    signs = torch.randn(strengths.shape, generator=generator, device=labels.device).sign()
    strengths = strengths * signs * uniform(generator, 0.02, 0.15)
    if happens(generator, 0.6):
        means[0], strengths[0] = uniform(generator, 0, 0.05), 0
    shape, index = labels.shape, labels.flatten()
    image = means.index_select(0, index).view(shape)
    for texture, cells in enumerate(TEXTURES):
        field = smooth_field(shape, uniform(generator, *cells), generator)[0]
        image.addcmul_(field, strengths[:, texture].index_select(0, index).view(shape))
    white = torch.randn(shape, generator=generator, device=labels.device)
    return image.addcmul_(white, strengths[:, -1].index_select(0, index).view(shape))


def _means(labels: Tensor, count: int, generator: Generator) -> Tensor:
    """A mean in 0…1 for each label. Half of the images have few tissue types: unrelated labels look alike."""
    means = torch.rand(count, generator=generator, device=labels.device)
    if happens(generator, 0.5):
        types = torch.rand(integer(generator, 3, 8), generator=generator, device=labels.device)
        which = torch.randint(len(types), (count,), generator=generator, device=labels.device)
        means = types[which] + uniform(generator, 0, 0.05) * (means - 0.5)
    if happens(generator, 0.2):
        means = means.mean() + uniform(generator, 0.25, 0.6) * (means - means.mean())
    beside = _neighbours(labels, count, generator)
    alike = torch.rand(count, generator=generator, device=labels.device) < CAMOUFLAGE
    return torch.where(alike, means[beside], means)


def _neighbours(labels: Tensor, count: int, generator: Generator) -> Tensor:
    """For each label one that touches it (count,), itself where the probes found none."""
    device = labels.device
    sizes = torch.tensor(labels.shape, device=device)
    here = (torch.rand(PROBES, 3, generator=generator, device=device) * sizes).long()
    step = torch.randint(-REACH, REACH + 1, (PROBES, 3), generator=generator, device=device)
    there = torch.minimum((here + step).clamp(min=0), sizes - 1)
    own, other = labels[here.unbind(1)].long(), labels[there.unbind(1)].long()
    # The largest of random keys: the choice among several neighbours is random yet repeatable on a GPU.
    keys = torch.randperm(PROBES, generator=generator, device=device) * count + other
    best = torch.full((count,), -1, device=device).scatter_reduce_(0, own, keys.where(own != other, -1), "amax")
    return torch.where(best < 0, torch.arange(count, device=device), best % count)


def _optics(
    shape: Sequence[int], spacing: Sequence[float], generator: Generator
) -> tuple[list[Tensor], list[Tensor | None]]:
    """The point spread function before the noise and thick slices after it, one matrix (n, n) an axis."""
    finest = min(spacing)
    width = uniform(generator, *BLUR)
    device = generator.device
    blur = [
        _gaussian(n, width * uniform(generator, 0.5, 1.5) * finest / s, device)
        for n, s in zip(shape, spacing, strict=True)
    ]
    slices: list[Tensor | None] = [None, None, None]
    if happens(generator, 0.4):
        axis = integer(generator, 0, 2) if max(spacing) < 1.5 * finest else list(spacing).index(max(spacing))
        thickness = uniform(generator, *THICKNESS) * finest / spacing[axis]
        slices[axis] = _thick(shape[axis], thickness, happens(generator, 0.5), device)
    return blur, slices


def _gaussian(count: int, sigma: float, device: torch.device) -> Tensor:
    at = torch.arange(count, device=device)
    deviations = (at - at[:, None]).abs() / max(sigma, 0.1)
    # Cut at four deviations: the denormal numbers of the far tail slow the product sixtyfold on a CPU.
    weights = torch.exp(-0.5 * deviations**2) * (deviations < 4)
    return weights / weights.sum(1, keepdim=True)


def _thick(count: int, thickness: float, stepped: bool, device: torch.device) -> Tensor:
    """Averages over slices of `thickness` voxels, then interpolates back: stepped or linearly."""
    slices = max(min(count, FEWEST_SLICES), round(count / max(1.0, thickness)))
    if slices >= count:
        return torch.eye(count, device=device)
    centres = (torch.arange(slices, device=device) + 0.5) * count / slices
    away = (torch.arange(count, device=device) + 0.5 - centres[:, None]).abs() * slices / count
    # A hair over one half: by rounding a voxel on the border of two slices could fall in neither.
    average = (away <= 0.5001).float()
    back = average if stepped else (1 - away).clamp(min=0)
    return (back / back.sum(0)).T @ (average / average.sum(1, keepdim=True))


def _noisy(image: Tensor, generator: Generator) -> Tensor:
    """Gaussian noise as in CT, or Rician as in magnitude MR images."""
    low, high = NOISE
    sigma = low * (high / low) ** uniform(generator, 0, 1)
    rician = happens(generator, 0.4)
    noise = sigma * torch.randn(1 + rician, *image.shape, generator=generator, device=image.device)
    return torch.hypot(image + noise[0], noise[1]) if rician else image + noise[0]
