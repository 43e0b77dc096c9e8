"""A volume as coarse as the objects drawn in it allow, and the windows around these."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Generator, Tensor
from torch.nn.functional import affine_grid, avg_pool3d, grid_sample, max_pool3d, pad

from ..fields.chance import uniform
from ..fields.rotation import rotation
from ..grid import Box, Grid, Shape, Triple
from ..progress import Progress
from ..segmentation import Region
from .context import Context, Reach

#: Cells across the smallest extent of the smallest example; a volume is looked at in at most so many.
ACROSS, MOST_CELLS = 7, 24_000_000
#: Reaches of a cell's surroundings, in smallest extents of the examples.
REACHES = (0.15, 0.35, 0.65, 1.1)
#: Around an example the window goes on by this share of its extent on either side.
ROOM = 0.75
#: Largest rotation in radians, change of size as a logarithm, and of gain and offset in deviations.
ROTATION, SCALE, GAIN, OFFSET = 0.4, 0.7, 0.1, 0.1
#: Percentiles between which intensities around the examples lie.
PERCENTILES = (0.005, 0.995)
#: A cell is in an object from this share, or probability, on.
INSIDE = 0.5
#: Planes of cells pooled at a time.
PLANES = 16


@dataclass(frozen=True, eq=False)
class DrawnObject:
    """An object drawn completely: a boolean mask (k, j, i) on the region of the volume that just holds it."""

    region: Region
    mask: Tensor


@dataclass(frozen=True, eq=False)
class ObjectView:
    """Cells of whole voxels: `values` (k, j, i) scaled as intensities around the examples are, `share` (k, j, i) of
    each cell that the examples cover, on a grid of the volume; a window around each example, in cells.
    """

    values: Tensor
    share: Tensor
    grid: Grid
    cell_mm: Triple
    reaches: tuple[Reach, ...]
    windows: tuple[Region, ...]
    context: Context


def view_objects(
    image: Tensor, spacing: Sequence[float], examples: Sequence[DrawnObject], progress: Progress
) -> ObjectView:
    """Looks at a volume (k, j, i) with voxels of `spacing` mm in cells of which the smallest example has enough."""
    extents = [[(p.stop - p.start) * s for p, s in zip(e.region, spacing, strict=True)] for e in examples]
    smallest = min(min(extent) for extent in extents)
    steps = _steps(image.shape, spacing, smallest / ACROSS)
    cell_mm = _triple(n * s for n, s in zip(steps, spacing, strict=True))
    reaches = tuple(_reach(share * smallest, cell_mm) for share in REACHES)
    low, high = _window_of([image[_wider(e.region, ROOM, image.shape)] for e in examples])
    width = max(high - low, 1e-6)
    values = (_pooled(image, steps, progress).clamp(low - width, high + width) - (low + high) / 2) / (width / 4)
    k, j, i = values.shape
    grid = Grid(Box.whole([n * s for n, s in zip((k, j, i), steps, strict=True)]), (k, j, i))
    share = torch.zeros_like(values)
    for example in examples:
        region, covered = _covered(example, steps)
        share[region] = torch.maximum(share[region], covered)
    windows = tuple(_wider(_covered(e, steps)[0], ROOM, values.shape, reaches[-1]) for e in examples)
    return ObjectView(values, share, grid, cell_mm, reaches, windows, Context(values, reaches))


def random_turn(values: Tensor, share: Tensor, cell_mm: Triple, generator: Generator) -> tuple[Tensor, Tensor]:
    """Values and shares (k, j, i) turned, scaled and mirrored at random, with another contrast."""
    turn = rotation([uniform(generator, -ROTATION, ROTATION) for _ in range(3)])
    scale = torch.tensor([math.exp(uniform(generator, -SCALE, SCALE)) for _ in range(3)])
    scale = scale.mean() * (scale / scale.mean()) ** 0.5
    mirrored = torch.tensor([-1.0 if uniform(generator, 0, 1) < 0.5 else 1.0, 1.0, 1.0])
    lengths = torch.tensor([n * c for n, c in zip(values.shape, cell_mm, strict=True)]).flip(0)
    theta = torch.cat([turn * scale * mirrored * lengths / lengths[:, None], torch.zeros(3, 1)], 1)
    places = affine_grid(theta[None].float(), [1, 1, *values.shape], align_corners=False)
    both = grid_sample(torch.stack([values, share])[None], places, padding_mode="border", align_corners=False)[0]
    return both[0] * uniform(generator, 1 - GAIN, 1 + GAIN) + uniform(generator, -OFFSET, OFFSET), both[1]


def random_paste(values: Tensor, share: Tensor, view: ObjectView, generator: Generator) -> tuple[Tensor, Tensor]:
    """An example (k, j, i) with its shares, put at a random place of the volume: other surroundings than its own
    (Ghiasi et al., Simple copy-paste is a strong data augmentation method, CVPR 2021).
    """
    room = [max(0, n - m) for n, m in zip(view.values.shape, values.shape, strict=True)]
    start = [int(torch.randint(0, r + 1, (1,), generator=generator)) for r in room]
    k, j, i = (slice(a, a + n) for a, n in zip(start, values.shape, strict=True))
    behind, drawn_there = view.values[k, j, i], view.share[k, j, i]
    return torch.lerp(behind, values, share), torch.maximum(share, drawn_there * (1 - share))


def dilated(mask: Tensor, reach: Reach) -> Tensor:
    """A mask (k, j, i) with so many more cells on either side along each axis."""
    kernel = [2 * cells + 1 for cells in reach]
    return max_pool3d(mask[None].float(), kernel, stride=1, padding=list(reach))[0] > INSIDE


def cells_of(marked: Tensor, view: ObjectView) -> Tensor:
    """The cells (k, j, i) of a view of which marked voxels, boolean (k, j, i), cover more than half."""
    k, j, i = (round(step) for step in view.grid.step)
    return _pooled(marked, (k, j, i), Progress()) > INSIDE


def _steps(shape: Sequence[int], spacing: Sequence[float], cell_mm: float) -> Shape:
    """Voxels of a cell along k, j, i: about `cell_mm`, or more where there would be too many cells."""
    while True:
        steps = [max(1, round(cell_mm / s)) for s in spacing]
        if math.prod(math.ceil(n / s) for n, s in zip(shape, steps, strict=True)) <= MOST_CELLS:
            return steps[0], steps[1], steps[2]
        cell_mm = max(cell_mm, min(spacing)) * 1.1


def _pooled(image: Tensor, steps: Shape, progress: Progress) -> Tensor:
    """Means (k, j, i) float32 over cells; the last ones repeat the border."""
    short = [-n % s for n, s in zip(image.shape, steps, strict=True)]
    found = []
    for planes in image.split(PLANES * steps[0]):
        progress.check()
        missing = -len(planes) % steps[0]
        padded = pad(planes.float()[None, None], (0, short[2], 0, short[1], 0, missing), mode="replicate")
        found.append(avg_pool3d(padded, steps)[0, 0])
    return torch.cat(found)


def _covered(example: DrawnObject, steps: Shape) -> tuple[Region, Tensor]:
    """The cells that hold an example, and the share of each (k, j, i)."""
    starts = [p.start // s for p, s in zip(example.region, steps, strict=True)]
    stops = [math.ceil(p.stop / s) for p, s in zip(example.region, steps, strict=True)]
    faces: list[int] = []
    for part, start, stop, step in reversed(list(zip(example.region, starts, stops, steps, strict=True))):
        faces += [part.start - start * step, stop * step - part.stop]
    share = avg_pool3d(pad(example.mask.float()[None, None], faces), steps)[0, 0]
    k, j, i = (slice(a, b) for a, b in zip(starts, stops, strict=True))
    return (k, j, i), share


def _wider(region: Region, share: float, shape: Sequence[int], least: Sequence[int] = (1, 1, 1)) -> Region:
    """The region with so large a share of its extent, or `least`, more on either side, within a shape."""
    found = []
    for part, n, own in zip(region, shape, least, strict=True):
        more = max(own, math.ceil(share * (part.stop - part.start)))
        found.append(slice(max(0, part.start - more), min(n, part.stop + more)))
    k, j, i = found
    return k, j, i


def _window_of(parts: Sequence[Tensor]) -> tuple[float, float]:
    values = torch.cat([part.flatten().float() for part in parts])
    values = values[:: max(1, len(values) // 65536)].sort().values
    low, high = (float(values[round(q * (len(values) - 1))]) for q in PERCENTILES)
    return low, high


def _reach(mm: float, cell_mm: Triple) -> Reach:
    k, j, i = (max(1, round(mm / c)) for c in cell_mm)
    return k, j, i


def _triple(values: object) -> Triple:
    k, j, i = (float(v) for v in values)  # type: ignore[attr-defined]
    return k, j, i
