"""Results on the wire: the whole answer arrives, though only its box travels."""

from __future__ import annotations

import json
import math
from dataclasses import fields, replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from metasegment.io.arrays import decode, encode
from metasegment.segmentation import Map, NextSlice, Region, Segmentation, StructureResult
from metasegment.wire import FormatError
from metasegment.wire.results import (
    decode_preview,
    decode_result,
    decode_suggestion,
    encode_preview,
    encode_result,
    encode_suggestion,
)

_NUMBERS = st.floats(0, 1e6)
_SUGGESTIONS = st.none() | st.builds(
    NextSlice, st.integers(0, 2), st.integers(0, 99), st.text(max_size=9), _NUMBERS, st.text(max_size=9)
)
_STRUCTURES = st.builds(
    StructureResult, st.integers(1, 254), st.text(max_size=9), st.integers(0), _NUMBERS, st.floats(0, 1), st.text()
)


@st.composite
def _regions(draw: st.DrawFn, shape: tuple[int, int, int]) -> Region:
    k, j, i = (slice(a, draw(st.integers(a, n))) for n in shape for a in [draw(st.integers(0, n))])
    return k, j, i


@st.composite
def _results(draw: st.DrawFn) -> Segmentation:
    shape = draw(st.tuples(*[st.integers(2, 6)] * 3))
    region = draw(_regions(shape))
    seed = np.random.default_rng(draw(st.integers(0, 2**32)))
    labels = np.zeros(shape, np.uint8)
    labels[region] = seed.integers(0, 3, labels[region].shape)
    return Segmentation(
        Map(labels, seed.random(labels[region].shape).astype(np.float16), region),
        tuple(draw(st.lists(_STRUCTURES, max_size=3))),
        draw(_SUGGESTIONS),
        draw(st.dictionaries(st.text(max_size=9), _NUMBERS, max_size=4)),
        draw(st.sampled_from(["cpu", "cuda:1"])),
        draw(st.none() | _NUMBERS),
        tuple(draw(st.lists(st.text(max_size=9), max_size=3))),
        draw(st.none() | st.floats(0, 1)),
    )


@pytest.fixture
def a_result() -> Segmentation:
    """One structure in a box of 2 x 3 x 4 voxels of 5 x 6 x 7; the whole process was on a CPU."""
    region = (slice(1, 3), slice(0, 3), slice(3, 7))
    labels = np.zeros((5, 6, 7), np.uint8)
    labels[1, 0:2, 4:6] = 2
    map_ = Map(labels, np.full((2, 3, 4), 0.5, np.float16), region)
    found = (StructureResult(2, "kidney", 4, 0.004, 0.9, "maml"),)
    return Segmentation(map_, found, None, {"first answer": 1.0, "adapting": 2.0}, "cpu", 512.5, ("a note",))


@given(_results())
@settings(max_examples=50, deadline=None)
def test_a_result_arrives_whole(result: Segmentation) -> None:
    received = decode_result(b"".join(encode_result(result)), result.labels.shape)
    assert np.array_equal(received.labels, result.labels)
    assert np.array_equal(received.map.uncertainty, result.map.uncertainty)
    assert received.map.uncertainty.dtype == np.float16 and received.labels.dtype == np.uint8
    assert received.map.region == result.map.region
    for field in fields(Segmentation):
        assert field.name == "map" or getattr(received, field.name) == getattr(result, field.name)
    assert list(received.seconds) == list(result.seconds)


@given(_SUGGESTIONS)
@settings(max_examples=20, deadline=None)
def test_a_suggestion_arrives(suggestion: NextSlice | None) -> None:
    assert decode_suggestion(b"".join(encode_suggestion(suggestion))) == suggestion


def test_a_suggestion_without_a_neighbour_keeps_its_missing_gap() -> None:
    received = decode_suggestion(b"".join(encode_suggestion(NextSlice(1, 2, "coronal", math.nan, "why"))))
    assert received is not None and math.isnan(received.gap_mm)


