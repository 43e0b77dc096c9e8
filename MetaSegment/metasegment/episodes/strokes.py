"""Strokes of a simulated user who looks at an answer: partial marks, in or out, where it is wrong."""

from __future__ import annotations

import torch
from torch import Generator, Tensor

from ..fields.chance import choose, integer

#: Chances of 1…8 strokes, and the half-widths in cells of what one stroke marks: a point, a scribble, a painted corner.
COUNTS = (0.35, 0.2, 0.15, 0.1, 0.08, 0.05, 0.04, 0.03)
REACHES = (0, 1, 2, 4)


def draw_strokes(answer: Tensor, truth: Tensor, open_cells: Tensor, generator: Generator) -> Tensor:
    """Returns cells stroked as in, and as out (2, k, j, i) float32, where a boolean answer (k, j, i) differs from the
    truth.

    Each stroke lies in one plane, around a random wrong cell, and marks only cells of that plane that are wrong in the
    same way. `open_cells` (k, j, i) are those that may be marked. Nothing is drawn where nothing is wrong.
    """
    strokes = torch.zeros(2, *truth.shape, device=truth.device)
    wrong = (answer != truth) & open_cells
    places = wrong.nonzero()
    if not len(places):
        return strokes
    for _ in range(choose(generator, range(1, 9), COUNTS)):
        place = places[integer(generator, 0, len(places) - 1)].tolist()
        flat, reach = integer(generator, 0, 2), choose(generator, REACHES)
        window = tuple(
            slice(p, p + 1) if axis == flat else slice(max(0, p - reach), p + reach + 1) for axis, p in enumerate(place)
        )
        inside = bool(truth[tuple(place)])
        same = wrong[window] & (truth[window] == inside)
        part = strokes[0 if inside else 1][window]
        part[same] = 1.0
    return strokes
