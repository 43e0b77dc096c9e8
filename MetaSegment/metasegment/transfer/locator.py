"""Where the structures are in a whole volume, roughly: the first look at a new patient."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Generator, Tensor

from ..grid import Box, Grid, resample
from ..progress import Progress
from .context import Context, blurred, standardised
from .perceptron import Perceptron, learn
from .views import COVERED, random_view

#: Cells of the volume it is taught on; their size goes for others.
CELLS = 48**3
#: A volume is looked at in at most so many cells, the larger ones coarser.
MOST_CELLS = 112**3
LEAST_CELLS = 8
REACHES = (1, 2, 4, 8, 16)
#: Features of a cell: its surroundings and its place in the volume.
FEATURES = 27 * len(REACHES) + 3
HIDDEN = 64
VIEWS, CELLS_PER_VIEW = 24, 6000
#: A cell is near a structure where that covers at least this share of so wide a cube around it.
NEAR, LEAST_SHARE = 8, 0.002
#: Cells answered at a time.
PIECE = 65536


@dataclass(frozen=True)
class Locator:
    """Probabilities of several structures on cells of `cell_mm`."""

    perceptron: Perceptron
    cell_mm: float

    def probabilities(self, image: Tensor, spacing: Sequence[float], progress: Progress) -> tuple[Grid, Tensor]:
        """For an image (k, j, i) with voxels of `spacing` mm: a grid of all of it, and (structures, k, j, i) on it."""
        grid = whole(image.shape, spacing, self.cell_mm)
        seen = standardised(resample(image, grid))
        surroundings, found = Context(seen, REACHES), []
        for cells in torch.arange(seen.numel()).split(PIECE):
            progress.check()
            found.append(self.perceptron.probabilities(_features(surroundings, seen.shape, cells)))
        return grid, torch.cat(found).T.reshape(-1, *seen.shape)


def learn_to_locate(
    image: Tensor, masks: Sequence[Tensor], spacing: Sequence[float], generator: Generator, progress: Progress
) -> Locator:
    """Learns from an image and the masks of its structures, all (k, j, i), with voxels of `spacing` mm."""
    volume_mm = math.prod(n * s for n, s in zip(image.shape, spacing, strict=True))
    cell_mm = max(min(spacing), (volume_mm / CELLS) ** (1 / 3))
    grid = whole(image.shape, spacing, cell_mm)
    seen = standardised(resample(image, grid))
    covered = torch.stack([resample(mask, grid) for mask in masks])
    features, targets = [], []
    for _ in range(VIEWS):
        progress.check()
        view, shares = random_view(seen, covered, generator)
        cells = _chosen(shares, generator)
        features.append(_features(Context(view, REACHES), view.shape, cells))
        targets.append(shares.flatten(1)[:, cells].T)
    perceptron = learn(torch.cat(features), torch.cat(targets), HIDDEN, generator, progress)
    return Locator(perceptron, cell_mm)


def whole(shape: Sequence[int], spacing: Sequence[float], cell_mm: float) -> Grid:
    """Returns a volume cut into cells of about `cell_mm`."""
    lengths = [n * s for n, s in zip(shape, spacing, strict=True)]
    cell = max(cell_mm, (math.prod(lengths) / MOST_CELLS) ** (1 / 3))
    k, j, i = (max(LEAST_CELLS, round(length / cell)) for length in lengths)
    return Grid(Box.whole(shape), (k, j, i))


def _features(surroundings: Context, shape: Sequence[int], cells: Tensor) -> Tensor:
    places = torch.stack(torch.unravel_index(cells, tuple(shape)), 1)
    relative = 2 * (places + 0.5) / torch.tensor(shape) - 1
    return torch.cat([surroundings.of(cells), relative], 1)


def _chosen(shares: Tensor, generator: Generator) -> Tensor:
    """Cells to learn from: half in the structures, a quarter near them, a quarter anywhere."""
    inside = [(share > COVERED * share.max()).flatten() for share in shares]
    near = blurred(shares.amax(0), NEAR).flatten() > LEAST_SHARE
    groups = [*inside, near & ~torch.stack(inside).any(0), torch.ones_like(near)]
    counts = [CELLS_PER_VIEW // (2 * len(inside))] * len(inside) + [CELLS_PER_VIEW // 4] * 2
    return torch.cat([drawn(group, count, generator) for group, count in zip(groups, counts, strict=True)])


def drawn(cells: Tensor, count: int, generator: Generator) -> Tensor:
    """Flat indices of so many of the marked cells, some more than once; none where none is marked."""
    options = cells.flatten().nonzero()[:, 0]
    if not len(options):
        return options
    return options[torch.randint(0, len(options), (count,), generator=generator)]
