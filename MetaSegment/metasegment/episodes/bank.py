"""The volumes that episodes are drawn from, held in memory. Reads the layout of the project's data folder; no
sampling here.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from ..errors import InputError


@dataclass(frozen=True)
class LabelledVolume:
    """`image` (k, j, i) int16, or None for a label map without an image; `labels` (k, j, i) int16; `spacing` in mm
    (k, j, i).

    `targets` are the labels that may be segmented; `group` names what is balanced in sampling (one data set, one
    group).
    """

    group: str
    case: str
    image: Tensor | None
    labels: Tensor
    spacing: tuple[float, float, float]
    targets: tuple[int, ...]


@dataclass(frozen=True)
class Bank:
    """Volumes with images, by data set, and label maps that synthetic images are rendered from."""

    volumes: dict[str, list[LabelledVolume]]
    label_maps: list[LabelledVolume]


def load_bank(root: Path, withheld: Mapping[str, Sequence[int]]) -> Bank:
    """Reads `root/train` and `root/labelmaps`; `withheld` lists label values, by data set, that are never targets."""
    folders = sorted((root / "train").glob("*/dataset.json"))
    if not folders:
        raise InputError(
            f"no training data in {root}: expected train/<dataset>/dataset.json; set root under [data] in the config"
        )
    volumes = {}
    for description in folders:
        name = description.parent.name
        cases = sorted(path.parent for path in description.parent.glob("*/labels.nii.gz"))
        volumes[name] = [read_case(name, case, withheld.get(name, ())) for case in cases]
    maps = [
        _read_map(path, withheld.get(path.parent.name, ()))
        for description in sorted((root / "labelmaps").glob("*/dataset.json"))
        for path in sorted(description.parent.glob("*.nii.gz"))
    ]
    return Bank(volumes, maps)


def read_case(dataset: str, folder: Path, withheld: Sequence[int] = ()) -> LabelledVolume:
    """One case: `image.nii.gz` and `labels.nii.gz` in a folder."""
    labels, spacing = _read(folder / "labels.nii.gz")
    image, _ = _read(folder / "image.nii.gz")
    return LabelledVolume(dataset, folder.name, image, labels, spacing, _targets(labels, withheld))


def _read_map(path: Path, withheld: Sequence[int]) -> LabelledVolume:
    labels, spacing = _read(path)
    return LabelledVolume(path.parent.name, path.name, None, labels, spacing, _targets(labels, withheld))


def _targets(labels: Tensor, withheld: Sequence[int]) -> tuple[int, ...]:
    return tuple(v for v in labels.unique().tolist() if v > 0 and v not in withheld)


def _read(path: Path) -> tuple[Tensor, tuple[float, float, float]]:
    import SimpleITK as sitk

    image = sitk.ReadImage(str(path), sitk.sitkInt16)
    i, j, k = image.GetSpacing()
    return torch.from_numpy(sitk.GetArrayFromImage(image)), (k, j, i)
