"""Tasks on structures that a bank withholds: never trained on, they show while a run goes on what it is worth for a
structure that is new. A label map is rendered, always in the same way.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import groupby

import torch

from ..fields.chance import draws
from .body import filled_body
from .filled import surroundings
from .held_out import HeldOutTask, tasks_of
from .labelled import Bank, LabelledVolume
from .rendering import render

#: Volumes of a data set and structures of a volume: a point of a curve is to cost seconds.
VOLUMES, STRUCTURES = 2, 5
#: Voxels of the part of a volume that is shown, at most.
LARGEST = 96**3


def withheld_tasks(bank: Bank, counts: tuple[int, ...]) -> Iterator[HeldOutTask]:
    """Returns a few withheld structures of every data set, small ones and large ones, with each number of annotated
    slices.
    """
    maps = sorted(bank.label_maps, key=lambda m: m.group)
    sets: list[Sequence[LabelledVolume]] = [*bank.volumes.values(), *(list(m) for _, m in groupby(maps, _group))]
    for volumes in sets:
        for volume in [v for v in volumes if v.withheld][:VOLUMES]:
            sizes = torch.bincount(volume.labels.flatten().int().clamp(min=0))
            labels = sorted(volume.withheld, key=lambda v: int(sizes[v]))
            for label in labels[:: max(1, len(labels) // STRUCTURES)][:STRUCTURES]:
                yield from tasks_of(_shown(volume, label), label, counts)


def _group(volume: LabelledVolume) -> str:
    return volume.group


def _shown(volume: LabelledVolume, label: int) -> LabelledVolume:
    """The surroundings of a structure, with every n-th voxel where they are large, and with an image."""
    region = surroundings(volume.labels == label)
    part = volume.labels[region]
    step = 1
    while part[::step, ::step, ::step].numel() > LARGEST:
        step += 1
    every = (slice(None, None, step),) * 3
    labels = part[every]
    spacing = (volume.spacing[0] * step, volume.spacing[1] * step, volume.spacing[2] * step)
    if volume.image is not None:
        return replace(volume, image=volume.image[region][every], labels=labels, spacing=spacing)
    generator = draws("cpu", label)
    image = render(filled_body(labels, generator), generator, spacing)
    return replace(volume, image=image, labels=labels, spacing=spacing)
