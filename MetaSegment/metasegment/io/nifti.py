"""NIfTI files by nibabel: voxels, where they are, and results that keep their image's own header.

A header may place its voxels twice (qform and sform) or not at all, and programs differ in which they believe. Results
therefore repeat the image's header, so that they lie on it in all of them.
"""

from __future__ import annotations

import gzip
import math
import zlib
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

import numpy as np

from ..errors import InputError
from ..volume import Geometry, Volume, is_sheared
from .files import written_beside
from .image_shape import kept_dtype, refuse_absent_or_empty, refuse_too_many_bytes, refuse_unsupported_shape

if TYPE_CHECKING:
    from nibabel import Nifti1Header

_SUFFIXES = (".nii", ".hdr", ".img")
_GZIP = b"\x1f\x8b"
_BEST_PACKED = 1032  # bytes to one (https://zlib.net/zlib_tech.html)
_LENGTHS = {348: "Nifti1", 540: "Nifti2"}  # bytes of a header, by which its version is told
_ANALYZE = "an Analyze 7.5 file, which does not tell left from right; convert it to NIfTI"
_MM = {1: 1000.0, 3: 0.001}  # lengths of other units (metre, micrometre) in mm
_UNITS = 7  # bits of xyzt_units that tell the unit of length
_LPS = np.diag([-1.0, -1.0, 1.0, 1.0])  # NIfTI is RAS
_PLACE: tuple[str, ...] = ("qform_code", "sform_code", "xyzt_units", "quatern_b", "quatern_c", "quatern_d")
_PLACE += ("qoffset_x", "qoffset_y", "qoffset_z", "srow_x", "srow_y", "srow_z")
_DAMAGED = (OSError, EOFError, zlib.error, ValueError, KeyError, OverflowError, MemoryError)


@dataclass(frozen=True)
class _Parts:
    """The header, and the open file that voxels are in."""

    header: Nifti1Header
    voxels: Any
    most_bytes: int


def is_nifti(path: str | Path) -> bool:
    """By the file's name: `.nii`, `.hdr` or `.img`, packed or not, in any case."""
    return _plain_name(Path(path)).endswith(_SUFFIXES)


def read_nifti(path: str | Path, frame: int | None = None) -> Volume:
    """Read a scalar 3D NIfTI-1 or NIfTI-2 file, packed or not, of one part or two; or one `frame` of a 4D file.

    Integers are kept where they are not scaled; all else becomes 32-bit floats. Raises InputError, one line, for a
    file that is absent, empty, truncated, no NIfTI, 2D, 4D where no frame is named, coloured, sheared, without voxel
    size, or larger than the free memory.
    """
    path = Path(path)
    with _opened(path) as parts:
        header, shape = parts.header, _shape(path, parts.header)
        components = math.prod(shape[4:])
        dtype = _dtype(path, header)
        if dtype.names:
            components = len(dtype.names)
        refuse_unsupported_shape(path, shape[:4], components, dtype.kind == "c", frame)
        geometry = _geometries(path, header, shape[:3])[0]
        refuse_too_many_bytes(path, math.prod(shape[:3]), 8 if _is_scaled(header) else dtype.itemsize)
        return Volume(_voxels(path, parts, frame or 0), geometry)


def nifti_frames(path: str | Path) -> int:
    """How many volumes of one grid a file holds, by its header; raises InputError where it cannot be read."""
    with _opened(Path(path)) as parts:
        shape = _shape(Path(path), parts.header)
        return shape[3] if len(shape) == 4 else 1


def nifti_step(path: str | Path) -> float:
    """The distance between values next to each other that a file of scaled integers can hold; 0 of all others."""
    with _opened(Path(path)) as parts:
        return abs(_scaling(parts.header)[0]) if _is_scaled(parts.header) else 0.0


def nifti_geometries(path: str | Path) -> tuple[Geometry, ...]:
    """All the places that programs believe a file's voxels to be at, the one that `read_nifti` takes first.

    sform before qform, as nibabel, FSL and SPM have it (https://nifti.nimh.nih.gov/nifti-1, method 3 and 2); ITK and
    3D Slicer prefer the one that is said to be the scanner's.
    """
    path = Path(path)
    with _opened(path) as parts:
        return _geometries(path, parts.header, _shape(path, parts.header)[:3])


def write_nifti(volume: Volume, path: str | Path, like: Path | None = None) -> None:
    """Write to `.nii` or `.nii.gz`, all or nothing; where `like` is a NIfTI file of the same grid, with its placement.

    Raises InputError for an absent or unwritable folder and a full disk.
    """
    import nibabel as nib

    path, array = Path(path), volume.array
    source = _header_like(volume.geometry, like)
    is_long = source is not None and int(source["sizeof_hdr"]) == 540
    kind = nib.Nifti2Image if is_long or max(array.shape) > np.iinfo(np.int16).max else nib.Nifti1Image
    image = kind(array.transpose(2, 1, 0), None, dtype=array.dtype)
    if source is None:
        affine = _LPS @ volume.geometry.index_to_world
        image.header.set_xyzt_units("mm")
        image.set_qform(affine, 1)
        image.set_sform(affine, 1)
    else:
        for field in _PLACE:
            image.header[field] = source[field]
        image.header["pixdim"][:4] = source["pixdim"][:4]
    with written_beside(path) as draft, draft.open("wb") as file, ExitStack() as stack:
        if path.name.lower().endswith(".gz"):
            packed = gzip.GzipFile("", "wb", 6, file, mtime=0)
            image.to_stream(stack.enter_context(packed))
        else:
            image.to_stream(file)


