"""Intensity augmentation of real images: another scanner, another contrast, the same anatomy."""

from __future__ import annotations

import torch
from torch import Generator, Tensor
from torch.nn.functional import avg_pool3d

from ..fields.chance import happens, uniform
from ..fields.smooth import smooth_field
from ..fields.z_score import z_scored


def random_contrast(image: Tensor, generator: Generator) -> Tensor:
    """Returns an image (k, j, i) with random bias, blur, curve and noise. Standardised on return."""
    out = z_scored(image)
    if happens(generator, 0.3):
        out = _curve(out, generator)
    if happens(generator, 0.15):
        out = -out
    if happens(generator, 0.25):
        out = out * (1 + uniform(generator, 0.1, 0.4) * _bias(out, generator))
    if happens(generator, 0.2):
        out = avg_pool3d(out[None, None], 3, stride=1, padding=1, count_include_pad=False)[0, 0]
    if happens(generator, 0.4):
        noise = torch.randn(out.shape, generator=generator, device=generator.device)
        out = out + uniform(generator, 0.02, 0.35) * noise
    return out


def _bias(like: Tensor, generator: Generator) -> Tensor:
    knots = max(like.shape) * uniform(generator, 0.3, 0.8)
    return smooth_field(like.shape, knots, generator)[0]


def _curve(image: Tensor, generator: Generator) -> Tensor:
    """A random monotone intensity curve through six points."""
    steps = torch.rand(6, generator=generator, device=generator.device) + 0.1
    knots = torch.cat([steps.new_zeros(1), steps.cumsum(0)])
    low, high = image.amin(), image.amax()
    position = (image - low) / (high - low).clamp(min=1e-6) * (len(knots) - 1)
    below = position.floor().clamp(0, len(knots) - 2).long()
    return z_scored(torch.lerp(knots[below], knots[below + 1], position - below))
