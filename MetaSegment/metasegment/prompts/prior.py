"""The network's input for a structure that no slice shows, from a probability of it: what a task recalls of other
volumes. Where such a probability comes from is not its business.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from ..grid import Box, Grid, ends
from ..network.channels import CHANNELS
from . import geodesic
from .appearance import learn_appearance
from .interpolation import signed_distance

#: The box is this much longer than what is probable, and at least so many of the prior's cells.
ROOM, LEAST_ROOM = 1.5, 6.0
#: A cell is probable from here on, or from this share of the most probable one.
PROBABLE, SHARE = 0.3, 0.5
#: Share of the probable cells at either end of an axis that are strays.
STRAY = 0.01
#: Cells that compete for the others: those that are the structure at least so surely, or at most.
SURE, UNLIKELY = 0.75, 0.05
#: Slices, of which there are none, count as half the ROI away.
AWAY = 0.5


def prior_box(prior: Tensor, grid: Grid, limits: Box, room: float = ROOM) -> Box | None:
    """Returns the box around what a prior (k, j, i), 0…1, on a grid holds probable, within limits; None where nothing
    is.
    """
    found = ends(prior > min(PROBABLE, SHARE * float(prior.max())), STRAY)
    if found is None:
        return None
    start, stop = [], []
    low_edges, high_edges = (edges.tolist() for edges in found)
    for low, high, first, step in zip(low_edges, high_edges, grid.box.start, grid.step, strict=True):
        half = max(room * (high - low), high - low + LEAST_ROOM) / 2
        start.append(first + ((low + high) / 2 - half) * step)
        stop.append(first + ((low + high) / 2 + half) * step)
    box = Box.of(start, stop).clipped(limits)
    return box if min(box.extent) > 0 else None


def prior_channels(image: Tensor, prior: Tensor, spacing: Sequence[float]) -> Tensor:
    """Returns input channels (12, k, j, i) for an image and a prior, 0…1, both (k, j, i) on one grid of cells of
    `spacing` mm.

    No cell is annotated. What a channel says of slices otherwise it says of the prior: intensities are weighted by it,
    the interpolation is its signed distance, and the cells where it is sure compete for the others.
    """
    appearance = learn_appearance(image, prior**2, (1 - prior) ** 2)
    standardised = appearance.standardise(image)
    scale = sum(n * s for n, s in zip(prior.shape, spacing, strict=True)) / 3
    sure = prior > SURE
    channels = {
        "image": standardised,
        "interpolation": (signed_distance(prior > 0.5, spacing) / (0.25 * scale)).clamp(-1, 1),
        "distance": torch.full_like(prior, AWAY),
        "likelihood": appearance.likelihood_ratio(image),
        "previous": 2 * prior - 1,
    }
    if bool(sure.any()):
        channels["geodesic"] = geodesic.margin(standardised, sure, prior < UNLIKELY, spacing)
    nothing = torch.zeros_like(prior)
    return torch.stack([channels.get(name, nothing) for name in CHANNELS])
