"""Frames of a DICOM segmentation to labels: each is placed by its own position, so that slices may be absent.

Frames carry one segment each, or labels; what several segments claim is refused. Needs of the many things that such
an object should tell only where its frames lie.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from ..errors import InputError
from ..memory import free_memory, physical_memory
from ..volume import Geometry

if TYPE_CHECKING:
    from pydicom import Dataset

_SAME_DIRECTION = 1e-3
_UNEVEN = 0.1  # of a distance between slices
_SAME_PLACE = 0.01  # mm


@dataclass(frozen=True, eq=False)
class _Frames:
    """Where frames lie: corner of each (n, 3) in LPS mm, their common axes (3, 3) of unit length (columns: row, column
    and normal), pixel spacing (along a column, along a row) in mm, and the segment of each, 0 in label maps.
    """

    corners: np.ndarray
    axes: np.ndarray
    spacing: tuple[float, float]
    segments: tuple[int, ...]


def labels_of(
    dataset: Dataset, names: Mapping[int, str], numbers: Mapping[int, int], grid: Geometry | None
) -> tuple[np.ndarray, Geometry]:
    """Returns labels uint8 (k, j, i) between the first and the last frame, and where they are.

    `names` are those of the segments to read, `numbers` their labels. Slices are as far apart as those of `grid`, the
    image's, where frames lie on them. Raises InputError for frames without position, at uneven distances or in several
    orientations, for probabilities, and for segments that overlap.
    """
    frames = _frames(dataset)
    along = frames.corners @ frames.axes[:, 2]
    gap = _gap(dataset, along, frames, grid)
    planes = np.rint((along - along.min()) / gap).astype(np.int64)
    if np.abs(along - along.min() - planes * gap).max() > _UNEVEN * gap:
        raise InputError("its frames lie at uneven distances and not on the image's slices; resample it to the image")
    _refuse_sideways(frames, along)
    shape = (int(planes.max()) + 1, int(dataset.Rows), int(dataset.Columns))
    available = free_memory() or physical_memory()
    if available is not None and np.prod(shape, dtype=float) > available:
        raise InputError("its frames lie so far apart that their volume does not fit in the memory")
    labels = np.zeros(shape, np.uint8)
    for pixels, plane, segment in zip(_pixels(dataset), planes.tolist(), frames.segments, strict=False):
        _paint(labels[plane], pixels, segment, names, numbers)
    x, y, z = frames.corners[int(along.argmin())].tolist()
    direction = tuple(frames.axes.ravel().tolist())
    rows, columns = frames.spacing
    return labels, Geometry(shape[::-1], (columns, rows, gap), (x, y, z), direction)


def _paint(
    plane: np.ndarray, pixels: np.ndarray, segment: int, names: Mapping[int, str], numbers: Mapping[int, int]
) -> None:
    values = (segment,) if segment else tuple(np.unique(pixels[pixels > 0]).tolist())
    for value in values:
        if value not in numbers:
            continue
        mask = pixels > 0 if segment else pixels == value
        before = plane[mask]
        taken = before[(before > 0) & (before != numbers[value])]
        if taken.size:
            other = next(names[n] for n, label in numbers.items() if label == int(taken[0]))
            raise InputError(
                f"its segments '{other}' and '{names[value]}' overlap; choose some by name (--structures), or save it "
                "with segments that do not"
            )
        plane[mask] = numbers[value]


def _frames(dataset: Dataset) -> _Frames:
    shared = (dataset.get("SharedFunctionalGroupsSequence") or [None])[0]
    groups = [(own, shared) for own in dataset.get("PerFrameFunctionalGroupsSequence") or ()]
    count = int(dataset.get("NumberOfFrames") or 1)
    if len(groups) != count:
        raise InputError(f"it is damaged: it tells positions of {len(groups)} frames and has {count}")
    corners = [_numbers(_of(group, "PlanePositionSequence"), "ImagePositionPatient", 3) for group in groups]
    directions = np.array(
        [_numbers(_of(group, "PlaneOrientationSequence"), "ImageOrientationPatient", 6) for group in groups]
    )
    if np.abs(directions - directions[0]).max() > _SAME_DIRECTION:
        raise InputError("its frames have several orientations; resample it to the image first")
    row, column = (part / np.linalg.norm(part) for part in directions[0].reshape(2, 3))
    down, across = _numbers(_of(groups[0], "PixelMeasuresSequence"), "PixelSpacing", 2)
    if not (down > 0 and across > 0):
        raise InputError("its frames do not tell the size of their pixels")
    is_labels = str(dataset.get("SegmentationType") or "").upper() == "LABELMAP"
    segments = (0,) * count if is_labels else tuple(_segment(group) for group in groups)
    axes = np.stack([row, column, np.cross(row, column)], axis=1)
    return _Frames(np.array(corners), axes, (float(down), float(across)), segments)


def _segment(groups: tuple[Dataset, Dataset | None]) -> int:
    number = int(_of(groups, "SegmentIdentificationSequence").ReferencedSegmentNumber)
    if number < 1:
        raise InputError("it is damaged: a frame belongs to no segment")
    return number


def _of(groups: tuple[Dataset, Dataset | None], keyword: str) -> Any:
    """Item of a functional group: the frame's own, else the one that all share."""
    for group in groups:
        found = None if group is None else group.get(keyword)
        if found:
            return found[0]
    raise InputError(f"its frames do not tell their place ({keyword} is absent); they cannot be put on the image")


