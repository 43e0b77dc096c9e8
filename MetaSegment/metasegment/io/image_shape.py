"""Which images can be used at all: what their headers say, looked at before any voxel is read."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from ..errors import InputError
from ..memory import free_memory, physical_memory

_BUFFERS_WHILE_READING = 2  # the library's image and the numpy array copied from it exist at the same time


def refuse_absent_or_empty(path: Path) -> None:
    """Raise InputError where there is no file with content."""
    if not path.exists():
        raise InputError(f"{path} does not exist")
    if path.is_dir():
        raise InputError(f"{path} is a folder; give a file")
    if path.stat().st_size == 0:
        raise InputError(f"{path} is empty (0 bytes)")


def refuse_unsupported_shape(
    path: Path, size: tuple[int, ...], components: int, is_complex: bool, frame: int | None, hint: str = ""
) -> None:
    """Raise InputError for what is not a scalar 3D volume, and for a `frame`, from 0, that a sequence has not.

    `size` is along i, j, k and time; `components` are values of a voxel, or frames of a sequence as Slicer keeps them.
    """
    shown = " x ".join(map(str, size))
    supported = "only 3D volumes with one value per voxel (CT, MR, PET ...) are supported"
    frames = size[3] if len(size) == 4 else components
    if frame is not None and frame >= frames:
        raise InputError(f"{path} has no frame {frame}: it has {frames}")
    if components > 1 and frame is None:
        raise InputError(f"{path} is a colour or vector image ({components} values per voxel); {supported}")
    if is_complex:
        raise InputError(f"{path} has complex voxels; {supported}")
    if len(size) < 3:
        raise InputError(f"{path} is a 2D image ({shown}); {supported}")
    if len(size) > 4 or (len(size) == 4 and size[3] > 1 and frame is None):
        raise InputError(f"{path} is a {len(size)}D image ({shown}); {supported}: extract one of its 3D volumes first")
    if min(size[:3]) == 1:
        raise InputError(f"{path} is one voxel thick ({shown}) and cannot be segmented in 3D{hint}")


def kept_dtype(stored: np.dtype) -> np.dtype:
    """Returns the type to keep voxels in: integers as they are, floats in 32 bits."""
    return np.dtype(np.float32) if stored.kind == "f" else stored


def refuse_too_many_bytes(path: Path, voxels: int, bytes_per_voxel: int) -> None:
    """Raise InputError, before anything is read, where so many voxels do not fit in the free memory."""
    needed = voxels * bytes_per_voxel * _BUFFERS_WHILE_READING
    available = free_memory() or physical_memory()
    if available is not None and needed > available:
        raise InputError(
            f"{path} is too large for this computer: its {voxels / 1e6:,.0f} million voxels need "
            f"{needed / 1e9:.1f} GB of memory, {available / 1e9:.1f} GB are free; crop or downsample it first"
        )
