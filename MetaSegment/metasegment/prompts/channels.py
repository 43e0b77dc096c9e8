"""The network's input: the image and what the visible annotated slices, and the classical methods on them, say about
one structure.

Everything here sees only the labels it is given: hiding a slice means passing labels without it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import torch
from torch import Tensor

from ..grid import Grid, Resampled, rasterise, resample
from . import geodesic
from .appearance import Appearance, learn_appearance
from .interpolation import distance_to_known, interpolate
from .propagation import propagate


@dataclass(frozen=True)
class Scene:
    """A cropped volume: `image` float32 and `labels` uint8 (0 unknown, 255 background), both (k, j, i); `spacing` in
    mm (k, j, i).

    `strokes` int8 (k, j, i), where there are any, is 1 on voxels said to be in the structure and -1 on those said not
    to be. `resampled` is the image for scenes that share what it is on grids.
    """

    image: Tensor
    labels: Tensor
    spacing: tuple[float, float, float]
    strokes: Tensor | None = None
    resampled: Resampled | None = None

    def image_on(self, grid: Grid) -> Tensor:
        """Returns the image on a grid, never to be written to."""
        return self.resampled.on(grid) if self.resampled else resample(self.image, grid)

    @cached_property
    def annotated(self) -> tuple[int, Tensor]:
        """The axis along which the fewest planes hold annotated voxels, and the indices of those planes."""
        known = self.labels != 0
        rows = known.any(2)
        planes = [held.nonzero()[:, 0] for held in (rows.any(1), rows.any(0), known.any(0).any(0))]
        axis = min(range(3), key=lambda a: len(planes[a]) / self.labels.shape[a])
        return axis, planes[axis]


@dataclass(frozen=True)
class Prompt:
    """What the visible slices say about one structure on a grid that covers all of it.

    `interpolation` and `carried` are in mm, positive inside; `fields` (5, k, j, i) are the interpolation, distance,
    geodesic, carried and change channels.
    """

    grid: Grid
    appearance: Appearance
    interpolation: Tensor
    carried: Tensor
    fields: Tensor

    @property
    def change(self) -> Tensor:
        """The image change that slice propagation met on its way to each cell (k, j, i), 0…1."""
        return self.fields[4]

    @property
    def geodesic(self) -> Tensor:
        """The lead of the structure's seeds over the background's (k, j, i), faded beyond the outermost slices."""
        return self.fields[2]


def known_fractions(scene: Scene, structure: int, grid: Grid) -> tuple[Tensor, Tensor]:
    """Returns share of structure and of background on each cell that holds an annotated voxel; both 0 elsewhere (k, j,
    i).
    """
    axis, planes = scene.annotated
    labels = scene.labels.index_select(axis, planes)
    marked = torch.stack([labels == structure, labels != 0])
    inside, known = rasterise(marked, axis, planes, scene.labels.shape[axis], grid)
    fg = inside / known.clamp(min=1)
    return fg, (known > 0).float() - fg


def make_prompt(scene: Scene, structure: int, grid: Grid) -> Prompt:
    """Reads the scene's labels on a grid and runs the classical methods on them."""
    image = scene.image_on(grid)
    fg, bg = known_fractions(scene, structure, grid)
    spacing = grid.cell_spacing(scene.spacing)
    appearance = learn_appearance(image, fg, bg)
    known = fg + bg > 0
    surface = interpolate(fg >= 0.5, known, spacing)
    scale = sum(n * s for n, s in zip(grid.shape, spacing, strict=True)) / 3
    standardised = appearance.standardise(image)
    propagation = propagate(standardised, fg >= 0.5, known, spacing)
    carried = surface if propagation is None else propagation.surface
    fields = torch.stack(
        [
            (surface / (0.25 * scale)).clamp(-1, 1),
            distance_to_known(known, spacing) / scale,
            _competition(standardised, fg, bg, spacing),
            (carried / min(spacing)).clamp(-1, 1),
            torch.ones_like(surface) if propagation is None else propagation.change,
        ]
    )
    return Prompt(grid, appearance, surface, carried, fields)


def sharpened(prompt: Prompt, scene: Scene, structure: int, grid: Grid) -> Prompt:
    """Returns the prompt on a finer part of its grid: the geodesic competes there again, along edges that it sees
    better.
    """
    part = grid.within(prompt.grid)
    image = prompt.appearance.standardise(scene.image_on(grid))
    fg, bg = known_fractions(scene, structure, grid)
    fields = resample(prompt.fields, part)
    fields[2] = _competition(image, fg, bg, grid.cell_spacing(scene.spacing))
    surfaces = resample(torch.stack([prompt.interpolation, prompt.carried]), part)
    return Prompt(grid, prompt.appearance, surfaces[0], surfaces[1], fields)


def make_channels(scene: Scene, structure: int, prompt: Prompt, grid: Grid, previous: Tensor | None = None) -> Tensor:
    """Returns input channels (12, *grid.shape) on the prompt's own grid or on a finer part of it.

    `previous` is an earlier probability on `grid` (k, j, i).
    """
    image = scene.image_on(grid)
    fg, bg = known_fractions(scene, structure, grid)
    interpolation, distance, competition, carried, change = resample(prompt.fields, grid.within(prompt.grid))
    earlier = torch.zeros_like(fg) if previous is None else 2 * previous - 1
    likelihood = prompt.appearance.likelihood_ratio(image)
    return torch.stack(
        [
            prompt.appearance.standardise(image),
            fg,
            bg,
            interpolation,
            distance,
            likelihood,
            earlier,
            competition,
            carried,
            change,
            *stroke_cells(scene, grid),
        ]
    )


def stroke_cells(scene: Scene, grid: Grid) -> Tensor:
    """1 on the cells that hold a voxel stroked as in, and on those that hold one stroked as out (2, *grid.shape)."""
    cells = torch.zeros(2, *grid.shape, device=scene.image.device)
    if scene.strokes is not None:
        start, step, shape = (torch.tensor(x, device=cells.device) for x in (grid.box.start, grid.step, grid.shape))
        for channel, sign in enumerate((1, -1)):
            found = (((scene.strokes == sign).nonzero() + 0.5 - start) / step).floor().long()
            k, j, i = found[((found >= 0) & (found < shape)).all(1)].unbind(1)
            cells[channel, k, j, i] = 1
    return cells


def _competition(image: Tensor, fg: Tensor, bg: Tensor, spacing: Sequence[float]) -> Tensor:
    lead = geodesic.margin(image, fg >= 0.5, bg > 0.5, spacing)
    return geodesic.faded(lead, fg, fg + bg > 0, spacing)
