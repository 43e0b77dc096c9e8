"""Random walker: the probability that a walk from a cell, which avoids edges of the image, ends in the structure.

Grady, Random walks for image segmentation, IEEE PAMI 2006; drawn to an earlier answer as in Grady, Multilabel random
walker image segmentation using prior models, CVPR 2005. Solved by conjugate gradients, coarse grids first.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import replace

import torch
from torch import Tensor

from ..grid import Grid, resample
from .appearance import Appearance
from .channels import Scene, known_fractions, stroke_cells

#: How strongly a walk avoids an edge of one standard deviation across the finest cell edge; chosen, as the pull, on
#: the validation structures.
AVOIDANCE = 40.0
#: Chance of a walk to end in the earlier answer rather than to go on, where the image is flat, on the finest grid.
PULL = 0.003
#: No edge stops a walk altogether.
LEAST_WEIGHT = 1e-6
#: The first solution is on a grid of at most so many cells.
COARSEST_CELLS = 20**3
#: Conjugate gradients stop at this root mean square change that is still due, or after so many rounds.
TOLERANCE, ROUNDS = 1e-3, 60


def walk(
    scene: Scene, structure: int, appearance: Appearance, grid: Grid, earlier: Tensor | None, pull: float = PULL
) -> Tensor:
    """Returns probability of the structure, 0…1 (k, j, i) on a grid.

    Walks end at annotated and stroked cells and, where there is an `earlier` probability (k, j, i) on the grid, on its
    faces or anywhere by a small chance, which both then say what it says there.
    """
    fg, bg = known_fractions(scene, structure, grid)
    inside, outside = stroke_cells(scene, grid) > 0
    fixed, values = (fg + bg > 0) | inside | outside, (((fg >= 0.5) | inside) & ~outside).float()
    if not fixed.any() and earlier is None:
        return torch.full_like(values, 0.5)
    if earlier is not None:
        faces = _faces(fixed) & ~fixed
        fixed, values = fixed | faces, torch.where(faces, earlier, values)
    if math.prod(grid.shape) > COARSEST_CELLS:
        k, j, i = (max(2, n // 2) for n in grid.shape)
        half = replace(grid, shape=(k, j, i))
        below = None if earlier is None else resample(earlier, half.within(grid))
        start = resample(walk(scene, structure, appearance, half, below, 4 * pull), grid.within(half))
    else:
        start = torch.full_like(values, float(values[fixed].mean())) if earlier is None else earlier
    weights = _weights(appearance.standardise(scene.image_on(grid)), grid.cell_spacing(scene.spacing))
    degree, source = _inflow(weights, torch.ones_like(values)), torch.zeros_like(values)
    if earlier is not None:
        degree, source = degree + pull, pull * earlier

    def outflow(x: Tensor) -> Tensor:
        return degree * x - _inflow(weights, x)

    return _solved(outflow, degree, source, fixed, torch.where(fixed, values, start)).clamp(0, 1)


def _faces(cells: Tensor) -> Tensor:
    faces = torch.zeros_like(cells)
    for axis in range(3):
        faces.movedim(axis, 0)[[0, -1]] = True
    return faces


def _weights(image: Tensor, spacing: Sequence[float]) -> list[Tensor]:
    """Weights between neighbours along each axis, 0…1, for a standardised image."""
    finest = min(spacing)
    slopes = [image.diff(dim=axis) * (finest / spacing[axis]) for axis in range(3)]
    return [torch.exp(-AVOIDANCE * slope.square()) + LEAST_WEIGHT for slope in slopes]


def _inflow(weights: Sequence[Tensor], x: Tensor) -> Tensor:
    """Weighted sum of each cell's neighbours."""
    out = torch.zeros_like(x)
    for axis, weight in enumerate(weights):
        n = x.shape[axis] - 1
        out.narrow(axis, 0, n).addcmul_(weight, x.narrow(axis, 1, n))
        out.narrow(axis, 1, n).addcmul_(weight, x.narrow(axis, 0, n))
    return out


def _solved(
    outflow: Callable[[Tensor], Tensor], degree: Tensor, source: Tensor, fixed: Tensor, start: Tensor
) -> Tensor:
    """The field whose outflow equals its source where it is not fixed, by Jacobi-preconditioned conjugate gradients."""
    inverse = torch.where(fixed, 0.0, 1 / degree)
    x = start.clone()
    residual = (source - outflow(x)).masked_fill_(fixed, 0)
    scaled = inverse * residual
    direction, gain = scaled.clone(), (residual * scaled).sum()
    enough = TOLERANCE**2 * float((~fixed).sum())
    for _ in range(ROUNDS):
        if float(scaled.square().sum()) <= enough:
            break
        push = outflow(direction).masked_fill_(fixed, 0)
        step = gain / (direction * push).sum()
        x += step * direction
        residual -= step * push
        scaled = inverse * residual
        before, gain = gain, (residual * scaled).sum()
        direction = scaled + (gain / before) * direction
    return x
