"""What the network's encoder makes of a subject, as a row of numbers.

Measured (`Testing/measure/diagnosis.py`): worse than `radiomics` on radiographs, a little better on structures of like
shape.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn.functional import adaptive_avg_pool3d

from ..grid import Box, Grid, resample, working_grid
from ..network.channels import CHANNELS
from ..network.encoding import encoded
from ..network.engine import Engine
from ..prompts import prior_box, prior_channels
from ..transfer.context import standardised
from .subject import Subject

#: Cells (k, j, i) on which the network sees a 2D image, repeated along k: the fewest that a grid may have.
PLANES = (16, 128, 128)
#: Cells on which it sees a structure.
CELLS = 48**3


def network_features(subject: Subject, engine: Engine) -> Tensor:
    """Mean and deviation over the subject of each feature (f,) of the network's encoder, level by level."""
    channels, weight = _seen(subject)
    parts = []
    for features in encoded(engine, channels):
        _, k, j, i = features.shape
        share = adaptive_avg_pool3d(weight[None], (k, j, i))
        share = share / share.sum()
        mean = (share * features).sum((1, 2, 3))
        variance = (share * (features - mean[:, None, None, None]) ** 2).sum((1, 2, 3))
        parts += [mean, variance.sqrt()]
    return torch.cat(parts)


def _seen(subject: Subject) -> tuple[Tensor, Tensor]:
    """The network's channels, and how much of each cell (k, j, i) is the subject's."""
    whole = Box((0.0, 0.0, 0.0), tuple(map(float, subject.image.shape)))  # type: ignore[arg-type]
    if subject.mask is None:
        image = standardised(resample(subject.image, Grid(whole, PLANES)))
        channels = torch.zeros(len(CHANNELS), *PLANES)
        channels[CHANNELS.index("image")] = image
        channels[CHANNELS.index("distance")] = 1.0
        return channels, torch.ones_like(image)
    mask = subject.mask.float()
    voxels = Grid(whole, tuple(mask.shape))  # type: ignore[arg-type]
    box = prior_box(mask, voxels, whole) or whole
    grid = working_grid(box, subject.spacing, CELLS)
    share = resample(mask, grid)
    return prior_channels(resample(subject.image, grid), share, grid.cell_spacing(subject.spacing)), share
