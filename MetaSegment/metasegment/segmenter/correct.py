"""Corrects what a task recalls of a structure in a new volume, with what the network learnt for that from pairs of
volumes. Without such a file beside the weights, what is recalled stays as it is.
"""

from __future__ import annotations

import torch
from torch import Tensor

from ..grid import Box, resample, working_grid
from ..network.engine import Engine
from ..prompts import prior_box, prior_channels
from .answer import Answer

#: Under this name the network's parameters for this lie beside its weights.
LEARNT = "recall"
#: Cells of the grid on which a structure is looked at again.
CELLS = 48**3


def corrected(
    prior: Answer, image: Tensor, spacing: tuple[float, float, float], engine: Engine, cells: int = CELLS
) -> Answer:
    """A prior's mean with the network's answer to it, in a box around what it holds probable; itself where that is
    nothing, or nothing was learnt.

    `image` is the volume (k, j, i) with voxels of `spacing` mm, in whose coordinates the prior's grid is;
    at most so many `cells` are looked at.
    """
    box = prior_box(prior.probability, prior.grid, Box.whole(image.shape))
    if box is None or not engine.has_learnt(LEARNT):
        return prior
    grid = working_grid(box, spacing, cells)
    earlier = resample(prior.probability, grid.within(prior.grid))
    channels = prior_channels(resample(image, grid), earlier, grid.cell_spacing(spacing))
    answer = torch.sigmoid(engine.logits(channels, engine.learnt(LEARNT)))
    return Answer(grid, (earlier + answer) / 2)
