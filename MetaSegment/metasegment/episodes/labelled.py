"""What episodes are drawn from: labelled volumes and label maps. Where they come from is bank.py's business."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from torch import Tensor


@dataclass(frozen=True)
class LabelledVolume:
    """`image` (k, j, i) int16 or float32, or None for a label map without an image; `labels` (k, j, i) int16;
    `spacing` in mm (k, j, i).

    `targets` are the labels that may be segmented, `withheld` those kept to judge by; `group` names what is balanced
    in sampling (one data set, one group).
    """

    group: str
    case: str
    image: Tensor | None
    labels: Tensor
    spacing: tuple[float, float, float]
    targets: tuple[int, ...]
    withheld: tuple[int, ...] = ()

    def to(self, device: str) -> LabelledVolume:
        return replace(self, image=None if self.image is None else self.image.to(device), labels=self.labels.to(device))


@dataclass(frozen=True)
class Bank:
    """Volumes with images, by data set, and label maps that synthetic images are rendered from."""

    volumes: Mapping[str, Sequence[LabelledVolume]]
    label_maps: Sequence[LabelledVolume]

    def to(self, device: str) -> Bank:
        """Returns all volumes on a device, to make episodes there; on the CPU the bank as it is."""
        if device == "cpu":
            return self
        volumes = {name: [volume.to(device) for volume in found] for name, found in self.volumes.items()}
        return Bank(volumes, [volume.to(device) for volume in self.label_maps])
