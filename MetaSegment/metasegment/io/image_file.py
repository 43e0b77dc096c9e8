"""One image file on disk to one SimpleITK image and back, with the checks that ITK leaves out.

ITK reads truncated NIfTI files and writes them to a full disk without a word; here both are errors. Says
nothing about what the voxels mean, and does not read DICOM folders (`dicom_series`).
"""

from __future__ import annotations

import gzip
import math
import os
import shutil
import tempfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from ..errors import InputError
from .files import written_beside

if TYPE_CHECKING:
    import SimpleITK as sitk

READABLE = "NRRD, NIfTI, MHA or a DICOM folder"
WRITABLE = (".nii.gz", ".nii", ".nrrd", ".mha")  # formats of one file: they can be renamed into place
_BUFFERS_WHILE_READING = 2  # ITK's image and the numpy array copied from it exist at the same time
_SLICER_SEQUENCE = "DataNodeClassName"  # in the headers of its .seq.nrrd files
_CHUNK = 1 << 24  # bytes


def read_image(path: str | Path, frame: int | None = None) -> sitk.Image:
    """Read a scalar 3D image file, or one frame of a sequence; integer types are kept, 64-bit floats become 32-bit.

    A fourth dimension of size 1 is dropped. Raises InputError, one line, for a file that is absent, empty,
    truncated, not an image, 2D, 4D where no frame is named, one voxel thick, coloured, or larger than the free memory.
    """
    path = Path(path)
    _refuse_absent_or_empty(path)
    with quiet_itk(), _without_sibling(path) as source:
        reader = _header(source, path)
        _refuse_unsupported_shape(reader, path, frame)
        _refuse_truncated_nifti(reader, source, path)
        size = reader.GetSize()
        if len(size) == 4:
            reader.SetExtractSize((*size[:3], 0))
            reader.SetExtractIndex((0, 0, 0, frame or 0))
        refuse_too_large(path, reader.GetPixelID(), math.prod(size) * reader.GetNumberOfComponents())
        reader.SetOutputPixelType(kept_pixel_type(reader.GetPixelID()))
        try:
            image = reader.Execute()
        except (RuntimeError, MemoryError) as error:
            raise InputError(f"{path} cannot be read: the file is truncated or damaged") from error
        return image if frame is None else _frame_of(image, frame)


def frames_in(path: str | Path) -> int:
    """How many volumes of one grid a file holds, by its header: a 4D image, or a sequence as Slicer writes them.

    1 for all else, also where the file cannot be read: reading it tells why.
    """
    path = Path(path)
    try:
        _refuse_absent_or_empty(path)
        with quiet_itk(), _without_sibling(path) as source:
            return _frames(_header(source, path))
    except InputError:
        return 1


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
    _refuse_absent_or_empty(path)
    with quiet_itk(), _without_sibling(path) as source:
        reader = _header(source, path)
        pairs = {key: str(reader.GetMetaData(key)) for key in reader.GetMetaDataKeys()}
        return {**pairs, "components": str(reader.GetNumberOfComponents())}


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
            _refuse_truncated_nifti(_header(draft, draft), draft, draft)
        except (RuntimeError, InputError) as error:
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
    """Raise InputError, before anything is read, where so many voxels do not fit in the free memory."""
    import SimpleITK as sitk

    bytes_per_voxel = sitk.Image((1, 1, 1), pixel_type).GetSizeOfPixelComponent()
    needed = voxels * bytes_per_voxel * _BUFFERS_WHILE_READING
    available = available_memory()
    if available is not None and needed > available:
        raise InputError(
            f"{path} is too large for this computer: its {voxels / 1e6:,.0f} million voxels need "
            f"{needed / 1e9:.1f} GB of memory, {available / 1e9:.1f} GB are free; crop or downsample it first"
        )


def available_memory() -> int | None:
    """Bytes of memory that can be used without swapping, or None where the system does not tell."""
    meminfo = Path("/proc/meminfo")
    if meminfo.exists():
        for line in meminfo.read_text().splitlines():
            if line.startswith("MemAvailable:"):
                return int(line.split()[1]) * 1024
    try:
        return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    except (AttributeError, OSError, ValueError):  # Windows has no sysconf, others may lack a name
        return None


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


