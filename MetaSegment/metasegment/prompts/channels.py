"""The network's input: the image and what the visible annotated slices, and the classical methods on them, say about
one structure.

Everything here sees only the labels it is given: hiding a slice means passing labels without it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property

import torch
from torch import Tensor

from ..grid import Grid, rasterise, resample
from . import geodesic
from .appearance import Appearance, learn_appearance
from .interpolation import distance_to_known, interpolate


@dataclass(frozen=True)
class Scene:
    """A cropped volume: `image` float32 and `labels` uint8 (0 unknown, 255 background), both (k, j, i); `spacing` in
    mm (k, j, i).
    """

    image: Tensor
    labels: Tensor
    spacing: tuple[float, float, float]
    _seen: dict[Grid, Tensor] = field(default_factory=dict, repr=False, compare=False)

    def image_on(self, grid: Grid) -> Tensor:
        """The image on a grid: resampled once for all scenes of this image, and therefore never to be written to."""
        if grid not in self._seen:
            self._seen[grid] = resample(self.image, grid)
        return self._seen[grid]

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

    `interpolation` is in mm, positive inside; `fields` (3, k, j, i) are the interpolation, distance and geodesic
    channels.
    """

    grid: Grid
    appearance: Appearance
    interpolation: Tensor
    fields: Tensor

    @property
    def geodesic(self) -> Tensor:
        """The lead of the structure's seeds over the background's (k, j, i), faded beyond the outermost slices."""
        return self.fields[2]


def known_fractions(scene: Scene, structure: int, grid: Grid) -> tuple[Tensor, Tensor]:
    """Share of structure and of background on each cell that holds an annotated voxel; both 0 elsewhere (k, j, i)."""
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
    fields = torch.stack(
        [
            (surface / (0.25 * scale)).clamp(-1, 1),
            distance_to_known(known, spacing) / scale,
            _competition(appearance.standardise(image), fg, bg, spacing),
        ]
    )
    return Prompt(grid, appearance, surface, fields)


def sharpened(prompt: Prompt, scene: Scene, structure: int, grid: Grid) -> Prompt:
    """The prompt on a finer part of its grid: the geodesic competes there again, along edges that it sees better."""
    part = grid.within(prompt.grid)
    image = prompt.appearance.standardise(scene.image_on(grid))
    fg, bg = known_fractions(scene, structure, grid)
    fields = resample(prompt.fields, part)
    fields[2] = _competition(image, fg, bg, grid.cell_spacing(scene.spacing))
    return Prompt(grid, prompt.appearance, resample(prompt.interpolation, part), fields)


def make_channels(scene: Scene, structure: int, prompt: Prompt, grid: Grid, previous: Tensor | None = None) -> Tensor:
    """Input channels (8, *grid.shape) on the prompt's own grid or on a finer part of it.

    `previous` is an earlier probability on `grid` (k, j, i).
    """
    image = scene.image_on(grid)
    fg, bg = known_fractions(scene, structure, grid)
    interpolation, distance, competition = resample(prompt.fields, grid.within(prompt.grid))
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
        ]
    )


def _competition(image: Tensor, fg: Tensor, bg: Tensor, spacing: Sequence[float]) -> Tensor:
    lead = geodesic.margin(image, fg >= 0.5, bg > 0.5, spacing)
    return geodesic.faded(lead, fg, fg + bg > 0, spacing)
