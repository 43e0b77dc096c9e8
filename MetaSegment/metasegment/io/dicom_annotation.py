"""What a DICOM segmentation or structure set says about the voxels of an image. Does not read the image."""

from __future__ import annotations

from pathlib import Path

from ..errors import InputError
from ..volume import Geometry
from .dicom_libraries import dicom_libraries
from .drawn import Drawn

# What pydicom and highdicom raise where something that every such object has is absent or not what it should be.
_DAMAGED = (OSError, EOFError, ValueError, TypeError, AttributeError, LookupError)


def read_drawn(path: str | Path, grid: Geometry | None, frame_of_reference: str | None = None) -> Drawn:
    """Read a DICOM segmentation or structure set on `grid`, that of the image it belongs to.

    Without a grid a segmentation is given on its own, and a structure set is refused. `frame_of_reference` is the
    image's where known. Raises InputError for other DICOM objects, for those of another image, and for structures that
    overlap.
    """
    try:
        with dicom_libraries():
            return _read(path, grid, frame_of_reference)
    except InputError as error:
        raise InputError(f"{path}: {error}") from None


def _read(path: str | Path, grid: Geometry | None, frame_of_reference: str | None) -> Drawn:
    from pydicom import dcmread
    from pydicom.errors import InvalidDicomError

    from .dicom_seg import read_seg
    from .rtstruct import read_rtstruct

    try:
        dataset = dcmread(path)
        modality = str(dataset.get("Modality", ""))
        if modality == "SEG":
            return read_seg(dataset, grid, frame_of_reference)
        if modality == "RTSTRUCT":
            return read_rtstruct(dataset, grid, frame_of_reference)
    except (InvalidDicomError, *_DAMAGED) as error:
        raise InputError("the DICOM file cannot be read: it is truncated or damaged") from error
    raise InputError(
        f"a DICOM object of modality {modality or 'unknown'} holds no structures; use a SEG or an RTSTRUCT"
    )
