"""Labelled volumes as they lie in folders: the project's data layout, and that of the Medical Segmentation Decathlon
and nnU-Net. Reads files one case at a time; keeps nothing.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from ..errors import InputError
from ..io.labelled_folder import IMAGES, case_names, labelled_files, read_description
from .labelled import LabelledVolume

#: Name that nnU-Net gives to what no one knows: such voxels are never a target.
IGNORED = "ignore"


@dataclass(frozen=True)
class Case:
    """Files of one volume; `image` is None for a label map. `never` are label values that are no structures,
    `withheld` structures that are never a target.
    """

    dataset: str
    name: str
    image: Path | None
    labels: Path
    licence: str
    never: tuple[int, ...] = ()
    withheld: tuple[int, ...] = ()


def find_cases(root: Path) -> list[Case]:
    """Finds every case below a folder: `train/` and `labelmaps/` with a folder a data set, or `imagesTr`, `labelsTr`
    and `dataset.json` in the folder itself or in the folders in it. InputError where there are none.
    """
    cases = [*_own_layout(root)]
    for folder in (root, *sorted(p for p in root.glob("*") if p.is_dir())):
        if (folder / IMAGES).is_dir():
            cases += _labelled(folder)
    if not any(case.image for case in cases):
        raise InputError(
            f"no training data in {root}: expected train/<dataset>/dataset.json, or imagesTr, labelsTr and "
            "dataset.json as MSD and nnU-Net have them"
        )
    return cases


def read_case(case: Case, withheld: Sequence[int] = ()) -> LabelledVolume:
    """Reads both files of a case; of an image with several channels the first."""
    labels, spacing = _read(case.labels)
    if labels.dtype != torch.int16:
        raise InputError(f"{case.labels} holds more than whole numbers up to 32767: it is no label map")
    image = None if case.image is None else _read(case.image)[0]
    if image is not None and image.shape != labels.shape:
        raise InputError(
            f"{case.image} has {tuple(image.shape)} voxels (k, j, i) and {case.labels} has {tuple(labels.shape)}: "
            "the two must be on one grid; resample one of them or remove the case"
        )
    kept = {*withheld, *case.withheld}
    structures = [v for v in labels.unique().tolist() if v > 0 and v not in case.never]
    targets, present = (tuple(v for v in structures if (v in kept) == held) for held in (False, True))
    return LabelledVolume(case.dataset, case.name, image, labels, spacing, targets, present)


def _own_layout(root: Path) -> Iterator[Case]:
    for folder in sorted(path.parent for path in (root / "train").glob("*/dataset.json")):
        yield from _labelled(folder)
    for folder in sorted(path.parent for path in (root / "labelmaps").glob("*/dataset.json")):
        described = _described(folder)
        licence, withheld = str(described.get("licence", "")), tuple(described.get("withheld", ()))
        for path in sorted(folder.glob("*.nii.gz")):
            yield Case(folder.name, path.name, None, path, licence, withheld=withheld)


def _labelled(folder: Path) -> Iterator[Case]:
    """The labelled cases of one data set, in either layout; nnU-Net names a label that no one knows."""
    description = _described(folder)
    licence = str(description.get("licence", description.get("license", "")))
    for name in case_names(folder):
        yield Case(folder.name, name, *labelled_files(folder, name), licence, _ignored(description))


def _ignored(description: Mapping[str, Any]) -> tuple[int, ...]:
    labels = description.get("labels")
    value = labels.get(IGNORED) if isinstance(labels, dict) else None
    return (value,) if isinstance(value, int) else ()


def _described(folder: Path) -> dict[str, Any]:
    found = read_description(folder)
    if found is None:
        raise InputError(f"no dataset.json in {folder}: it must name the data set's labels")
    return found


def _read(path: Path) -> tuple[Tensor, tuple[float, float, float]]:
    """Values (k, j, i), int16 where that loses nothing and float32 elsewhere; spacing in mm (k, j, i)."""
    import SimpleITK as sitk

    try:
        image = sitk.ReadImage(str(path), sitk.sitkFloat32)
    except RuntimeError:
        raise InputError(f"cannot read {path}: it is absent, damaged or no image") from None
    if image.GetDimension() not in (3, 4):
        raise InputError(f"{path} has {image.GetDimension()} dimensions: only volumes can be used")
    array = torch.from_numpy(sitk.GetArrayFromImage(image))
    array = array[0] if image.GetDimension() == 4 else array
    i, j, k = image.GetSpacing()[:3]
    whole = array.short()
    return (whole if torch.equal(whole.float(), array) else array), (k, j, i)