def _numbers(item: Dataset, keyword: str, count: int) -> np.ndarray:
    values = np.array([float(part) for part in item.get(keyword) or ()])
    if len(values) != count or not np.isfinite(values).all():
        raise InputError(f"its frames do not tell their place ({keyword} is absent or damaged)")
    return values


def _gap(dataset: Dataset, along: np.ndarray, frames: _Frames, grid: Geometry | None) -> float:
    """Distance between slices in mm: the image's where the frames lie on its slices, else told, else the smallest."""
    distances = np.diff(np.unique(np.round(along, 3)))
    distances = distances[distances > _SAME_PLACE]
    if grid is not None:
        axes = np.reshape(grid.direction, (3, 3))
        step = grid.spacing[int(np.abs(axes.T @ frames.axes[:, 2]).argmax())]
        if _are_multiples(along, step):
            return step
    shared: Any = (dataset.get("SharedFunctionalGroupsSequence") or [None])[0]
    measures: Any = None if shared is None else (shared.get("PixelMeasuresSequence") or [None])[0]
    for keyword in ("SpacingBetweenSlices", "SliceThickness") if measures is not None else ():
        told = abs(float(measures.get(keyword) or 0))
        if told > _SAME_PLACE and _are_multiples(along, told) and (not distances.size or told <= distances.min() * 1.1):
            return told
    return float(distances.min()) if distances.size else 1.0


def _are_multiples(along: np.ndarray, step: float) -> bool:
    steps = (along - along.min()) / step
    return bool(np.abs(steps - np.rint(steps)).max() <= _UNEVEN)


def _refuse_sideways(frames: _Frames, along: np.ndarray) -> None:
    beside = frames.corners - frames.corners[0] - np.outer(along - along[0], frames.axes[:, 2])
    if np.linalg.norm(beside, axis=1).max() > 0.5 * min(frames.spacing):
        raise InputError("its frames are shifted against each other; resample it to the image first")


def _pixels(dataset: Dataset) -> Iterator[np.ndarray]:
    """Each frame (rows, columns); of probabilities those that are none or all, else InputError."""
    from pydicom.pixels.utils import iter_pixels

    is_fraction = str(dataset.get("SegmentationType") or "").upper() == "FRACTIONAL"
    most = int(dataset.get("MaximumFractionalValue") or 1) if is_fraction else 0
    for frame in _bits(dataset) if int(dataset.BitsAllocated) == 1 else iter_pixels(dataset):
        if is_fraction and not np.isin(frame, (0, most)).all():
            raise InputError("it holds probabilities, not segments; threshold it first")
        yield frame


def _bits(dataset: Dataset) -> Iterator[np.ndarray]:
    """Frames of one bit a pixel, one at a time: pydicom unpacks all at once, or trips over those that end in a byte."""
    syntax = dataset.file_meta.get("TransferSyntaxUID")
    if syntax is not None and syntax.is_encapsulated:
        raise InputError("its single bits are compressed, which is not supported; save it uncompressed")
    shape = int(dataset.Rows), int(dataset.Columns)
    size, octets = shape[0] * shape[1], np.frombuffer(dataset.PixelData, np.uint8)
    count = int(dataset.get("NumberOfFrames") or 1)
    if len(octets) * 8 < count * size:
        raise InputError("the DICOM file cannot be read: it is truncated or damaged")
    for start in range(0, count * size, size):
        part = np.unpackbits(octets[start // 8 : (start + size + 7) // 8], bitorder="little")
        yield part[start % 8 : start % 8 + size].reshape(shape)
