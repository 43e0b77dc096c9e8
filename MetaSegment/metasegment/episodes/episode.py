"""One training task, made exactly as the product makes its input: sample, annotate, box, grid, prompts.

What the network sees comes from the annotated slices alone; what it is scored on excludes them.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from torch import Generator, Tensor
from torch.nn.functional import avg_pool3d

from ..fields.chance import choose, draws, happens, integer, uniform
from ..grid import Box, Grid, Resampled, cell_count, grown, resample, working_grid
from ..prompts import (
    Scene,
    annotated_extent,
    annotated_planes,
    box_limits,
    make_channels,
    make_prompt,
    prior_channels,
    structure_box,
)
from . import sources
from .labelled import Bank
from .pairs import paired
from .recall import recollected
from .slices import STRUCTURE, annotate
from .targets import shortened

#: Border cells count this much more than others.
BORDER_WEIGHT = 2.0
#: Cells along an edge of a tile of a finer grid.
TILE_EDGE = 48
#: Chance that the box is grown along an axis, and by how much at most: in a box that a structure fills to its faces
#: nothing teaches where it ends, and the product's boxes grow by up to 1.5 three times over.
GROWN, MOST_GROWN = 0.5, 2.5
#: Share of targets, from every source, that end where the image shows nothing.
SHORTENED = 0.12
#: Share of tasks with a recalled structure in which it has the shape that another volume's has, where there is one.
PAIRED = 0.5


@dataclass(frozen=True)
class Mixture:
    """Shares of the task sources; they need not sum to one.

    `recall` is the chance, 0…1, that a task shows what another volume taught instead of slices. `least_edge` and
    `largest_edge` bound the side, in cells, of a cube of as many cells as a grid.
    """

    labelled: float = 0.45
    supervoxels: float = 0.25
    brain_maps: float = 0.12
    procedural: float = 0.18
    recall: float = 0.0
    least_edge: float = 30.0
    largest_edge: float = 58.0


@dataclass(frozen=True)
class Episode:
    """A task: `channels` (12, k, j, i), `target` (k, j, i) 0…1, `weight` (k, j, i), 0 on annotated cells, and how many
    planes are annotated.

    For a tile of a larger ROI, `overview` holds the channels of the whole ROI and `window` the tile in its cells: the
    answer on the overview is the tile's previous answer. Where a structure is `recalled`, its channels hold what
    another volume taught as the previous answer.
    """

    channels: Tensor
    target: Tensor
    weight: Tensor
    source: str
    overview: Tensor | None = None
    window: Grid | None = None
    recalled: bool = False
    planes: int = 0


def make_episode(bank: Bank, mixture: Mixture, seed: int, index: int, device: str = "cpu") -> Episode:
    """Returns the `index`-th episode of the endless sequence that belongs to a seed, made on the device that holds the
    bank.
    """
    for attempt in range(100):
        generator = draws(device, (seed * 1_000_003 + index) * 101 + attempt)
        # Without recall no chance is drawn, and the episodes of a seed stay what they were.
        recalls = mixture.recall > 0 and happens(generator, mixture.recall)
        episode = (_recalled if recalls else _attempt)(bank, mixture, generator)
        if episode is not None:
            return episode
    raise RuntimeError(f"no usable episode after 100 attempts (seed {seed}, index {index})")


@dataclass(frozen=True)
class Annotated:
    """A task with slices annotated, and the box in which it is worked on."""

    source: str
    sample: sources.Sample
    scene: Scene
    box: Box


def annotated(bank: Bank, mixture: Mixture, cells: int, generator: Generator) -> Annotated | None:
    """Returns a sample of about `cells` voxels with slices annotated as a user might; None where nothing usable came
    up.
    """
    source, sample = _draw(bank, mixture, cells, generator)
    if happens(generator, SHORTENED):
        sample = replace(sample, mask=shortened(sample.mask, generator))
    if not sample.usable:
        return None
    scene = Scene(sample.image, annotate(sample.mask, generator), sample.spacing, resampled=Resampled(sample.image))
    extent = annotated_extent(scene.labels, STRUCTURE)
    if extent is None:
        return None
    box = structure_box(extent, scene.spacing, sample.mask.shape)
    return Annotated(source, sample, scene, _jittered(box, box_limits(extent, sample.mask.shape), generator))


def _attempt(bank: Bank, mixture: Mixture, generator: Generator) -> Episode | None:
    as_tile = happens(generator, 0.25)
    cells = round(uniform(generator, 72, 92) if as_tile else uniform(generator, 44, 76)) ** 3
    drawn = annotated(bank, mixture, cells, generator)
    if drawn is None:
        return None
    source, sample, scene = drawn.source, drawn.sample, drawn.scene
    limit = (
        round(uniform(generator, 28, 36) if as_tile else uniform(generator, mixture.least_edge, mixture.largest_edge))
        ** 3
    )
    grid = working_grid(drawn.box, scene.spacing, limit)
    prompt = make_prompt(scene, STRUCTURE, grid)
    channels = make_channels(scene, STRUCTURE, prompt, grid)
    if not as_tile:
        return scored(channels, sample, grid, source)
    tile = _tile(sample, grid, generator)
    fine = make_channels(scene, STRUCTURE, prompt, tile)
    return replace(scored(fine, sample, tile, source), overview=channels, window=tile.within(grid))


def _recalled(bank: Bank, mixture: Mixture, generator: Generator) -> Episode | None:
    source = _source(mixture, generator)
    cells = round(uniform(generator, 50, 80)) ** 3
    pair = paired(bank, source, cells, generator) if happens(generator, PAIRED) else None
    sample, elsewhere = pair or (_sample(bank, source, cells, generator), None)
    memory = recollected(sample, elsewhere, generator) if sample.usable else None
    if memory is None:
        return None
    image = resample(sample.image, memory.grid)
    channels = prior_channels(image, memory.prior, memory.grid.cell_spacing(sample.spacing))
    episode = scored(channels, sample, memory.grid, source)
    return replace(episode, recalled=True) if bool((episode.target > 0.5).any()) else None


def _draw(bank: Bank, mixture: Mixture, cells: int, generator: Generator) -> tuple[str, sources.Sample]:
    source = _source(mixture, generator)
    return source, _sample(bank, source, cells, generator)


def _source(mixture: Mixture, generator: Generator) -> str:
    names = ("labelled", "supervoxels", "brain_maps", "procedural")
    return choose(generator, names, (mixture.labelled, mixture.supervoxels, mixture.brain_maps, mixture.procedural))


def _sample(bank: Bank, source: str, cells: int, generator: Generator) -> sources.Sample:
    if source == "labelled":
        return sources.labelled(bank, cells, generator)
    if source == "supervoxels":
        return sources.supervoxels(bank, cells, generator)
    if source == "brain_maps":
        return sources.brain_map(bank, cells, generator)
    return sources.procedural(cells, generator)


def _jittered(box: Box, limits: Box, generator: Generator) -> Box:
    """The box, often grown along an axis, at one end or both, as the product does when a mask touches its faces."""
    for axis in range(3):
        if happens(generator, GROWN):
            ends = choose(generator, ((True, True), (True, False), (False, True)))
            faces = [ends if a == axis else (False, False) for a in range(3)]
            box = grown(box, faces, uniform(generator, 1.0, MOST_GROWN), limits)
    return box


def _tile(sample: sources.Sample, grid: Grid, generator: Generator) -> Grid:
    """A finer part of a grid around a random voxel of the structure."""
    inside = sample.mask.nonzero()
    centre = inside[integer(generator, 0, len(inside) - 1)].tolist()
    fineness = uniform(generator, 0.4, 0.8)
    cell = [max(1.0, fineness * step) for step in grid.step]
    starts, stops, shape = [], [], []
    for axis in range(3):
        low, high = grid.box.start[axis], grid.box.stop[axis]
        length = min(TILE_EDGE * cell[axis], high - low)
        start = min(max(low, centre[axis] - length / 2), high - length)
        starts.append(start)
        stops.append(start + length)
        shape.append(cell_count(length / cell[axis]))
    return Grid(Box.of(starts, stops), (shape[0], shape[1], shape[2]))


def scored(channels: Tensor, sample: sources.Sample, grid: Grid, source: str) -> Episode:
    """Returns the episode of a sample on a grid, for channels made on it."""
    target = resample(sample.mask, grid)
    known = channels[1] + channels[2] > 0
    around = avg_pool3d(target[None, None], 3, stride=1, padding=1, count_include_pad=False)[0, 0]
    border = (around > 0.01) & (around < 0.99)
    weight = (1 + (BORDER_WEIGHT - 1) * border) * ~known
    return Episode(channels, target, weight, source, planes=sum(map(len, annotated_planes(known))))
