"""Other looks of a segmented image: moved, bent, cropped and with another contrast, as the next patient's may be."""

from __future__ import annotations

import math

import torch
from torch import Generator, Tensor
from torch.nn.functional import affine_grid, grid_sample, interpolate

from ..fields.bending import random_bending
from ..fields.chance import integer, uniform
from ..fields.rotation import rotation
from ..grid import filled_planes

#: Largest rotation in radians, change of size as a logarithm, and shift as a share of half the image.
ROTATION, SCALE, SHIFT = 0.2, 0.15, 0.15
#: Deviation of the bending, as a share of half the image.
BENDING = 0.04
#: Largest change of gamma as a logarithm, of gain and of offset (in deviations), of the bias field, and noise.
GAMMA, GAIN, OFFSET, BIAS, NOISE = 0.4, 0.15, 0.2, 0.2, 0.2
#: Chance that an axis is cropped, as another field of view would.
CROPPED = 0.3
#: A cell belongs to a structure where that covers this share of it.
COVERED = 0.3


def random_view(image: Tensor, masks: Tensor, generator: Generator) -> tuple[Tensor, Tensor]:
    """Returns an image (k, j, i) and its masks (n, k, j, i), 0…1, as another patient's might be."""
    values = _moved(torch.cat([image[None], masks]), generator)
    image, masks = values[0], values[1:]
    return _cropped(_recoloured(image, generator), masks, generator)


def _moved(values: Tensor, generator: Generator) -> Tensor:
    shape = values.shape[1:]
    turn = rotation([uniform(generator, -ROTATION, ROTATION) for _ in range(3)])
    scale = torch.tensor([math.exp(uniform(generator, -SCALE, SCALE)) for _ in range(3)])
    lengths = torch.tensor([float(n) for n in shape[::-1]])
    shift = torch.tensor([[uniform(generator, -SHIFT, SHIFT)] for _ in range(3)])
    theta = torch.cat([turn * scale * lengths / lengths[:, None], shift], 1)
    points = [integer(generator, 3, 6)] * 3
    bending = random_bending(shape, points, 2 * BENDING * uniform(generator, 0, 1), generator)
    places = affine_grid(theta[None], [1, 1, *shape], align_corners=False) + bending
    return grid_sample(values[None], places, padding_mode="border", align_corners=False)[0]


def _recoloured(image: Tensor, generator: Generator) -> Tensor:
    low, high = image.min(), image.max()
    span = (high - low).clamp(min=1e-6)
    image = low + span * ((image - low) / span).clamp(0, 1) ** math.exp(uniform(generator, -GAMMA, GAMMA))
    image = image * uniform(generator, 1 - GAIN, 1 + GAIN) + uniform(generator, -OFFSET, OFFSET)
    bias = torch.randn(1, 1, 3, 3, 3, generator=generator) * uniform(generator, 0, BIAS)
    image = image * (1 + interpolate(bias, size=list(image.shape), mode="trilinear")[0, 0])
    if uniform(generator, 0, 1) < 0.5:
        image = image + torch.randn(image.shape, generator=generator) * uniform(generator, 0, NOISE)
    return image


def _cropped(image: Tensor, masks: Tensor, generator: Generator) -> tuple[Tensor, Tensor]:
    """Cut at random outside what the masks cover."""
    window = []
    for axis, size in enumerate(image.shape):
        filled = filled_planes((masks > COVERED).any(0), axis)
        start, stop = 0, size
        if len(filled) and uniform(generator, 0, 1) < CROPPED:
            start = int(uniform(generator, 0, max(0, int(filled[0]) - 1)))
            stop = math.ceil(uniform(generator, min(size, int(filled[-1]) + 2), size))
        window.append(slice(start, stop))
    k, j, i = window
    return image[k, j, i], masks[:, k, j, i]
