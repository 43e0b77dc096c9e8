"""Opens the volumes that episodes are drawn from: folders of images, or one packed file. No sampling here."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from ..errors import InputError
from .labelled import Bank, LabelledVolume
from .layouts import find_cases, read_case
from .packed import open_bank

__all__ = ["Bank", "LabelledVolume", "load_bank"]


def load_bank(root: Path, withheld: Mapping[str, Sequence[int]]) -> Bank:
    """Reads a packed bank (see packed.py), or a folder in one of the layouts of layouts.py; `withheld` lists label
    values, by data set, that are never targets. Volumes without any target are left out.
    """
    if root.is_file():
        return open_bank(root, withheld)
    volumes: dict[str, list[LabelledVolume]] = {}
    maps = []
    for case in find_cases(root):
        volume = read_case(case, withheld.get(case.dataset, ()))
        if volume.image is None:
            maps.append(volume)
        elif volume.targets:
            volumes.setdefault(case.dataset, []).append(volume)
    if not volumes:
        raise InputError(f"no structure to learn from in {root}: all labels are 0 or withheld")
    return Bank(volumes, maps)
