"""One NRRD, MHA or other file of ITK's to one SimpleITK image and back, with true reasons where ITK has none.

ITK writes to a full disk without a word; here that is an error. Says nothing about what the voxels mean, and does not
read NIfTI (`nifti`) and DICOM folders (`dicom_series`).
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from ..errors import InputError
from .files import written_beside
from .image_shape import refuse_absent_or_empty, refuse_too_many_bytes, refuse_unsupported_shape
from .meta_header import refuse_broken_meta

if TYPE_CHECKING:
    import SimpleITK as sitk

READABLE = "NRRD, NIfTI, MHA or a DICOM folder"
WRITABLE = (".nii.gz", ".nii", ".nrrd", ".mha")  # formats of one file: they can be renamed into place
_SLICER_SEQUENCE = "DataNodeClassName"  # in the headers of its .seq.nrrd files
_ZIP = b"PK\3\4"
_FARTHEST = 1e9  # mm
_HEADER_BYTES = 1 << 16  # of a text header, in which a reason is looked for
#: How a NRRD header may say that its voxels are stored, of what ITK reads.
_ENCODINGS = ("raw", "txt", "text", "ascii", "hex", "gz", "gzip")


def read_image(path: str | Path, frame: int | None = None, has_layers: bool = False) -> sitk.Image:
    """Read a scalar 3D image file, or one frame of a sequence; integer types are kept, 64-bit floats become 32-bit.

    A fourth dimension of size 1 is dropped; with `has_layers` voxels may have several values. Raises InputError, one
    line, for a file that is absent, empty, truncated, not an image, 2D, 4D where no frame is named, one voxel thick,
    coloured, or larger than the free memory.
    """
    path = Path(path)
    refuse_absent_or_empty(path)
    with quiet_itk():
        reader = _header(path)
        _refuse_unsupported(reader, path, frame, has_layers)
        size = reader.GetSize()
        if len(size) == 4:
            reader.SetExtractSize((*size[:3], 0))
            reader.SetExtractIndex((0, 0, 0, frame or 0))
        refuse_too_large(path, reader.GetPixelID(), math.prod(size) * reader.GetNumberOfComponents())
        reader.SetOutputPixelType(kept_pixel_type(reader.GetPixelID()))
        try:
            image = reader.Execute()
        except (RuntimeError, MemoryError) as error:
            reason = _reason(path) or "the file is truncated or damaged"
            raise InputError(f"{path} cannot be read: {reason}") from error
        return image if frame is None else _frame_of(image, frame)


def itk_frames(path: str | Path) -> int:
    """Tells how many volumes of one grid a file holds, by its header: a 4D image, or a sequence as Slicer writes them.

    Raises InputError where the header cannot be read.
    """
    path = Path(path)
    refuse_absent_or_empty(path)
    with quiet_itk():
        return _frames(_header(path))


def _frames(reader: sitk.ImageFileReader) -> int:
    size = reader.GetSize()
    if len(size) == 4:
        return int(size[3])
    return int(reader.GetNumberOfComponents()) if reader.HasMetaDataKey(_SLICER_SEQUENCE) else 1


def _frame_of(image: sitk.Image, frame: int) -> sitk.Image:
    """Slicer's sequences come with a component for each frame."""
    import SimpleITK as sitk

    return sitk.VectorIndexSelectionCast(image, frame) if image.GetNumberOfComponentsPerPixel() > 1 else image


def read_metadata(path: str | Path) -> dict[str, str]:
    """Key-value pairs of the header of an image file, and `components`: the number of values per voxel."""
    path = Path(path)
    refuse_absent_or_empty(path)
    with quiet_itk():
        reader = _header(path)
        keys = [key for key in reader.GetMetaDataKeys() if key.isascii()]  # ITK cannot be asked for others
        pairs = {key: _text(reader.GetMetaData(key)) for key in keys}
        return {**pairs, "components": str(reader.GetNumberOfComponents())}


def _text(value: str) -> str:
    """As it was meant: headers are UTF-8, and Latin-1 where older programs wrote them."""
    octets = str(value).encode("utf-8", "surrogateescape")
    try:
        return octets.decode()
    except UnicodeDecodeError:
        return octets.decode("latin-1")


