"""Annotated slices hidden one at a time: what a strategy may learn from, and what it is judged by."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from ..grid import Box, Grid, working_grid
from ..measures.dice import dice
from ..prompts import known_fractions, make_prompt
from ..strategies import Query, Support, TrainingSlice

#: Slices hidden at most, and cells of the grid they are looked for on: each slice costs a pass, each step of learning
#: one.
MOST_FOLDS, FOLD_CELLS = 4, 48**3


@dataclass(frozen=True)
class Fold:
    """One hidden slice: the training slice it makes, and the query that the other slices make.

    `between` says that it lies between others, as most of what is asked does; a hidden end is a harder request.
    """

    training_slice: TrainingSlice
    query: Query
    between: bool

    def dice(self, probability: Tensor) -> float:
        """Returns Dice of a thresholded probability (k, j, i) on the cells of the hidden slice."""
        return dice(
            probability[self.training_slice.cells] > 0.5, self.training_slice.target[self.training_slice.cells] > 0.5
        )


def make_folds(support: Support, box: Box) -> list[Fold]:
    """Returns folds for evenly chosen slices that show the structure, on a grid of the box; none where fewer than two
    do.

    A slice whose cells are all known from others as well asks for nothing and makes no fold.
    """
    shown = support.showing_structure
    if len(shown) < 2:
        return []
    grid = working_grid(box, support.scene.spacing, FOLD_CELLS)
    count = min(MOST_FOLDS, len(shown))
    chosen = {shown[round(n * (len(shown) - 1) / (count - 1))] for n in range(count)}
    folds = [_fold(support, grid, hidden, shown[0] < hidden < shown[-1]) for hidden in sorted(chosen)]
    return [fold for fold in folds if bool(fold.training_slice.cells.any())]


def make_training_slices(support: Support, box: Box, folds: Sequence[Fold]) -> list[TrainingSlice]:
    """Returns what a strategy may learn from: its folds' training slices; without folds, halves of the one slice that
    shows the structure, each hidden while the other is shown.

    Halves teach, but say too little about other slices to judge by.
    """
    shown = support.showing_structure
    if len(shown) != 1:
        return [fold.training_slice for fold in folds]
    grid = working_grid(box, support.scene.spacing, FOLD_CELLS)
    slices = [
        _fold(cut, grid, half, between=False).training_slice for cut in _halved(support, shown[0]) for half in (0, 1)
    ]
    return [training_slice for training_slice in slices if bool(training_slice.cells.any())]


def _halved(support: Support, number: int) -> Iterator[Support]:
    """The support with one slice cut in two through the structure's centroid, across each of the two axes along which
    the structure is longest there; its halves come first.
    """
    voxels = support.annotated_slices[number]
    others = tuple(s for n, s in enumerate(support.annotated_slices) if n != number)
    positions = torch.stack(torch.unravel_index(voxels, support.scene.labels.shape), 1).float()
    points = positions[support.scene.labels.view(-1)[voxels] == support.structure]
    lengths = (points.amax(0) - points.amin(0)) * torch.tensor(support.scene.spacing)
    for axis in lengths.topk(2).indices.tolist():
        low = positions[:, axis] <= points[:, axis].mean()
        yield replace(support, annotated_slices=(voxels[low], voxels[~low], *others))


def _fold(support: Support, grid: Grid, hidden: int, between: bool) -> Fold:
    scene = support.without(hidden)
    query = Query(scene, support.structure, make_prompt(scene, support.structure, grid), grid)
    channels = query.channels
    inside, outside = known_fractions(support.showing([hidden]), support.structure, grid)
    seen = channels[1] + channels[2] > 0
    return Fold(TrainingSlice(channels, (inside >= 0.5).float(), (inside + outside > 0) & ~seen), query, between)
