"""A protocol from a folder of the user's own labelled cases, as it stands; nothing is frozen or written."""

from __future__ import annotations

from pathlib import Path

from ..errors import InputError
from ..io.labelled_folder import case_names
from .freeze import FEWER, LEAST_SLICES, evenly_annotated, structures
from .protocol import Protocol


def own_protocol(folder: Path) -> tuple[Protocol, Path]:
    """Returns every labelled structure with 1, 3 and 5 evenly spaced axial slices, and the root to read the cases from.

    `folder` holds `<case>/image.* + labels.*`, or `imagesTr` and `labelsTr` as MSD and nnU-Net have them. Raises
    InputError, one line, where it holds no case or no structure that is large enough.
    """
    folder = folder.resolve()
    if not folder.is_dir():
        raise InputError(f"no folder {folder}: give one with labelled cases")
    if not case_names(folder):
        raise InputError(
            f"no labelled cases in {folder}: expected <case>/image.nii.gz + labels.nii.gz, or imagesTr and labelsTr"
        )
    found = structures(folder.parent, folder.name, None, "unknown")
    tasks = tuple(task for structure in found for task in evenly_annotated(structure, "main", FEWER))
    if not tasks:
        raise InputError(f"no structure in {folder} lies on {LEAST_SLICES} axial slices or more: too few to test with")
    return Protocol(folder.name, ".", tasks), folder.parent
