"""One answer: the whole ROI on a coarse grid first, then finer where it matters, with the coarse answer as a
channel.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from ..grid import Box, Grid, ends, resample, working_grid
from ..network.engine import Engine
from ..prompts import Prompt, Scene, make_prompt, sharpened
from ..segmentation import Region
from ..strategies import Query, State, Strategy

#: Cells of the grid on which the whole ROI is seen at once.
COARSE_CELLS = 64**3
#: Cells of the finer grid that covers what the coarse answer found; in tiles, if it is large.
FINE_CELLS = 128**3
#: The finer grid is worth its time when its cells have at most this share of the coarse cells' volume.
WORTHWHILE = 0.7
#: Cells of margin, on the coarse grid, around what it found.
MARGIN = 2
#: Probability from which a coarse cell counts as found.
FOUND = 0.1


@dataclass(frozen=True)
class Answer:
    """Probability of the structure, 0…1 (k, j, i) float32, on a grid."""

    grid: Grid
    probability: Tensor


@dataclass(frozen=True)
class StructureAnswer:
    """The answer for one structure, on a grid in the coordinates of a region of the volume.

    `strategy` names the strategy or blend it came from; `estimated_dice` is the Dice expected of it, 0…1, 0 where
    nothing was estimated.
    """

    structure: int
    region: Region
    answer: Answer
    strategy: str
    estimated_dice: float = 0.0


def coarse_answer(strategy: Strategy, state: State, query: Query, engine: Engine) -> Answer:
    """Returns the strategy's answer on the query's grid."""
    return Answer(query.grid, torch.sigmoid(strategy.predict(state, query, engine)))


def informed(query: Query, prior: Answer | None) -> Query:
    """Returns the query with a prior as the earlier answer, if there is one."""
    if prior is None:
        return query
    return replace(query, previous=resample(prior.probability, query.grid.within(prior.grid)))


def seen_from(region: Region, answer: Answer) -> Answer:
    """Returns an answer in the volume's coordinates, in those of a region."""
    return Answer(Grid(answer.grid.box.seen_from(region), answer.grid.shape), answer.probability)


def refined(members: Sequence[tuple[float, Strategy, State]], query: Query, first: Answer, engine: Engine) -> Answer:
    """Returns a weighted blend of strategies, again around what it finds on a grid as fine as the volume, where that is
    finer.

    Weights sum to one; probabilities are blended. `query` is on the coarse grid; `first` goes in as the earlier answer
    where the grid is finer.
    """
    coarse = blended(members, query, engine)
    fine = finer(query, coarse, first)
    return blended(members, fine, engine) if fine is not query else coarse


def finer(query: Query, coarse: Answer, first: Answer) -> Query:
    """Returns the query on a grid as fine as the volume around what the coarse answer found; itself where that is no
    finer.
    """
    grid = fine_grid(coarse, query.scene)
    if grid is None:
        return query
    previous = resample(first.probability, grid.within(first.grid))
    prompt = sharpened(query.prompt, query.scene, query.structure, grid)
    return replace(query, prompt=prompt, grid=grid, previous=previous)


def blended(members: Sequence[tuple[float, Strategy, State]], query: Query, engine: Engine) -> Answer:
    """Weighted mean of the members' probabilities on the query's grid; all but the first see its answer as the earlier
    one.
    """
    parts: list[Tensor] = []
    for weight, strategy, state in members:
        probability = torch.sigmoid(strategy.predict(state, query, engine))
        if not parts:
            query = replace(query, previous=probability)
        parts.append(weight * probability)
    return Answer(query.grid, torch.stack(parts).sum(0))


def fine_grid(coarse: Answer, scene: Scene) -> Grid | None:
    """Returns the grid for refinement; None where the coarse grid is about as fine, or nothing was found."""
    found = ends(coarse.probability > FOUND)
    if found is None:
        return None
    grid = coarse.grid
    low = [max(0, n - MARGIN) for n in found[0].tolist()]
    high = [min(size, n + MARGIN) for n, size in zip(found[1].tolist(), grid.shape, strict=True)]
    start = [o + n * s for o, n, s in zip(grid.box.start, low, grid.step, strict=True)]
    stop = [o + n * s for o, n, s in zip(grid.box.start, high, grid.step, strict=True)]
    fine = working_grid(Box.of(start, stop), scene.spacing, FINE_CELLS)
    return fine if math.prod(fine.step) < WORTHWHILE * math.prod(grid.step) else None


def prompt_for(scene: Scene, structure: int, box: Box) -> Prompt:
    """Returns the prompt on the coarse grid of a box."""
    return make_prompt(scene, structure, working_grid(box, scene.spacing, COARSE_CELLS))
