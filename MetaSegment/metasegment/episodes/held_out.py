"""Held-out tasks: structures the weights never saw, in the images of the validation split, with evenly spaced slices.

For choosing checkpoints and for tables; never for training.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from ..annotation import BACKGROUND
from ..errors import InputError
from ..grid import filled_planes
from ..measures.dice import dice
from ..prompts import Scene
from .labelled import LabelledVolume
from .layouts import Case, read_case
from .slices import STRUCTURE

#: Label values of the validation split that no training label covers, by data set. Model-made labels are left out.
UNSEEN = {
    "la2018_left_atrium": (1,),
    "mouse_skull_microct": (1, 2, 3, 15, 21),
    "openkbp_headneck_ct": (2, 6, 7),
    "pd25_subcortical_mr": (1, 2, 3, 4, 5, 6),
    "sct_spinal_cord_mr": (1, 2),
}
#: Annotated slices lie between these shares of the structure's extent.
FIRST, LAST = 0.12, 0.88


@dataclass(frozen=True)
class HeldOutTask:
    """One structure with `slices` annotated axial slices; `mask` (k, j, i) bool is the truth."""

    dataset: str
    case: str
    label: int
    slices: int
    scene: Scene
    mask: Tensor

    def dice(self, predicted: Tensor) -> float:
        """Returns Dice of a boolean mask (k, j, i) on the voxels that were not annotated."""
        unknown = self.scene.labels == 0
        return dice(predicted[unknown], self.mask[unknown])


def held_out_tasks(root: Path, counts: tuple[int, ...]) -> Iterator[HeldOutTask]:
    """Returns every unseen structure of `root/validation` with each number of annotated slices, case by case."""
    if not (root / "validation").is_dir():
        raise InputError(
            f"no validation data in {root}: expected validation/<dataset>/<case>/, set the folder in the config"
        )
    for dataset, labels in UNSEEN.items():
        for folder in sorted(path.parent for path in (root / "validation" / dataset).glob("*/labels.nii.gz")):
            case = Case(dataset, folder.name, folder / "image.nii.gz", folder / "labels.nii.gz", licence="")
            volume = read_case(case)
            for label in labels:
                yield from tasks_of(volume, label, counts)


def tasks_of(volume: LabelledVolume, label: int, counts: tuple[int, ...]) -> Iterator[HeldOutTask]:
    """Returns a structure of a volume with an image, with each number of annotated slices; none where it spans
    too few.
    """
    assert volume.image is not None
    mask = volume.labels == label
    filled = filled_planes(mask, axis=0)
    if len(filled) < max(counts) + 2:
        return
    for count in counts:
        shares = torch.linspace(FIRST, LAST, count) if count > 1 else torch.tensor([0.5])
        indices = filled[(shares * (len(filled) - 1)).round().long()]
        labels = torch.zeros(mask.shape, dtype=torch.uint8)
        labels[indices] = torch.where(mask[indices], STRUCTURE, BACKGROUND).to(torch.uint8)
        scene = Scene(volume.image.float(), labels, volume.spacing)
        yield HeldOutTask(volume.group, volume.case, label, count, scene, mask)
