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
#: Cells along k, j, i.
Reach = tuple[int, int, int]
_AROUND = tuple(product((-1, 0, 1), repeat=3))
#: Where the cell itself is among its places, and how many there are.
HERE, PLACES = _AROUND.index((0, 0, 0)), len(_AROUND)


def standardised(image: Tensor) -> Tensor:
    """Intensities (k, j, i) without the outermost half percent at each end, with mean 0 and deviation 1."""
    values = image.flatten()
    values = values[:: max(1, len(values) // 65536)].sort().values
    low, high = (float(values[round(q * (len(values) - 1))]) for q in (0.005, 0.995))
    return z_scored(image.clamp(low, high))


class Context:
    """The surroundings of the cells of an image (k, j, i): at each of `reaches`, the 27 places that many cells away
    or not, in an image blurred as widely. Beyond its faces the image repeats its border.

    A reach is one number, or one along each axis where cells are no cubes.
    """

    def __init__(self, image: Tensor, reaches: Sequence[int | Reach]) -> None:
        self._shape = image.shape
        self._reaches = [(reach,) * 3 if isinstance(reach, int) else reach for reach in reaches]
        self._padded = [_padded(image, reach) for reach in self._reaches]

    def of(self, cells: Tensor) -> Tensor:
        """Features (n, 27 for each reach) of cells given as flat indices (n,) into the image."""
        k, j, i = torch.unravel_index(cells, self._shape)
        found = []
        for reach, values in zip(self._reaches, self._padded, strict=True):
            _, rows, columns = values.shape
            p, q, r = reach
            home = ((k + p) * rows + j + q) * columns + i + r
            flat = values.reshape(-1)
            found += [flat[home + (a * p * rows + b * q) * columns + c * r] for a, b, c in _AROUND]
        return torch.stack(found, 1)

    def plane(self, k: int) -> Tensor:
        """Of all cells of a plane across k, the blurred images at the cell itself: (j * i, one for each reach)."""
        _, rows, columns = self._shape
        places = zip(self._reaches, self._padded, strict=True)
        return torch.stack([values[k + p, q : q + rows, r : r + columns].flatten() for (p, q, r), values in places], 1)


def _padded(image: Tensor, reach: Reach) -> Tensor:
    k, j, i = reach
    smooth = blurred(image, [min(r, WIDEST_BLUR) for r in reach])
    return pad(smooth[None, None], (i, i, j, j, k, k), mode="replicate")[0, 0]


def blurred(image: Tensor, widths: int | Sequence[int]) -> Tensor:
    """Averaged twice over a box of about so many cells, an odd number of them, along all axes or each."""
    for axis, width in enumerate([widths] * 3 if isinstance(widths, int) else widths):
        half = width // 2
        if not half:
            continue
        faces, kernel = [0] * 6, [1, 1, 1]
        faces[4 - 2 * axis] = faces[5 - 2 * axis] = half
        kernel[axis] = 2 * half + 1
        for _ in range(2):
            image = avg_pool3d(pad(image[None, None], faces, mode="replicate"), kernel, stride=1)[0, 0]
    return image
