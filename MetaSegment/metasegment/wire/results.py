"""What the learner answers, as a message: of a map only the box travels that can hold anything.

The box is the map's region: no structure is found, and none is drawn, outside of it.
"""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass

import numpy as np

from ..io.arrays import decode, encode
from ..io.records import from_json, require, to_json
from ..regrid import bounding_box
from ..segmentation import Map, NextSlice, Region, Segmentation, StructureResult

# Names in a message.
_TEXT, _LABELS, _UNCERTAINTY, _COVERED = "result", "labels", "uncertainty", "covered"


@dataclass(frozen=True)
class _Crop:
    """The box of voxels, start and stop along k, j, i, that an array fills."""

    box: tuple[tuple[int, int], tuple[int, int], tuple[int, int]]

    def region(self, shape: tuple[int, ...]) -> Region:
        """The box in an array of `shape`; raises FormatError where it is not inside."""
        inside = all(0 <= start <= stop <= n for (start, stop), n in zip(self.box, shape, strict=True))
        require(inside, "the result's box is not inside the volume")
        k, j, i = (slice(start, stop) for start, stop in self.box)
        return k, j, i


@dataclass(frozen=True)
class _NextSlice:
    """NextSlice; its `gap_mm` is NaN where no such slice is annotated yet, which JSON can only say as null."""

    axis: int
    index: int
    plane: str
    gap_mm: float | None
    why: str


@dataclass(frozen=True)
class _Suggestion:
    next_slice: _NextSlice | None


@dataclass(frozen=True)
class _Summary:
    """All of a Segmentation but its arrays; `seconds` keeps the order of the stages, `covered` has labels with
    their numbers of covered voxels.
    """

    crop: _Crop
    structures: tuple[StructureResult, ...]
    next_slice: _NextSlice | None
    seconds: tuple[tuple[str, float], ...]
    device: str
    peak_memory_mb: float | None
    notes: tuple[str, ...]
    familiarity: float | None = None
    covered: tuple[tuple[int, int], ...] = ()


def encode_result(result: Segmentation) -> list[bytes | memoryview]:
    """The whole answer, in pieces."""
    summary = _Summary(
        _crop_of(result.map.region),
        result.structures,
        _without_nan(result.next_slice),
        tuple(result.seconds.items()),
        result.device,
        result.peak_memory_mb,
        result.notes,
        result.familiarity,
        tuple((label, len(voxels)) for label, voxels in result.map.covered.items()),
    )
    arrays = {_LABELS: result.labels[result.map.region], _UNCERTAINTY: result.map.uncertainty}
    if result.map.covered:
        arrays[_COVERED] = np.concatenate(list(result.map.covered.values()))
    return encode(arrays, {_TEXT: to_json(summary)})


def decode_result(message: bytes | bytearray | memoryview, shape: tuple[int, int, int]) -> Segmentation:
    """The answer for a volume of `shape` (k, j, i); raises FormatError for whatever is none."""
    arrays, text = _opened(message)
    summary = from_json(_Summary, text)
    region = summary.crop.region(shape)
    uncertainty = _array(arrays, _UNCERTAINTY, np.float16, region)
    labels = _pasted(_array(arrays, _LABELS, np.uint8, region), region, shape)
    return Segmentation(
        Map(labels, uncertainty, region, _covered(arrays, summary.covered, shape)),
        summary.structures,
        _with_nan(summary.next_slice),
        dict(summary.seconds),
        summary.device,
        summary.peak_memory_mb,
        summary.notes,
        summary.familiarity,
    )


def encode_preview(labels: np.ndarray) -> list[bytes | memoryview]:
    """The first answer, labels uint8 (k, j, i), in pieces; looks at every voxel once to find where they end."""
    k, j, i = bounding_box(labels)
    region = k, j, i
    return encode({_LABELS: labels[region]}, {_TEXT: to_json(_crop_of(region))})


def decode_preview(message: bytes | bytearray | memoryview, shape: tuple[int, int, int]) -> np.ndarray:
    """The first answer for a volume of `shape`: labels uint8 (k, j, i). Raises FormatError for whatever is none."""
    arrays, text = _opened(message)
    region = from_json(_Crop, text).region(shape)
    return _pasted(_array(arrays, _LABELS, np.uint8, region), region, shape)


def encode_suggestion(suggestion: NextSlice | None) -> list[bytes | memoryview]:
    """The next slice worth annotating, in pieces."""
    return encode({}, {_TEXT: to_json(_Suggestion(_without_nan(suggestion)))})


def decode_suggestion(message: bytes | bytearray | memoryview) -> NextSlice | None:
    """The next slice worth annotating; raises FormatError for whatever is none."""
    _, text = _opened(message)
    return _with_nan(from_json(_Suggestion, text).next_slice)


def _opened(message: bytes | bytearray | memoryview) -> tuple[dict[str, np.ndarray], str]:
    arrays, texts = decode(message)
    require(_TEXT in texts, f"a result must have the text {_TEXT}")
    return arrays, texts[_TEXT]


def _array(arrays: dict[str, np.ndarray], name: str, dtype: type[np.generic], region: Region) -> np.ndarray:
    size = tuple(part.stop - part.start for part in region)
    fits = name in arrays and arrays[name].dtype == dtype and arrays[name].shape == size
    require(fits, f"a result must have the array {name}, as large as its box")
    return arrays[name]


def _covered(
    arrays: dict[str, np.ndarray], counts: tuple[tuple[int, int], ...], shape: tuple[int, int, int]
) -> dict[int, np.ndarray]:
    flat = arrays.get(_COVERED, np.empty(0, np.int64))
    fits = flat.dtype == np.int64 and flat.ndim == 1 and flat.size == sum(count for _, count in counts)
    require(fits and all(count > 0 for _, count in counts), "a result's covered voxels must be as many as it says")
    require(((flat >= 0) & (flat < math.prod(shape))).all(), "a result's covered voxels must be inside the volume")
    ends = np.cumsum([count for _, count in counts])[:-1]
    return {label: part for (label, _), part in zip(counts, np.split(flat, ends), strict=True)} if counts else {}


def _pasted(crop: np.ndarray, region: Region, shape: tuple[int, int, int]) -> np.ndarray:
    labels = np.zeros(shape, np.uint8)
    labels[region] = crop
    return labels


def _crop_of(region: Region) -> _Crop:
    k, j, i = ((part.start, part.stop) for part in region)
    return _Crop((k, j, i))


def _without_nan(suggestion: NextSlice | None) -> _NextSlice | None:
    if suggestion is None:
        return None
    known = None if math.isnan(suggestion.gap_mm) else suggestion.gap_mm
    return _NextSlice(**{**asdict(suggestion), "gap_mm": known})


def _with_nan(suggestion: _NextSlice | None) -> NextSlice | None:
    if suggestion is None:
        return None
    known = math.nan if suggestion.gap_mm is None else suggestion.gap_mm
    return NextSlice(**{**asdict(suggestion), "gap_mm": known})