def _header_like(geometry: Geometry, like: Path | None) -> Nifti1Header | None:
    if like is None or not like.is_file() or not is_nifti(like):
        return None
    with _opened(like) as parts:
        places = _geometries(like, parts.header, _shape(like, parts.header)[:3])
        return None if all(place.difference(geometry) for place in places) else parts.header


@contextmanager
def _opened(path: Path) -> Iterator[_Parts]:
    refuse_absent_or_empty(path)
    _require_nibabel()
    first, second = _both_parts(path)
    with ExitStack() as stack:
        try:
            file = _unpacked(first, stack)
            header = _header(path, file)
        except InputError:
            raise
        except Exception as error:  # nibabel's own kinds come straight from Exception
            raise InputError(f"{path} is not a readable image: damaged or truncated, or not NIfTI") from error
        if second is None:
            yield _Parts(header, file, _most_bytes(first, file))
            return
        refuse_absent_or_empty(second)
        try:
            voxels = _unpacked(second, stack)
        except _DAMAGED as error:
            raise InputError(f"{second} cannot be read: damaged or truncated") from error
        yield _Parts(header, voxels, _most_bytes(second, voxels))


def _both_parts(path: Path) -> tuple[Path, Path | None]:
    """The file with the header, and the one with the voxels where they are apart."""
    if not _plain_name(path).endswith((".hdr", ".img")):
        return path, None
    with ExitStack() as stack, _told(path):
        if _unpacked(path, stack).read(348)[344:347] == b"n+1":  # one part, whatever its name
            return path, None
    stem = _plain_name(path)[:-4]
    parts = {_plain_name(file)[-4:]: file for file in sorted(path.parent.iterdir()) if _plain_name(file)[:-4] == stem}
    for suffix in (".hdr", ".img"):
        if suffix not in parts:
            raise InputError(f"{path} is one of two files: its {suffix} is not beside it")
    return parts[".hdr"], parts[".img"]


@contextmanager
def _told(path: Path) -> Iterator[None]:
    try:
        yield
    except _DAMAGED as error:
        raise InputError(f"{path} is not a readable image: damaged or truncated, or not NIfTI") from error


def _plain_name(path: Path) -> str:
    return path.name.lower().removesuffix(".gz")


def _unpacked(path: Path, stack: ExitStack) -> Any:
    """The file to read from, unpacked where it is packed, whatever its name says."""
    file = stack.enter_context(path.open("rb"))
    packed = file.read(2) == _GZIP
    file.seek(0)
    return stack.enter_context(gzip.GzipFile(fileobj=file)) if packed else file


def _most_bytes(path: Path, file: object) -> int:
    """That a file can hold, packed ones by the best that gzip can do: asked before so many are allocated."""
    return path.stat().st_size * (_BEST_PACKED if isinstance(file, gzip.GzipFile) else 1)


def _header(path: Path, file: BinaryIO) -> Nifti1Header:
    import nibabel as nib

    block = file.read(540)
    lengths = {int.from_bytes(block[:4], order) for order in ("little", "big")} & set(_LENGTHS)
    if not lengths:
        raise ValueError("neither NIfTI-1 nor NIfTI-2")
    length = lengths.pop()
    magic = block[344:348] if length == 348 else block[4:8]
    if length == 348 and magic[:2] not in (b"n+", b"ni"):
        raise InputError(f"{path} is {_ANALYZE}")
    paired = magic[:2] == b"ni"
    version = {348: ("Nifti1Header", "Nifti1PairHeader"), 540: ("Nifti2Header", "Nifti2PairHeader")}[length]
    return getattr(nib.nifti1 if length == 348 else nib.nifti2, version[paired])(block[:length], check=False)


def _shape(path: Path, header: Nifti1Header) -> tuple[int, ...]:
    """Without trailing axes of one voxel beyond the third."""
    axes = int(header["dim"][0])
    shape = tuple(int(n) for n in header["dim"][1 : axes + 1]) if 1 <= axes <= 7 else ()
    shape = shape[:3] + tuple(n or 1 for n in shape[3:])
    if not shape or min(shape) < 1:
        raise InputError(f"{path} is damaged: its header tells no size")
    while len(shape) > 3 and shape[-1] == 1:
        shape = shape[:-1]
    return shape


