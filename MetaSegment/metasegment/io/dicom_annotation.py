"""What a DICOM segmentation or structure set says about the voxels of an image. Does not read the image."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from ..errors import InputError
from ..volume import Geometry
from .dicom_file import CUT, damaged_as, dataset_of
from .dicom_libraries import dicom_libraries
from .drawn import Drawn


def read_drawn(
    path: str | Path, grid: Geometry | None, frame_of_reference: str | None = None, names: Sequence[str] = ()
) -> Drawn:
    """Read a DICOM segmentation or structure set on `grid`, that of the image it belongs to; of it all, or `names`.

    Without a grid a segmentation is given on its own, and a structure set is refused. `frame_of_reference` is the
    image's where known. Raises InputError for other DICOM objects, for those of another image, and for structures that
    overlap.
    """
    try:
        return _read(path, grid, frame_of_reference, names)
    except InputError as error:
        raise InputError(f"{path}: {' '.join(str(error).split())}") from None


def _read(path: str | Path, grid: Geometry | None, frame_of_reference: str | None, names: Sequence[str]) -> Drawn:
    with dicom_libraries():
        dataset = dataset_of(path)
        from .dicom_seg import read_seg
        from .rtstruct import read_rtstruct

        with damaged_as(CUT):
            modality = str(dataset.get("Modality") or "")
            if modality == "SEG":
                return read_seg(dataset, grid, frame_of_reference, names)
            if modality == "RTSTRUCT":
                return read_rtstruct(dataset, grid, frame_of_reference, names)
    raise InputError(
        f"a DICOM object of modality {modality or 'unknown'} holds no structures; use a SEG or an RTSTRUCT"
    )
