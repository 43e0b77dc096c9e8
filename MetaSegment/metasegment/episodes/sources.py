"""Where tasks come from: labelled structures, label-free supervoxels, and synthetic anatomy. Each returns an image
and one mask.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Generator, Tensor

from .bank import Bank, LabelledVolume
from .chance import choose, happens, integer, uniform
from .intensity import random_contrast
from .rendering import render
from .shapes import procedural_labels
from .targets import labelled_target, redrawn
from .warp import View, random_view

#: A crop shows this many times the length of the structure: the ROI and its context come from inside it.
CONTEXT = 2.2
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
    """A structure of a real volume, with the image's contrast changed."""
    volume = _any_volume(bank, generator)
    mask = labelled_target(volume, generator)
    view = _view_around(volume, mask, cells, generator)
    image, drawn = view.values[0], view.values[1] > 0.5
    target = redrawn(drawn, image, generator)
    return Sample(random_contrast(image, generator), target, view.spacing)


def supervoxels(bank: Bank, cells: int, generator: Generator) -> Sample:
    """A union of neighbouring supervoxels (SLIC, Achanta et al. 2012) of a real image whose labels are not looked
    at.
    """
    volume = _any_volume(bank, generator)
    assert volume.image is not None
    view = random_view(_random_crop(volume.image, generator)[None], volume.spacing, cells, generator)
    image = view.values[0]
    regions = _slic(image, integer(generator, 6, 20), uniform(generator, 2, 20))
    mask = _united(regions, image, generator)
    return Sample(random_contrast(image, generator), mask, view.spacing)


def brain_map(bank: Bank, cells: int, generator: Generator) -> Sample:
    """A structure of a warped label map, rendered with random intensities."""
    source = choose(generator, bank.label_maps)
    mask = labelled_target(source, generator)
    region = _around(mask)
    values = torch.stack([source.labels[region], mask[region]])
    view = random_view(values, source.spacing, cells, generator, mode="nearest")
    return Sample(render(view.values[0].short(), generator, view.spacing), view.values[1] > 0.5, view.spacing)


def procedural(cells: int, generator: Generator) -> Sample:
    """One object, or two, of a procedural label map."""
    edge = round(cells ** (1 / 3))
    k, j, i = (max(24, round(edge * uniform(generator, 0.75, 1.3))) for _ in range(3))
    labels = procedural_labels((k, j, i), generator)
    spacing = (choose(generator, (1.0, 1.0, 2.0, 3.0)), 1.0, 1.0)
    present, counts = labels.unique(return_counts=True)
    fits = (present > 0) & (counts >= LEAST_VOXELS) & (counts <= LARGEST_SHARE * labels.numel())
    mask = torch.zeros_like(labels, dtype=torch.bool)
    if bool(fits.any()):
        options = present[fits].tolist()
        for _ in range(2 if happens(generator, 0.15) else 1):
            mask |= labels == choose(generator, options)
    return Sample(render(labels, generator, spacing), mask, spacing)


def _any_volume(bank: Bank, generator: Generator) -> LabelledVolume:
    return choose(generator, bank.volumes[choose(generator, list(bank.volumes))])


def _view_around(volume: LabelledVolume, mask: Tensor, cells: int, generator: Generator) -> View:
    assert volume.image is not None
    region = _around(mask)
    values = torch.stack([volume.image[region], mask[region]])
    return random_view(values, volume.spacing, cells, generator)


def _around(mask: Tensor) -> tuple[slice, slice, slice]:
    """The crop that shows CONTEXT times the mask's extent, and at least 12 voxels beyond a small one."""
    slices = []
    for axis, size in enumerate(mask.shape):
        found = mask.movedim(axis, 0).flatten(1).any(1).nonzero()[:, 0]
        low, high = int(found[0]), int(found[-1]) + 1
        margin = max(12, round((CONTEXT - 1) / 2 * (high - low)))
        slices.append(slice(max(0, low - margin), min(size, high + margin)))
    return slices[0], slices[1], slices[2]


def _random_crop(image: Tensor, generator: Generator) -> Tensor:
    sizes = [min(n, max(24, round(n * uniform(generator, 0.4, 1.0)))) for n in image.shape]
    starts = [integer(generator, 0, n - size) for n, size in zip(image.shape, sizes, strict=True)]
    k, j, i = (slice(a, a + n) for a, n in zip(starts, sizes, strict=True))
    return image[k, j, i]


def _slic(image: Tensor, edge: int, compactness: float) -> Tensor:
    import SimpleITK as sitk

    scaled = 100 * (image - image.mean()) / image.std().clamp(min=1e-6)
    source = sitk.GetImageFromArray(scaled.cpu().numpy())
    regions = sitk.SLIC(source, [min(edge, n // 2) for n in source.GetSize()], compactness, 3, False)
    return torch.from_numpy(sitk.GetArrayFromImage(regions).astype("int32")).to(image.device)


def _united(regions: Tensor, image: Tensor, generator: Generator) -> Tensor:
    """A random supervoxel with up to five that touch it, the most alike first."""
    index = regions.flatten().long()
    counts = torch.bincount(index).clamp(min=1)
    means = torch.bincount(index, image.flatten()) / counts
    mask = regions == int(regions.flatten()[integer(generator, 0, regions.numel() - 1)])
    for _ in range(integer(generator, 0, 5)):
        shell = torch.nn.functional.max_pool3d(mask[None, None].float(), 3, stride=1, padding=1)[0, 0] > 0
        neighbours: Sequence[int] = regions[shell & ~mask].unique().tolist()
        if not neighbours:
            break
        own = image[mask].mean()
        mask = mask | (regions == min(neighbours, key=lambda n: float((means[n] - own).abs())))
    return mask