def _refuse_absent_or_empty(path: Path) -> None:
    if not path.exists():
        raise InputError(f"{path} does not exist")
    if path.is_dir():
        raise InputError(f"{path} is a folder; give a file")
    if path.stat().st_size == 0:
        raise InputError(f"{path} is empty (0 bytes)")


@contextmanager
def _without_sibling(path: Path) -> Iterator[Path]:
    """Yield a path to read; asked for `scan.nii.gz`, ITK takes the voxels of a `scan.nii` next to it."""
    sibling = path.with_suffix("")
    if path.suffix.lower() != ".gz" or not sibling.exists():
        yield path
        return
    with tempfile.TemporaryDirectory() as folder:
        yield Path(shutil.copyfile(path, Path(folder) / path.name))


def _header(source: Path, path: Path) -> sitk.ImageFileReader:
    import SimpleITK as sitk

    reader = sitk.ImageFileReader()
    reader.SetFileName(str(source))
    try:
        reader.ReadImageInformation()
    except RuntimeError as error:
        if "orthonormal" in str(error):
            raise InputError(
                f"{path} has sheared axes (its directions are not at right angles); resample it first"
            ) from error
        raise InputError(f"{path} is not a readable image: damaged or truncated, or not {READABLE}") from error
    return reader


def _refuse_unsupported_shape(reader: sitk.ImageFileReader, path: Path, frame: int | None) -> None:
    import SimpleITK as sitk

    size = reader.GetSize()
    if frame is not None and frame >= _frames(reader):
        raise InputError(f"{path} has no frame {frame}: it has {_frames(reader)}")
    shown = " x ".join(map(str, size))
    supported = "only 3D volumes with one value per voxel (CT, MR, PET ...) are supported"
    if reader.GetNumberOfComponents() > 1 and frame is None:
        components = reader.GetNumberOfComponents()
        raise InputError(f"{path} is a colour or vector image ({components} values per voxel); {supported}")
    if reader.GetPixelID() in (sitk.sitkComplexFloat32, sitk.sitkComplexFloat64):
        raise InputError(f"{path} has complex voxels; {supported}")
    if len(size) < 3:
        raise InputError(f"{path} is a 2D image ({shown}); {supported}")
    if len(size) > 4 or (len(size) == 4 and size[3] > 1 and frame is None):
        raise InputError(f"{path} is a {len(size)}D image ({shown}); {supported}: extract one of its 3D volumes first")
    if min(size[:3]) == 1:
        hint = "; give the folder of its DICOM series" if reader.HasMetaDataKey("0008|0060") else ""
        raise InputError(f"{path} is one voxel thick ({shown}) and cannot be segmented in 3D{hint}")


def _refuse_truncated_nifti(reader: sitk.ImageFileReader, source: Path, path: Path) -> None:
    if not source.name.lower().endswith((".nii", ".nii.gz")) or not reader.HasMetaDataKey("bitpix"):
        return
    bytes_per_voxel = int(reader.GetMetaData("bitpix")) // 8
    expected = int(float(reader.GetMetaData("vox_offset"))) + math.prod(reader.GetSize()) * bytes_per_voxel
    if not _holds(source, expected):
        raise InputError(f"{path} is truncated: it holds fewer voxels than its header says")


def _holds(file: Path, expected: int) -> bool:
    """Whether a plain or gzip-compressed file has at least `expected` (uncompressed) bytes."""
    if file.suffix.lower() != ".gz":
        return file.stat().st_size >= expected
    with file.open("rb") as compressed:
        compressed.seek(-4, os.SEEK_END)
        # RFC 1952: a gzip member ends with its size modulo 2^32; concatenated members are counted below.
        if int.from_bytes(compressed.read(4), "little") == expected % 2**32:
            return True
    held = 0
    try:
        with gzip.open(file) as stream:
            while held < expected and (chunk := stream.read(_CHUNK)):
                held += len(chunk)
    except (EOFError, OSError, zlib.error):
        return False
    return held >= expected