def write_image(image: sitk.Image, path: str | Path) -> None:
    """Write compressed (where the format can) and all at once: `path` is either complete or untouched.

    Raises InputError for a suffix not in WRITABLE, an absent or unwritable folder and a full disk.
    """
    import SimpleITK as sitk

    path = Path(path)
    refuse_unknown_suffix(path)
    with written_beside(path) as draft, quiet_itk():
        try:
            sitk.WriteImage(image, str(draft), True)
        except RuntimeError as error:
            raise InputError(f"cannot write {path}: writing failed; is the disk full or read-only?") from error


def refuse_unknown_suffix(path: Path) -> None:
    """Raise InputError for a file name that does not end like one of WRITABLE."""
    if not path.name.lower().endswith(WRITABLE):
        raise InputError(f"cannot write {path}: unknown file type; use one of {', '.join(WRITABLE)}")


def kept_pixel_type(stored: int) -> int:
    """SimpleITK's pixel type to read a stored one as: itself, but 32-bit for 64-bit floats."""
    import SimpleITK as sitk

    return int(sitk.sitkFloat32 if stored == sitk.sitkFloat64 else stored)


def refuse_too_large(path: Path, pixel_type: int, voxels: int) -> None:
    """Raise InputError, before anything is read, where so many voxels of a SimpleITK type do not fit in the memory."""
    import SimpleITK as sitk

    refuse_too_many_bytes(path, voxels, sitk.Image((1, 1, 1), pixel_type).GetSizeOfPixelComponent())


@contextmanager
def quiet_itk() -> Iterator[None]:
    """Keep ITK's warnings off standard error: the user gets one line, from us."""
    import SimpleITK as sitk

    before = sitk.ProcessObject.GetGlobalWarningDisplay()
    sitk.ProcessObject.SetGlobalWarningDisplay(False)
    try:
        yield
    finally:
        sitk.ProcessObject.SetGlobalWarningDisplay(before)


def _header(path: Path) -> sitk.ImageFileReader:
    import SimpleITK as sitk

    refuse_broken_meta(path)
    reader = sitk.ImageFileReader()
    reader.SetFileName(str(path))
    try:
        reader.ReadImageInformation()
    except RuntimeError as error:
        if "orthonormal" in str(error):
            raise InputError(
                f"{path} has sheared axes (its directions are not at right angles); resample it first"
            ) from error
        if reason := _reason(path):
            raise InputError(f"{path} cannot be read: {reason}") from error
        raise InputError(f"{path} is not a readable image: damaged or truncated, or not {READABLE}") from error
    return reader


def _reason(path: Path) -> str | None:
    """Why ITK cannot read a file, where its start tells: an archive, voxels in a file that is gone, or packed in a way
    that ITK does not know.
    """
    with path.open("rb") as file:
        start = file.read(_HEADER_BYTES)
    if start.startswith(_ZIP):
        return "it is a zip archive; unpack it first"
    text = start.partition(b"\n\n")[0].decode("latin-1")
    lines = [line for line in text.splitlines() if not line.startswith("#")]
    pairs = [line.replace("=", ":", 1).partition(":") for line in lines]
    fields = {key.strip().lower().replace(" ", ""): value.strip() for key, _, value in pairs}
    encoding = fields.get("encoding", "raw").lower()
    if text.startswith("NRRD") and encoding not in _ENCODINGS:
        return f"its voxels are packed by {encoding}, which is not supported; save it packed by gzip or raw"
    voxels = fields.get("datafile") or fields.get("elementdatafile") or "LOCAL"
    is_one_file = voxels.upper() not in ("LOCAL", "LIST") and "%" not in voxels and "\0" not in voxels
    if is_one_file and len(voxels) < 1000 and not (path.parent / voxels).is_file():
        return f"its voxels are in another file, {voxels}, which is not beside it"
    return None


def _refuse_unsupported(reader: sitk.ImageFileReader, path: Path, frame: int | None, has_layers: bool) -> None:
    import SimpleITK as sitk

    place = np.array((*reader.GetSpacing(), *reader.GetOrigin(), *reader.GetDirection()))
    if not (np.abs(place) < _FARTHEST).all():  # with infinite products, ITK does not come to an end
        raise InputError(f"{path} is not a readable image: its header is damaged, as voxels lie nowhere")
    size, components = reader.GetSize(), reader.GetNumberOfComponents()
    is_complex = reader.GetPixelID() in (sitk.sitkComplexFloat32, sitk.sitkComplexFloat64)
    hint = "; give the folder of its DICOM series" if reader.HasMetaDataKey("0008|0060") else ""
    refuse_unsupported_shape(path, size, 1 if has_layers else components, is_complex, frame, hint)
