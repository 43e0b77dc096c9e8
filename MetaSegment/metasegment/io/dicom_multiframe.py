"""One DICOM file of many frames (enhanced CT, MR, PET; nuclear medicine) to one volume: frames by their positions.

ITK takes frames as they come and the first distance for all: it would not notice gaps, repetitions or time series.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ..errors import InputError
from ..volume import Geometry, Volume
from .dicom_file import damaged_as, header_of
from .dicom_libraries import dicom_libraries
from .dicom_nuclear import read_nuclear
from .dicom_stack import Stack, refuse_uneven
from .image_shape import refuse_too_many_bytes

if TYPE_CHECKING:
    from pydicom import Dataset

_UNEVEN = 0.1  # what passed our own look at the stack shall pass highdicom's
_FLOAT = 8  # bytes


def read_multiframe(path: str | Path) -> Volume:
    """Read the frames of a file as one volume, rescaled: 32-bit integers where all values are whole, else floats.

    Raises InputError, one line, where the extra `dicom` is not installed, and for frames without position, in several
    orientations, at uneven distances, or several at one position (a time series).
    """
    path = Path(path)
    header = header_of(path)
    if header.get("Modality") == "NM" and "PerFrameFunctionalGroupsSequence" not in header:
        return _volume(*read_nuclear(path, header))
    if "PerFrameFunctionalGroupsSequence" not in header:
        raise InputError(
            f"{path} does not tell where each of its frames lies (multiframe without functional groups); give the "
            "series as single slices or as enhanced multiframe"
        )
    with dicom_libraries("highdicom"):
        import highdicom as hd

        with damaged_as(f"{path}: its frames have no position and orientation to stack them by"):
            frames = int(header.NumberOfFrames)
            refuse_too_many_bytes(path, frames * header.Rows * header.Columns, _FLOAT)
            stack = _stack(path, header, frames)
        refuse_uneven(path, stack)
        with damaged_as(f"{path} cannot be read: damaged, or compressed in a way that pydicom needs pylibjpeg for"):
            # Scanner's units as in series of single slices, without display settings.
            volume = hd.imread(path).get_volume(
                apply_real_world_transform=False,
                apply_presentation_lut=False,
                rtol=_UNEVEN,
                perpendicular_tol=_UNEVEN,
            )
    return _volume(volume.array, volume.affine)


def _stack(path: Path, header: Dataset, frames: int) -> Stack:
    groups = [(frame, header.SharedFunctionalGroupsSequence[0]) for frame in header.PerFrameFunctionalGroupsSequence]
    positions = np.array([_of(g, "PlanePositionSequence").ImagePositionPatient for g in groups], float)
    orientations = np.array([_of(g, "PlaneOrientationSequence").ImageOrientationPatient for g in groups], float)
    spacing = [float(step) for step in _of(groups[0], "PixelMeasuresSequence").PixelSpacing]
    if not (len(spacing) == 2 and min(spacing) > 0):
        raise InputError(f"{path} does not tell the size of its pixels: PixelSpacing is not two numbers above 0")
    if len(groups) != frames:
        raise InputError(f"{path} is damaged: it tells positions of {len(groups)} frames and has {frames}")
    return Stack(tuple(f"frame {n + 1}" for n in range(frames)), positions, orientations, max(spacing))


def _of(groups: tuple[Dataset, Dataset], keyword: str) -> Any:
    """Item of a functional group: the frame's own, else the one that all share."""
    own, shared = groups
    return (own.get(keyword) or shared[keyword].value)[0]


def _volume(array: np.ndarray, affine: np.ndarray) -> Volume:
    """From an array (k, j, i) and what takes (k, j, i, 1) to LPS mm; k is made to run along the slices' normal."""
    axes, origin = affine[:3, 2::-1], affine[:3, 3]
    if np.linalg.det(axes) < 0:
        array, origin = array[::-1], origin + axes[:, 2] * (len(array) - 1)
        axes = axes * (1, 1, -1)
    with np.errstate(invalid="ignore"):  # what is too large or not a number is no whole number either
        whole = array.astype(np.int32)
    values = np.ascontiguousarray(whole if np.array_equal(whole, array) else array.astype(np.float32))
    k, j, i = values.shape
    lengths = np.linalg.norm(axes, axis=0)
    (a, b, c), (x, y, z) = lengths.tolist(), origin.tolist()
    return Volume(values, Geometry((i, j, k), (a, b, c), (x, y, z), tuple((axes / lengths).ravel().tolist())))