def _dtype(path: Path, header: Nifti1Header) -> np.dtype:
    try:
        dtype = header.get_data_dtype()
        if dtype.kind in "iufc" or dtype.names:
            return dtype
    except Exception:  # nibabel's own, and numpy's for types that this computer lacks
        pass
    raise InputError(f"{path} has voxels of a type that is not known (code {int(header['datatype'])})")


def _is_scaled(header: Nifti1Header) -> bool:
    return _scaling(header) != (1.0, 0.0)


def _scaling(header: Nifti1Header) -> tuple[float, float]:
    slope, intercept = float(header["scl_slope"]), float(header["scl_inter"])
    if slope == 0 or not math.isfinite(slope):  # no scaling, by the standard
        return 1.0, 0.0
    return slope, intercept if math.isfinite(intercept) else 0.0


def _voxels(path: Path, parts: _Parts, frame: int) -> np.ndarray:
    """Array (k, j, i), scaled, in this computer's byte order."""
    from nibabel.volumeutils import array_from_file

    header, (slope, intercept) = parts.header, _scaling(parts.header)
    shape, dtype = _shape(path, header)[:3], header.get_data_dtype()
    try:
        start = header.get_data_offset() + frame * math.prod(shape) * dtype.itemsize
        if start + math.prod(shape) * dtype.itemsize > parts.most_bytes:
            raise EOFError(path)
        stored = array_from_file(shape, dtype, parts.voxels, start, order="F", mmap=False)
    except _DAMAGED as error:
        raise InputError(f"{path} is truncated or damaged: it holds fewer voxels than its header says") from error
    array = np.asarray(stored).transpose(2, 1, 0)
    if (slope, intercept) != (1.0, 0.0):
        array = array * slope + intercept
    wanted = np.dtype(np.float32) if array.dtype.kind == "f" else array.dtype.newbyteorder("=")
    with np.errstate(over="ignore"):  # too large for 32 bits is infinite, and refused as that
        return np.ascontiguousarray(array, kept_dtype(wanted))


def _geometries(path: Path, header: Nifti1Header, shape: tuple[int, ...]) -> tuple[Geometry, ...]:
    size = (*shape, 1, 1)[:3]
    affines = [affine for affine in _affines(header, size) if _has_lengths(affine)]
    if not affines:
        raise InputError(f"{path} does not tell the size of its voxels: set it in the header first")
    straight = [affine for affine in affines if not is_sheared(_directions(affine))]
    if not straight:
        raise InputError(f"{path} has sheared axes (its directions are not at right angles); resample it first")
    return tuple(_geometry(affine, size) for affine in straight)


@np.errstate(all="ignore")  # numbers that are none are sorted out later
def _affines(header: Nifti1Header, size: tuple[int, ...]) -> Iterator[np.ndarray]:
    """Voxel index (i, j, k, 1) to LPS mm, the most believed one first."""
    unit = np.diag([*[_MM.get(int(header["xyzt_units"]) & _UNITS, 1.0)] * 3, 1.0])
    if header["sform_code"] > 0:
        yield _LPS @ unit @ header.get_sform()
    if header["qform_code"] > 0:
        with suppress(Exception):  # nibabel's own, for numbers that are no rotation, and voxel sizes below 0
            yield _LPS @ unit @ _with_positive_sizes(header).get_qform()
    if header["sform_code"] <= 0 and header["qform_code"] <= 0:
        steps = np.abs(header["pixdim"][1:4].astype(float))
        base = np.diag([-steps[0], steps[1], steps[2], 1.0])  # nibabel's and SPM's: i to the left, 0 in the middle
        base[:3, 3] = -base[:3, :3] @ ((np.array(size) - 1) / 2)
        yield _LPS @ unit @ base
        yield unit @ np.diag([*steps, 1.0])  # ITK's


def _with_positive_sizes(header: Nifti1Header) -> Nifti1Header:
    copy = header.copy()
    copy["pixdim"][1:4] = np.abs(copy["pixdim"][1:4])
    return copy


def _has_lengths(affine: np.ndarray) -> bool:
    return bool(np.isfinite(affine).all() and (np.linalg.norm(affine[:3, :3], axis=0) > 0).all())


def _directions(affine: np.ndarray) -> np.ndarray:
    return affine[:3, :3] / np.linalg.norm(affine[:3, :3], axis=0)


def _geometry(affine: np.ndarray, size: tuple[int, ...]) -> Geometry:
    """Directions of 32 bits are not quite at right angles; the nearest that are have less than their error."""
    spacing = np.linalg.norm(affine[:3, :3], axis=0)
    left, _, right = np.linalg.svd(affine[:3, :3] / spacing)
    i, j, k = size
    x, y, z = affine[:3, 3].tolist()
    a, b, c = spacing.tolist()
    return Geometry((i, j, k), (a, b, c), (x, y, z), tuple((left @ right).ravel().tolist()))


def _require_nibabel() -> None:
    import importlib.util

    if importlib.util.find_spec("nibabel") is None:
        raise InputError("NIfTI files need nibabel: pip install nibabel")
