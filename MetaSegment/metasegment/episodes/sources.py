"""Where tasks come from: labelled structures, label-free supervoxels, and synthetic anatomy. Each returns an image
and one mask.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Generator, Tensor
from torch.nn.functional import max_pool3d

from ..fields.chance import choose, happens, integer, uniform
from .body import filled_body
from .filled import surroundings
from .intensity import random_contrast
from .labelled import Bank, LabelledVolume
from .rendering import render
from .shapes import procedural_labels
from .supervoxels import region_means, slic
from .targets import labelled_target, redrawn
from .warp import View, random_view

#: Share of unions of supervoxels and of procedural objects that may be cut by the sample's edge; organs rarely are.
CUT = 0.1
#: A target has at least this many voxels in its episode, and at most this share of them.
LEAST_VOXELS, LARGEST_SHARE = 30, 0.5


@dataclass(frozen=True)
class Sample:
    """One task before any slice is annotated: `image` float32, `mask` bool, both (k, j, i); `spacing` in mm (k, j,
    i).
    """

    image: Tensor
    mask: Tensor
    spacing: tuple[float, float, float]

    @property
    def usable(self) -> bool:
        count = int(self.mask.sum())
        return LEAST_VOXELS <= count <= LARGEST_SHARE * self.mask.numel() and bool(self.image.isfinite().all())


def labelled(bank: Bank, cells: int, generator: Generator) -> Sample:
    """Returns a structure of a real volume, with the image's contrast changed."""
    volume = _any_volume(bank, generator)
    mask = labelled_target(volume, generator)
    view = _view_around(volume, mask, cells, generator)
    image, drawn = view.values[0], view.values[1] > 0.5
    target = redrawn(drawn, image, generator)
    return Sample(random_contrast(image, generator), target, view.spacing)


def supervoxels(bank: Bank, cells: int, generator: Generator) -> Sample:
    """Returns a union of neighbouring supervoxels of a real image whose labels are not looked at."""
    volume = _any_volume(bank, generator)
    assert volume.image is not None
    view = random_view(_random_crop(volume.image, generator)[None], volume.spacing, cells, generator)
    image = view.values[0]
    regions = slic(image, integer(generator, 6, 20), uniform(generator, 2, 20))
    mask = _united(regions, image, generator)
    return Sample(random_contrast(image, generator), mask, view.spacing)


def brain_map(bank: Bank, cells: int, generator: Generator) -> Sample:
    """Returns a structure of a warped label map, rendered with random intensities."""
    group = choose(generator, sorted({m.group for m in bank.label_maps}))
    source = choose(generator, [m for m in bank.label_maps if m.group == group])
    mask = labelled_target(source, generator)
    region = surroundings(mask)
    values = torch.stack([source.labels[region], mask[region]])
    view = random_view(values, source.spacing, cells, generator, mode="nearest")
    labels = filled_body(view.values[0].short(), generator)
    return Sample(render(labels, generator, view.spacing), view.values[1] > 0.5, view.spacing)


def procedural(cells: int, generator: Generator) -> Sample:
    """Returns one object, or two, of a procedural label map."""
    edge = round(cells ** (1 / 3))
    k, j, i = (max(24, round(edge * uniform(generator, 0.75, 1.3))) for _ in range(3))
    labels = procedural_labels((k, j, i), generator)
    spacing = (choose(generator, (1.0, 1.0, 2.0, 3.0)), 1.0, 1.0)
    present, counts = labels.unique(return_counts=True)
    whole = ~torch.isin(present, _at_edge(labels)) | happens(generator, CUT)
    fits = whole & (present > 0) & (counts >= LEAST_VOXELS) & (counts <= LARGEST_SHARE * labels.numel())
    mask = torch.zeros_like(labels, dtype=torch.bool)
    if bool(fits.any()):
        options = present[fits].tolist()
        for _ in range(2 if happens(generator, 0.15) else 1):
            mask |= labels == choose(generator, options)
    return Sample(render(labels, generator, spacing), mask, spacing)


def any_group(bank: Bank, generator: Generator) -> Sequence[LabelledVolume]:
    """Returns the volumes of a data set: all sets are drawn equally often, whatever their size."""
    return bank.volumes[choose(generator, list(bank.volumes))]


def _any_volume(bank: Bank, generator: Generator) -> LabelledVolume:
    return choose(generator, any_group(bank, generator))


def _view_around(volume: LabelledVolume, mask: Tensor, cells: int, generator: Generator) -> View:
    assert volume.image is not None
    region = surroundings(mask)
    values = torch.stack([volume.image[region], mask[region]])
    return random_view(values, volume.spacing, cells, generator)


def _random_crop(image: Tensor, generator: Generator) -> Tensor:
    sizes = [min(n, max(24, round(n * uniform(generator, 0.4, 1.0)))) for n in image.shape]
    starts = [integer(generator, 0, n - size) for n, size in zip(image.shape, sizes, strict=True)]
    k, j, i = (slice(a, a + n) for a, n in zip(starts, sizes, strict=True))
    return image[k, j, i]


def _united(regions: Tensor, image: Tensor, generator: Generator) -> Tensor:
    """A random supervoxel with up to five that touch it, the most alike first."""
    means = region_means(regions, image, int(regions.max()) + 1)
    cut = torch.zeros_like(means, dtype=torch.bool)
    if not happens(generator, CUT):
        cut[_at_edge(regions)] = True
    open_cells = (~cut[regions]).flatten().nonzero()[:, 0]
    if not len(open_cells):
        return torch.zeros_like(regions, dtype=torch.bool)
    mask = regions == regions.flatten()[open_cells[integer(generator, 0, len(open_cells) - 1)]]
    for _ in range(integer(generator, 0, 5)):
        shell = max_pool3d(mask[None, None].float(), 3, stride=1, padding=1)[0, 0] > 0
        touching = torch.zeros_like(means, dtype=torch.bool)
        touching[regions[shell & ~mask]] = True
        touching &= ~cut
        own = (image * mask).sum() / mask.sum()
        alike = (means - own).abs().where(touching, torch.inf).argmin()
        mask = mask | ((regions == alike) & touching[alike])
    return mask


def _at_edge(labels: Tensor) -> Tensor:
    """The labels that the first and last planes of each axis hold."""
    return torch.cat([labels.movedim(axis, 0)[[0, -1]].flatten() for axis in range(3)]).unique()
