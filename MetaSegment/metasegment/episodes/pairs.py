"""One structure in two volumes of a data set: where to segment it, and how another patient's lies over it."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Generator, Tensor
from torch.nn.functional import pad

from ..fields.chance import choose, normal, shuffled, uniform
from ..grid import Box, Grid, resample
from .filled import surroundings
from .intensity import random_contrast
from .labelled import Bank, LabelledVolume
from .rendering import render
from .sources import Sample, any_group
from .warp import random_view

#: By how much of its size the other volume's structure is misplaced, as a standard deviation, and by how much its
#: length along an axis is mistaken, as a logarithm: as well as a structure is found in use.
MISPLACED, MISMEASURED = 0.05, 0.08


def paired(bank: Bank, source: str, cells: int, generator: Generator) -> tuple[Sample, Tensor] | None:
    """Returns a sample of a source, "labelled" or "brain_maps", and the same structure's mask (k, j, i) in another
    volume.

    That is laid over the sample's own. None for other sources and where the two volumes drawn have no target in common.
    """
    if source not in ("labelled", "brain_maps"):
        return None
    volumes = any_group(bank, generator) if source == "labelled" else bank.label_maps
    if len(volumes) < 2:
        return None
    here, there = (volumes[n] for n in shuffled(generator, len(volumes))[:2])
    common = sorted(set(here.targets) & set(there.targets))
    if not common:
        return None
    label = choose(generator, common)
    mask, other = here.labels == label, there.labels == label
    if not (bool(mask.any()) and bool(other.any())):
        return None
    region = surroundings(mask)
    laid = _laid_over(mask[region], here.spacing, other, there.spacing, generator)
    return _seen(here, torch.stack([mask[region].float(), laid]), region, cells, generator)


def _seen(
    volume: LabelledVolume, masks: Tensor, region: tuple[slice, ...], cells: int, generator: Generator
) -> tuple[Sample, Tensor]:
    """The masks (2, k, j, i) of a region and its image from a random view, as the sources of single samples show it."""
    if volume.image is None:
        values = torch.cat([volume.labels[region][None].float(), masks])
        view = random_view(values, volume.spacing, cells, generator, mode="nearest")
        image = render(view.values[0].short(), generator, view.spacing)
    else:
        view = random_view(torch.cat([volume.image[region][None].float(), masks]), volume.spacing, cells, generator)
        image = random_contrast(view.values[0], generator)
    return Sample(image, view.values[1] > 0.5, view.spacing), view.values[2] > 0.5


def _laid_over(
    mask: Tensor, spacing: Sequence[float], other: Tensor, other_spacing: Sequence[float], generator: Generator
) -> Tensor:
    """Another volume's mask on the cells of this one's (k, j, i), its centre near this one's and its size closer."""
    centre, size = _place(mask)
    other_centre, other_size = _place(other)
    start, stop = [], []
    misplaced, mismeasured = normal(generator, 3).tolist(), normal(generator, 3).tolist()
    for axis, length in enumerate(mask.shape):
        scale = spacing[axis] / other_spacing[axis]  # voxels there for one here, of the same length in mm
        alike = (other_size[axis] / (size[axis] * scale)) ** uniform(generator, 0, 1)
        scale *= alike * math.exp(MISMEASURED * mismeasured[axis])
        middle = centre[axis] + MISPLACED * misplaced[axis] * size[axis]
        # One voxel of padding: beyond its faces a volume has nothing of the structure.
        start.append(other_centre[axis] + 1 - middle * scale)
        stop.append(start[-1] + length * scale)
    box = Box.of(start, stop)
    k, j, i = mask.shape
    return resample(pad(other.float(), (1,) * 6), Grid(box, (k, j, i)))


def _place(mask: Tensor) -> tuple[list[float], list[float]]:
    """Centre of gravity, and extent (k, j, i), of a mask that is not empty."""
    cells = mask.nonzero().float()
    centre: list[float] = (cells.mean(0) + 0.5).tolist()
    size: list[float] = (cells.amax(0) + 1 - cells.amin(0)).tolist()
    return centre, size
