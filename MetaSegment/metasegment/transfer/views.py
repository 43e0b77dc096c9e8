"""Other looks of a segmented image: moved, bent, cropped and with another contrast, as the next patient's may be."""

from __future__ import annotations

import math

import torch
from torch import Generator, Tensor
from torch.nn.functional import affine_grid, grid_sample, interpolate

from ..grid import filled_planes
from ..rotation import rotation

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
    """An image (k, j, i) and its masks (n, k, j, i), 0…1, as another patient's might be."""
    values = _moved(torch.cat([image[None], masks]), generator)
    image, masks = values[0], values[1:]
    return _cropped(_recoloured(image, generator), masks, generator)


def _moved(values: Tensor, generator: Generator) -> Tensor:
    shape = values.shape[1:]
    turn = rotation([_between(generator, -ROTATION, ROTATION) for _ in range(3)])
    scale = torch.tensor([math.exp(_between(generator, -SCALE, SCALE)) for _ in range(3)])
    lengths = torch.tensor([float(n) for n in shape[::-1]])
    shift = torch.tensor([[_between(generator, -SHIFT, SHIFT)] for _ in range(3)])
    theta = torch.cat([turn * scale * lengths / lengths[:, None], shift], 1)
    places = affine_grid(theta[None], [1, 1, *shape], align_corners=False) + _bending(shape, generator)
    return grid_sample(values[None], places, padding_mode="border", align_corners=False)[0]


def _bending(shape: torch.Size, generator: Generator) -> Tensor:
    points = int(torch.randint(3, 7, (1,), generator=generator))
    amount = 2 * BENDING * _between(generator, 0, 1)
    coarse = torch.randn(1, 3, points, points, points, generator=generator) * amount
    return interpolate(coarse, size=list(shape), mode="trilinear", align_corners=True).movedim(1, -1)


def _recoloured(image: Tensor, generator: Generator) -> Tensor:
    low, high = image.min(), image.max()
    span = (high - low).clamp(min=1e-6)
    image = low + span * ((image - low) / span).clamp(0, 1) ** math.exp(_between(generator, -GAMMA, GAMMA))
    image = image * _between(generator, 1 - GAIN, 1 + GAIN) + _between(generator, -OFFSET, OFFSET)
    bias = torch.randn(1, 1, 3, 3, 3, generator=generator) * _between(generator, 0, BIAS)
    image = image * (1 + interpolate(bias, size=list(image.shape), mode="trilinear")[0, 0])
    if _between(generator, 0, 1) < 0.5:
        image = image + torch.randn(image.shape, generator=generator) * _between(generator, 0, NOISE)
    return image


def _cropped(image: Tensor, masks: Tensor, generator: Generator) -> tuple[Tensor, Tensor]:
    """Cut at random outside what the masks cover."""
    window = []
    for axis, size in enumerate(image.shape):
        filled = filled_planes((masks > COVERED).any(0), axis)
        start, stop = 0, size
        if len(filled) and _between(generator, 0, 1) < CROPPED:
            start = int(_between(generator, 0, max(0, int(filled[0]) - 1)))
            stop = math.ceil(_between(generator, min(size, int(filled[-1]) + 2), size))
        window.append(slice(start, stop))
    k, j, i = window
    return image[k, j, i], masks[:, k, j, i]


def _between(generator: Generator, low: float, high: float) -> float:
    return low + (high - low) * float(torch.rand(1, generator=generator))
