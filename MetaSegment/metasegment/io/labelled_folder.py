"""Folders of labelled cases: `<case>/image.*` + `labels.*`, or `imagesTr` + `labelsTr` as the Medical Segmentation
Decathlon and nnU-Net have them, and the `dataset.json` that describes them. Finds files; reads no image.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from ..errors import InputError
from .image_file import WRITABLE

IMAGES, LABELS = "imagesTr", "labelsTr"
#: nnU-Net names the first channel of a case so; others are not read.
FIRST_CHANNEL = "_0000"


def case_names(folder: Path) -> list[str]:
    """Returns names of the labelled cases of a folder, in either layout, sorted."""
    names = {path.name for path in folder.iterdir() if path.is_dir() and _file(path, "labels")}
    for suffix in WRITABLE:
        names |= {path.name.removesuffix(suffix) for path in (folder / LABELS).glob(f"[!.]*{suffix}")}
    return sorted(names)


def labelled_files(folder: Path, case: str) -> tuple[Path, Path]:
    """Finds image and label file of a case in a folder of cases; raises InputError where they are not there."""
    own, image_folder = folder / case, folder / IMAGES
    pairs = [(_file(own, "image"), _file(own, "labels"))] if own.is_dir() else []
    pairs += [(_file(image_folder, name), _file(folder / LABELS, case)) for name in (case, case + FIRST_CHANNEL)]
    for image, labels in pairs:
        if image and labels:
            return image, labels
    raise InputError(
        f"no image and labels of case {case!r} in {folder}: expected {case}/image.nii.gz + labels.nii.gz, or "
        f"{case}.nii.gz in {IMAGES} and {LABELS}"
    )


def read_description(folder: Path) -> dict[str, Any] | None:
    """Reads the folder's `dataset.json`; None where it has none. Raises InputError for one that is no JSON object."""
    path = folder / "dataset.json"
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return None
    except ValueError:
        raise InputError(f"{path} is not JSON: correct or remove it") from None
    except OSError as error:
        raise InputError(f"cannot read {path}: {error.strerror}") from None
    if not isinstance(found, dict):
        raise InputError(f"{path} is not a description of a data set: expected one JSON object")
    return found


def _file(folder: Path, stem: str) -> Path | None:
    found = (folder / f"{stem}{suffix}" for suffix in WRITABLE)
    return next((path for path in found if path.is_file()), None)
