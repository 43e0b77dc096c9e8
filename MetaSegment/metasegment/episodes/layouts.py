"""Labelled volumes as they lie in folders: the project's data layout, and that of the Medical Segmentation Decathlon
and nnU-Net. Reads files one case at a time; keeps nothing.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from ..errors import InputError
from .labelled import LabelledVolume

SUFFIXES = (".nii.gz", ".nii", ".nrrd", ".mha")
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
    """Every case below a folder: `train/` and `labelmaps/` with a folder a data set, or `imagesTr`, `labelsTr` and
    `dataset.json` in the folder itself or in the folders in it. InputError where there are none.
    """
    cases = [*_own_layout(root)]
    for folder in (root, *sorted(p for p in root.glob("*") if p.is_dir())):
        if (folder / "imagesTr").is_dir():
            cases += _decathlon(folder)
    if not any(case.image for case in cases):
        raise InputError(
            f"no training data in {root}: expected train/<dataset>/dataset.json, or imagesTr, labelsTr and "
            "dataset.json as MSD and nnU-Net have them"
        )
    return cases


def read_case(case: Case, withheld: Sequence[int] = ()) -> LabelledVolume:
    """Both files of a case; of an image with several channels the first."""
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
    for description in sorted((root / "train").glob("*/dataset.json")):
        licence = str(_described(description).get("licence", ""))
        for path in sorted(description.parent.glob("*/labels.nii.gz")):
            image = path.with_name("image.nii.gz")
            yield Case(description.parent.name, path.parent.name, image, path, licence)
    for description in sorted((root / "labelmaps").glob("*/dataset.json")):
        described = _described(description)
        licence, withheld = str(described.get("licence", "")), tuple(described.get("withheld", ()))
        for path in sorted(description.parent.glob("*.nii.gz")):
            yield Case(description.parent.name, path.name, None, path, licence, withheld=withheld)


def _decathlon(folder: Path) -> Iterator[Case]:
    """Cases of `labelsTr`; nnU-Net numbers an image's channels _0000, _0001, …, MSD has them in one file."""
    description = _described(folder / "dataset.json")
    licence = str(description.get("licence", description.get("license", "")))
    found = sorted(path for path in (folder / "labelsTr").glob("[!.]*") if path.name.endswith(SUFFIXES))
    for labels in found:
        suffix = next(s for s in SUFFIXES if labels.name.endswith(s))
        name = labels.name.removesuffix(suffix)
        images = [folder / "imagesTr" / f"{name}{channel}{suffix}" for channel in ("", "_0000")]
        image = next((path for path in images if path.is_file()), None)
        if image is None:
            raise InputError(f"no image for {labels}: expected {images[0]} or {images[1].name} beside it")
        yield Case(folder.name, name, image, labels, licence, _ignored(description))


def _ignored(description: Mapping[str, Any]) -> tuple[int, ...]:
    labels = description.get("labels")
    value = labels.get(IGNORED) if isinstance(labels, dict) else None
    return (value,) if isinstance(value, int) else ()


def _described(path: Path) -> dict[str, Any]:
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise InputError(f"no {path.name} in {path.parent}: it must name the data set's labels") from None
    except (OSError, ValueError) as error:
        raise InputError(f"cannot read {path}: {error}") from None
    if not isinstance(found, dict):
        raise InputError(f"{path} is not a description of a data set: expected one JSON object")
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