@given(st.data())
@settings(max_examples=40, deadline=None)
def test_a_preview_arrives_though_only_its_box_travels(data: st.DataObject) -> None:
    shape = data.draw(st.tuples(*[st.integers(1, 6)] * 3))
    labels = np.zeros(shape, np.uint8)
    labels[data.draw(_regions(shape))] = data.draw(st.integers(0, 254))
    message = b"".join(encode_preview(labels))
    assert np.array_equal(decode_preview(message, shape), labels)
    assert decode(message)[0]["labels"].size == np.count_nonzero(labels)


def _changed(result: Segmentation, text: dict[str, Any], **arrays: np.ndarray) -> bytes:
    own, texts = decode(b"".join(encode_result(result)))
    return b"".join(encode({**own, **arrays}, {"result": json.dumps({**json.loads(texts["result"]), **text})}))


@pytest.mark.parametrize(
    ("text", "arrays", "reason"),
    [
        ({"crop": {"box": [[1, 3], [0, 3], [4, 8]]}}, {}, "not inside the volume"),
        ({"crop": {"box": [[3, 1], [0, 3], [3, 7]]}}, {}, "not inside the volume"),
        ({"crop": {"box": [[-2, 0], [0, 3], [3, 7]]}}, {}, "not inside the volume"),
        ({"crop": {"box": [[0, 3], [0, 3], [3, 7]]}}, {}, "as large as its box"),
        ({}, {"labels": np.zeros((2, 3, 4), np.int16)}, "array labels"),
        ({}, {"labels": np.zeros((2, 12), np.uint8)}, "array labels"),
        ({}, {"uncertainty": np.zeros((1, 1, 1), np.float16)}, "array uncertainty"),
        ({"structures": [{"label": 1}]}, {}, r"structures\[0\].name is missing"),
        ({"seconds": [["adapting"]]}, {}, "must have 2 entries"),
    ],
)
def test_a_result_that_does_not_fit_is_refused(
    a_result: Segmentation, text: dict[str, Any], arrays: dict[str, np.ndarray], reason: str
) -> None:
    with pytest.raises(FormatError, match=reason):
        decode_result(_changed(a_result, text, **arrays), (5, 6, 7))


def test_a_message_of_another_kind_is_no_result(a_result: Segmentation) -> None:
    with pytest.raises(FormatError, match="must have the text"):
        decode_result(b"".join(encode({}, {})), (5, 6, 7))
    with pytest.raises(FormatError, match="is missing"):
        decode_result(b"".join(encode_preview(a_result.labels)), (5, 6, 7))


@given(_results(), st.data())
@settings(max_examples=50, deadline=None)
def test_a_result_with_changed_bytes_is_read_or_refused(result: Segmentation, data: st.DataObject) -> None:
    message = bytearray(b"".join(encode_result(result)))
    for _ in range(data.draw(st.integers(1, 4))):
        message[data.draw(st.integers(0, len(message) - 1))] = data.draw(st.integers(0, 255))
    try:
        decode_result(bytes(message), result.labels.shape)
    except FormatError as error:
        assert "\n" not in str(error)


def test_structures_that_share_voxels_arrive_whole() -> None:
    labels = np.zeros((3, 4, 5), np.uint8)
    labels[1, 1:3, 1:4], labels[1, 1, 1:3] = 1, 2
    region = slice(0, 3), slice(0, 4), slice(0, 5)
    covered = {1: np.flatnonzero(labels == 2), 2: np.array([59])}
    map_ = Map(labels, np.zeros(labels.shape, np.float16), region, covered)
    result = Segmentation(map_, (), None, {}, "cpu", None, ())
    message = b"".join(encode_result(result))
    found = decode_result(message, labels.shape).map.covered
    assert list(found) == [1, 2]
    for label, voxels in covered.items():
        np.testing.assert_array_equal(found[label], voxels)
    outside = replace(result, map=replace(map_, covered={1: np.array([60])}))
    with pytest.raises(FormatError, match="covered voxels must be inside the volume"):
        decode_result(b"".join(encode_result(outside)), labels.shape)
