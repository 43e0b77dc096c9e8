"""What surrounds a cell: intensities at and around it at several scales, as a row of numbers.

Long-range context tells where in the body a cell is (Criminisi et al., Regression forests for efficient anatomy
detection and localization in CT, Medical Image Analysis 2013).
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import product

import torch
from torch import Tensor
from torch.nn.functional import avg_pool3d, pad

#: Cells between a cell and its neighbours at each scale, at which the image is blurred as widely, but no wider.
WIDEST_BLUR = 8
_AROUND = tuple(product((-1, 0, 1), repeat=3))


def standardised(image: Tensor) -> Tensor:
    """Intensities (k, j, i) without the outermost half percent at each end, with mean 0 and deviation 1."""
    values = image.flatten()
    values = values[:: max(1, len(values) // 65536)].sort().values
    low, high = (float(values[round(q * (len(values) - 1))]) for q in (0.005, 0.995))
    clipped = image.clamp(low, high)
    return (clipped - clipped.mean()) / clipped.std().clamp(min=1e-6)


def context(image: Tensor, cells: Tensor, reaches: Sequence[int]) -> Tensor:
    """Features (n, 27 for each reach) of cells given as flat indices (n,) into an image (k, j, i); beyond its faces the
    image repeats its border.
    """
    places = torch.unravel_index(cells, image.shape)
    found = []
    for reach in reaches:
        smooth = _blurred(image, min(reach, WIDEST_BLUR))
        flat = pad(smooth[None, None], (reach,) * 6, mode="replicate")[0, 0]
        _, rows, columns = flat.shape
        home = ((places[0] + reach) * rows + places[1] + reach) * columns + places[2] + reach
        steps = [((a * rows + b) * columns + c) * reach for a, b, c in _AROUND]
        flat = flat.reshape(-1)
        found += [flat[home + step] for step in steps]
    return torch.stack(found, 1)


def _blurred(image: Tensor, width: int) -> Tensor:
    """Averaged twice over an odd number of cells of about `width`."""
    if width < 2:
        return image
    half = width // 2
    for _ in range(2):
        image = avg_pool3d(pad(image[None, None], (half,) * 6, mode="replicate"), 2 * half + 1, stride=1)[0, 0]
    return image
