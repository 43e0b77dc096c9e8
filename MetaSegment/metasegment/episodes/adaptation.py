"""Training tasks for strategies that adapt: the same samples and annotations as an episode, with training slices as
the product makes them. What the query is scored on excludes every annotated cell.
"""

from __future__ import annotations

import torch
from torch import Tensor

from ..fields.chance import draws, uniform
from ..grid import working_grid
from ..prompts import Scene, annotated_planes, make_channels, make_prompt
from ..segmenter.folds import FOLD_CELLS, make_folds, make_training_slices
from ..strategies import MetaTask, Support
from .episode import Annotated, Mixture, annotated, scored
from .labelled import Bank
from .slices import STRUCTURE

#: Voxels of a sample, as edges of a cube: about as fine as the grid it is seen on, as for an episode.
SAMPLE_EDGES = (44.0, 64.0)


def make_adaptation(bank: Bank, mixture: Mixture, seed: int, index: int) -> MetaTask:
    """Returns the `index`-th task of the endless sequence that belongs to a seed."""
    for attempt in range(100):
        generator = draws("cpu", (seed * 1_000_003 + index) * 101 + attempt)
        drawn = annotated(bank, mixture, round(uniform(generator, *SAMPLE_EDGES)) ** 3, generator)
        task = task_of(drawn) if drawn else None
        if task:
            return task
    raise RuntimeError(f"no usable adaptation after 100 attempts (seed {seed}, index {index})")


def task_of(drawn: Annotated) -> MetaTask | None:
    """Makes training slices and query of an annotated sample, on grids as in use; None where there is no slice."""
    support = Support(drawn.scene, STRUCTURE, annotated_slices_of(drawn.scene))
    slices = make_training_slices(support, drawn.box, make_folds(support, drawn.box))
    if not slices:
        return None
    grid = working_grid(drawn.box, drawn.scene.spacing, FOLD_CELLS)
    channels = make_channels(drawn.scene, STRUCTURE, make_prompt(drawn.scene, STRUCTURE, grid), grid)
    query = scored(channels, drawn.sample, grid, drawn.source)
    return MetaTask(tuple(slices), query.channels, query.target, query.weight)


def annotated_slices_of(scene: Scene) -> tuple[Tensor, ...]:
    """Flat indices of each annotated slice; annotated voxels on no full plane are one oblique slice."""
    known = scene.labels != 0
    flat = torch.arange(known.numel(), device=known.device).view(known.shape)
    rest = known.clone()
    annotated_slices = []
    for axis, planes in enumerate(annotated_planes(known)):
        rest.movedim(axis, 0)[planes] = False
        annotated_slices += [flat.movedim(axis, 0)[plane].flatten() for plane in planes.tolist()]
    return (*annotated_slices, flat[rest]) if bool(rest.any()) else tuple(annotated_slices)
