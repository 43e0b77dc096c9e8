"""What a task would recall of a structure in a new volume: about its place and shape, more or less sure, and misled by
what looks alike. Made from a mask; the image and its contrast are not changed here.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Generator, Tensor
from torch.nn.functional import affine_grid, avg_pool3d, grid_sample

from ..fields.chance import normal, uniform
from ..fields.smooth import smooth_field
from ..grid import Box, Grid, resample, working_grid
from ..prompts import prior_box
from ..prompts.appearance import learn_appearance
from ..prompts.interpolation import signed_distance
from .filled import filled_planes
from .sources import LEAST_VOXELS, Sample
from .warp import random_rotation

#: Largest rotation in radians; standard deviations of the shift and of the bending, as a share of the structure's
#: size, and of its length along an axis, as a logarithm. Each episode has between none and all of it.
ROTATION, SHIFT, BENDING, SCALE = 0.25, 0.12, 0.08, 0.12
#: Cells between the knots of the bending and of the doubt, as a share of the grid's edge.
KNOTS = 0.25
#: Largest, in units of a logit: what doubt adds, and how much a cell that looks alike, or unlike, gains or loses.
DOUBT, LIKENESS = 0.8, 2.5
#: Cells of the grid, as edges of a cube, and the room around the structure: less and more than in use.
EDGES, ROOM = (32.0, 52.0), (1.3, 1.8)


@dataclass(frozen=True)
class Recollection:
    """A probability of the structure, 0…1 (k, j, i), on a grid in the sample's voxel-edge coordinates."""

    grid: Grid
    prior: Tensor


def recollected(sample: Sample, elsewhere: Tensor | None, generator: Generator) -> Recollection | None:
    """Returns a prior of a sample's structure, in the shape it has elsewhere (k, j, i), or else its own, moved and
    bent.

    None where nothing is left of it.
    """
    shape = displaced(sample.mask, sample.spacing, generator) if elsewhere is None else elsewhere
    if int(shape.sum()) < LEAST_VOXELS:
        return None
    k, j, i = shape.shape
    whole = Grid(Box.whole(shape.shape), (k, j, i))
    box = prior_box(shape.float(), whole, whole.box, uniform(generator, *ROOM))
    if box is None:
        return None
    grid = working_grid(box, sample.spacing, round(uniform(generator, *EDGES)) ** 3)
    prior = softened(
        resample(sample.image, grid), resample(shape, grid) > 0.5, grid.cell_spacing(sample.spacing), generator
    )
    return Recollection(grid, prior)


def displaced(mask: Tensor, spacing: tuple[float, float, float], generator: Generator) -> Tensor:
    """Returns a boolean mask (k, j, i), not empty, moved, turned, scaled and bent, as another patient's
    structure lies.
    """
    amount = uniform(generator, 0, 1)
    # grid_sample counts x, y, z, which are i, j, k, each -1…1 over the mask.
    planes = filled_planes(mask)[::-1]
    cells = torch.tensor(mask.shape[::-1], device="cpu")
    low, high = (torch.tensor([found[end] for found in planes], device="cpu") for end in (0, -1))
    centre, size = (low + high + 1) / cells - 1, 2 * (high + 1 - low) / cells
    scale = torch.exp(SCALE * amount * normal(generator, 3))
    lengths = cells * torch.tensor(spacing[::-1], device="cpu")
    turned = random_rotation(ROTATION * amount, generator) * scale * lengths / lengths[:, None]
    shift = centre - turned @ centre + SHIFT * amount * size * normal(generator, 3)
    theta = torch.cat([turned, shift[:, None]], 1).to(mask.device)
    places = affine_grid(theta[None], [1, 1, *mask.shape], align_corners=False)
    bending = smooth_field(mask.shape, KNOTS * max(mask.shape), generator, 3).movedim(0, -1)
    places = places + BENDING * amount * size.to(mask.device) * bending
    return grid_sample(mask[None, None].float(), places, align_corners=False)[0, 0] > 0.5


def softened(image: Tensor, shape: Tensor, spacing: tuple[float, float, float], generator: Generator) -> Tensor:
    """Returns a probability (k, j, i) from a boolean shape on a grid: unsure near its border, where the image looks
    otherwise, and here and there.
    """
    depth = signed_distance(shape, spacing)
    width = uniform(generator, 0.05, 0.4) * float(depth.max().clamp(min=min(spacing)))
    alike = learn_appearance(image, shape.float(), (~shape).float()).likelihood_ratio(image)
    alike = avg_pool3d(alike[None, None], 3, stride=1, padding=1, count_include_pad=False)[0, 0]
    doubt = smooth_field(shape.shape, KNOTS * max(shape.shape), generator)[0]
    logits = depth / width + uniform(generator, -0.6, 0.8)
    logits = logits + uniform(generator, 0, DOUBT) * doubt + uniform(generator, 0, LIKENESS) * alike
    return torch.sigmoid(logits) * uniform(generator, 0.9, 1)
