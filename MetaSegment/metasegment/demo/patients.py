"""Phantom patients as files, to try every command on: images, a few annotated slices, and what is true.

Segments nothing.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from ..annotation import BACKGROUND
from ..export import write_segmentation
from ..io.volume_file import write_volume
from .anatomy import LEFT_KIDNEY, LIVER, SPLEEN
from .phantom import Phantom, abdomen_phantom, annotate, choose_slices

#: Half of what a phantom has, so that everything takes half the time.
_STRUCTURES = (LIVER, SPLEEN, LEFT_KIDNEY)
#: Segments that say of the rest of an annotated slice that nothing is there.
_REST, _GREY = "background", (0.5, 0.5, 0.5)


def write_patients(folder: Path, count: int) -> tuple[Path, ...]:
    """Writes `count` patients below a folder that exists, each to a folder of its own, and returns these.

    In each are `image.nrrd`, `annotation.seg.nrrd` (three axial slices of the first patient, of the others the middle
    one, as where a task only needs a hint) and `truth.seg.nrrd`. Raises InputError where they cannot be written.
    """
    folders = tuple(folder / f"patient-{number}" for number in range(1, count + 1))
    for seed, place in enumerate(folders):
        place.mkdir(exist_ok=True)
        phantom = abdomen_phantom(seed)
        truth = np.where(np.isin(phantom.labels, _STRUCTURES), phantom.labels, np.uint8(0))
        slices = choose_slices(truth)
        write_volume(phantom.volume, place / "image.nrrd")
        _write(phantom, annotate(truth, slices if seed == 0 else slices[1:2]), place / "annotation.seg.nrrd")
        _write(phantom, truth, place / "truth.seg.nrrd")
    return folders


def _write(phantom: Phantom, labels: np.ndarray, path: Path) -> None:
    """Labels with the names and colours of what is among them."""
    names = {label: name for label, name in {**phantom.names, BACKGROUND: _REST}.items() if (labels == label).any()}
    write_segmentation(labels, phantom.volume.geometry, path, names, {**phantom.colors, BACKGROUND: _GREY})
