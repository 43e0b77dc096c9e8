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

from ..fields.z_score import z_scored

#: An image is blurred as widely as its cells reach, but no wider.
WIDEST_BLUR = 8
_AROUND = tuple(product((-1, 0, 1), repeat=3))


def standardised(image: Tensor) -> Tensor:
    """Intensities (k, j, i) without the outermost half percent at each end, with mean 0 and deviation 1."""
    values = image.flatten()
    values = values[:: max(1, len(values) // 65536)].sort().values
    low, high = (float(values[round(q * (len(values) - 1))]) for q in (0.005, 0.995))
    return z_scored(image.clamp(low, high))


class Context:
    """The surroundings of the cells of an image (k, j, i): at each of `reaches`, the 27 places that many cells away
    or not, in an image blurred as widely. Beyond its faces the image repeats its border.
    """

    def __init__(self, image: Tensor, reaches: Sequence[int]) -> None:
        self._shape = image.shape
        self._reaches = reaches
        self._padded = [
            pad(blurred(image, min(reach, WIDEST_BLUR))[None, None], (reach,) * 6, mode="replicate")[0, 0]
            for reach in reaches
        ]

    def of(self, cells: Tensor) -> Tensor:
        """Features (n, 27 for each reach) of cells given as flat indices (n,) into the image."""
        k, j, i = torch.unravel_index(cells, self._shape)
        found = []
        for reach, values in zip(self._reaches, self._padded, strict=True):
            _, rows, columns = values.shape
            home = ((k + reach) * rows + j + reach) * columns + i + reach
            flat = values.reshape(-1)
            found += [flat[home + ((a * rows + b) * columns + c) * reach] for a, b, c in _AROUND]
        return torch.stack(found, 1)


def blurred(image: Tensor, width: int) -> Tensor:
    """Averaged twice over a cube of about `width` cells, an odd number of them."""
    half = width // 2
    if not half:
        return image
    for axis in range(3):
        faces, kernel = [0] * 6, [1, 1, 1]
        faces[4 - 2 * axis] = faces[5 - 2 * axis] = half
        kernel[axis] = 2 * half + 1
        for _ in range(2):
            image = avg_pool3d(pad(image[None, None], faces, mode="replicate"), kernel, stride=1)[0, 0]
    return image
