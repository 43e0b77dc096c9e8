"""One structure around the place where it is thought to be: its shape and what it looks like, in place and size of its
own, so that looking again from where it was found comes closer (mean shift).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Generator, Tensor

from ..grid import Box, Grid, Triple, ends, resample
from ..progress import Progress
from .context import Context, standardised
from .locator import drawn
from .perceptron import Perceptron, learn
from .views import random_view

#: Cells of the box around a structure: where it is learnt with room to move, and where it is looked for.
TAUGHT_CELLS, CELLS = 52**3, 36**3
#: Those boxes, in lengths of the structure.
TAUGHT_ROOM, ROOM = 3.0, 2.0
REACHES = (1, 2, 4, 8)
#: Features of a cell: its surroundings, and its place in the structure with all products of two.
FEATURES = 27 * len(REACHES) + 9
HIDDEN = 48
VIEWS, CELLS_PER_VIEW = 24, 3000
#: By how much of its size a structure's place is mistaken in a subject.
MISPLACED = 0.08
LEAST_CELLS = 8
#: It is looked for again from where it was found, until it moves by less than half a cell or so many times.
ROUNDS, STILL = 4, 0.5
#: Share of a structure's cells at either end of an axis that do not move it.
STRAY = 0.01


@dataclass(frozen=True)
class Delineator:
    """Probability of one structure, which was `size_mm` long (k, j, i) where it was taught, around a place."""

    perceptron: Perceptron
    size_mm: Triple
    volume_mm3: float

    def probability(
        self, image: Tensor, spacing: Sequence[float], centre_mm: Triple, progress: Progress
    ) -> tuple[Grid, Tensor]:
        """Looks for the structure in an image (k, j, i) around a place, in mm from the corner of the volume.

        Returns a grid around where it was found, and (k, j, i) on it.
        """
        for _ in range(ROUNDS):
            progress.check()
            grid, cell_mm = around(centre_mm, self.size_mm, ROOM, CELLS, spacing)
            seen = standardised(resample(image, grid))
            middle = torch.tensor(seen.shape) / 2
            features = _features(seen, torch.arange(seen.numel()), middle, torch.tensor(self.size_mm) / cell_mm)
            found = self.perceptron.probabilities(features)[:, 0].reshape(seen.shape)
            seen_ends = ends(found > 0.5, STRAY)
            if seen_ends is None:
                break
            moved = ((seen_ends[0] + seen_ends[1]) / 2 - middle) * cell_mm
            if float(moved.abs().max()) < STILL * cell_mm:
                break
            lengths = (n * s for n, s in zip(image.shape, spacing, strict=True))
            centre_mm = _triple(
                min(max(0.0, c + float(m)), length) for c, m, length in zip(centre_mm, moved, lengths, strict=True)
            )
        return grid, found


def learn_to_delineate(
    image: Tensor, mask: Tensor, spacing: Sequence[float], generator: Generator, progress: Progress
) -> Delineator:
    """Learns from an image and the mask of the structure, both (k, j, i), with voxels of `spacing` mm."""
    low, high = _extent(mask > 0.5)
    size_mm = _triple((high - low) * torch.tensor(spacing))
    centre_mm = _triple((low + high) / 2 * torch.tensor(spacing))
    grid, cell_mm = around(centre_mm, size_mm, TAUGHT_ROOM, TAUGHT_CELLS, spacing)
    size = torch.tensor(size_mm) / cell_mm
    seen, covered = standardised(resample(image, grid)), resample(mask, grid)
    features, targets = [], []
    for _ in range(VIEWS):
        progress.check()
        view, shares = random_view(seen, covered[None], generator)
        if bool((shares > 0.5).any()):
            rows, target = _example(view, shares[0], size, generator)
            features.append(rows)
            targets.append(target)
    perceptron = learn(torch.cat(features), torch.cat(targets), HIDDEN, generator, progress)
    return Delineator(perceptron, size_mm, float(mask.sum()) * math.prod(spacing))


def around(centre_mm: Triple, size_mm: Triple, room: float, cells: int, spacing: Sequence[float]) -> tuple[Grid, float]:
    """Returns a grid of about so many cubes, and their edge in mm, around a place, `room` times as long as the
    structure.
    """
    lengths = [room * size + 4 * max(spacing) for size in size_mm]
    cell_mm = max((math.prod(lengths) / cells) ** (1 / 3), 0.7 * min(spacing))
    k, j, i = (max(LEAST_CELLS, round(length / cell_mm)) for length in lengths)
    half = [n * cell_mm / 2 for n in (k, j, i)]
    start = [(c - h) / s for c, h, s in zip(centre_mm, half, spacing, strict=True)]
    stop = [(c + h) / s for c, h, s in zip(centre_mm, half, spacing, strict=True)]
    return Grid(Box.of(start, stop), (k, j, i)), cell_mm


def _example(image: Tensor, shares: Tensor, size: Tensor, generator: Generator) -> tuple[Tensor, Tensor]:
    """Features and targets of cells, in the structure and not, seen from a place beside its own."""
    low, high = _extent(shares > 0.5)
    centre = (low + high) / 2 + torch.randn(3, generator=generator) * MISPLACED * (high - low)
    starts = [max(0, int(c - s)) for c, s in zip(centre, size, strict=True)]
    stops = [min(n, int(c + s) + 1) for n, c, s in zip(image.shape, centre, size, strict=True)]
    k, j, i = (slice(a, b) for a, b in zip(starts, stops, strict=True))
    image, shares = standardised(image[k, j, i]), shares[k, j, i]
    inside = shares > 0.5
    cells = torch.cat([drawn(side, CELLS_PER_VIEW // 2, generator) for side in (inside, ~inside)])
    return _features(image, cells, centre - torch.tensor(starts), size), shares.flatten()[cells][:, None]


def _features(image: Tensor, cells: Tensor, centre: Tensor, size: Tensor) -> Tensor:
    places = torch.stack(torch.unravel_index(cells, image.shape), 1)
    k, j, i = (2 * (places + 0.5 - centre) / size).T
    shape = torch.stack([k, j, i, k * k, j * j, i * i, k * j, k * i, j * i], 1)
    return torch.cat([Context(image, REACHES).of(cells), shape], 1)


def _extent(mask: Tensor) -> tuple[Tensor, Tensor]:
    found = ends(mask)
    assert found is not None  # every structure that is taught has voxels
    return found


def _triple(values: object) -> Triple:
    k, j, i = (float(v) for v in values)  # type: ignore[attr-defined]
    return k, j, i
