"""Arrays on the wire: what is sent arrives, safetensors itself agrees, and whatever else comes is refused in words."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import pytest
import safetensors.numpy
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as npst

from metasegment.io.arrays import DTYPES, decode, encode
from metasegment.wire import FormatError

_FEW = settings(max_examples=30, deadline=None)
_ARRAYS = npst.arrays(st.sampled_from(list(DTYPES.values())), npst.array_shapes(min_dims=0, min_side=0, max_side=5))
_MESSAGES = st.dictionaries(st.text("abcxyz.0 ä", min_size=1), _ARRAYS, max_size=4)
_TEXTS = st.dictionaries(st.text(max_size=5), st.text(max_size=20), max_size=3)


def _same(left: Mapping[str, np.ndarray], right: Mapping[str, np.ndarray]) -> bool:
    return left.keys() == right.keys() and all(
        left[name].dtype == right[name].dtype
        and left[name].shape == right[name].shape
        # As bytes, so that NaN equals NaN.
        and left[name].tobytes() == right[name].tobytes()
        for name in left
    )


def _message(header: object, body: bytes = b"") -> bytes:
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    return len(text).to_bytes(8, "little") + text + body


def _described(dtype: str = "U8", shape: object = (4,), offsets: object = (0, 4)) -> dict[str, Any]:
    return {"dtype": dtype, "shape": shape, "data_offsets": offsets}


@given(_MESSAGES, _TEXTS)
@_FEW
def test_arrays_and_texts_arrive_as_they_were_sent(arrays: dict[str, np.ndarray], texts: dict[str, str]) -> None:
    received, read = decode(b"".join(encode(arrays, texts)))
    assert _same(received, arrays)
    assert read == texts
    assert all(array.flags.aligned for array in received.values())


@given(_MESSAGES)
@_FEW
def test_safetensors_reads_what_we_write(arrays: dict[str, np.ndarray]) -> None:
    assert _same(safetensors.numpy.load(b"".join(encode(arrays, {"for": "all"}))), arrays)


@given(_MESSAGES, _TEXTS)
@_FEW
def test_we_read_what_safetensors_writes(arrays: dict[str, np.ndarray], texts: dict[str, str]) -> None:
    received, read = decode(safetensors.numpy.save(arrays, texts or None))
    assert _same(received, arrays)
    assert read == texts


@pytest.mark.parametrize(
    "array",
    [
        np.arange(24, dtype=">i2").reshape(2, 3, 4),
        np.asfortranarray(np.arange(24.0).reshape(4, 6)),
        np.arange(24, dtype=np.int32)[::-3],
    ],
    ids=["big-endian", "Fortran order", "strided"],
)
def test_an_array_in_another_layout_arrives_with_the_same_values(array: np.ndarray) -> None:
    received, _ = decode(b"".join(encode({"a": array}, {})))
    assert np.array_equal(received["a"], array)
    assert received["a"].dtype.isnative and received["a"].flags.c_contiguous


@pytest.mark.parametrize("array", [np.zeros(3, complex), np.array(["a"]), np.array([None]), np.zeros(2, "M8[s]")])
def test_an_array_that_is_not_of_numbers_is_not_sent(array: np.ndarray) -> None:
    with pytest.raises(FormatError, match="cannot be sent"):
        encode({"a": array}, {})


def test_arrays_are_lent_not_copied_on_both_sides() -> None:
    array = np.arange(1000, dtype=np.int16)
    pieces = encode({"a": array}, {})
    assert np.shares_memory(np.frombuffer(pieces[1], np.int16), array)
    message = b"".join(pieces)
    received, _ = decode(message)
    assert np.shares_memory(received["a"], np.frombuffer(message, np.uint8))


_LIES = {
    "nothing": (b"", "too short"),
    "half a length": (b"\x01\0\0", "too short"),
    "a header beyond the end": (b"\x10" + bytes(7) + b"{}", "ends within its header"),
    "a header of exabytes": (b"\xff" * 8 + b"{}", "longer than"),
    "no JSON": (_message(b"{'a': 1}"), "not JSON"),
    "no UTF-8": (_message(b'{"\xff": 1}'), "not JSON in UTF-8"),
    "a list": (_message([]), "must be an object"),
    "one key twice": (_message(b'{"__metadata__": {"a": "b", "a": "c"}}'), "appears twice"),
    "one array twice": (_message(b'{"a": 0, "a": 1}'), "appears twice"),
    "NaN": (_message(b'{"a": NaN}'), "NaN is not JSON"),
    "nesting without end": (_message(b'{"a":' * 100_000 + b"}" * 100_000), "not JSON"),
    "a number of 5,000 digits": (_message(b'{"a":' + b"9" * 5000 + b"}"), "not JSON"),
    "metadata that are no texts": (_message({"__metadata__": {"a": 1}}), "must be text"),
    "a broken character": (_message(b'{"__metadata__": {"a": "\\ud800"}}'), "half a character"),
    "no description": (_message({"a": 3}), "must be an object"),
    "no dtype": (_message({"a": {"shape": [], "data_offsets": [0, 0]}}), "dtype is missing"),
    "an unknown dtype": (_message({"a": _described("BF16")}, b"1234"), "dtype must be one of"),
    "Python's objects": (_message({"a": _described("O")}, b"1234"), "dtype must be one of"),
    "a negative shape": (_message({"a": _described(shape=(-2, -2))}, b"1234"), "negative"),
    "a fraction in a shape": (_message({"a": _described(shape=(4.0,))}, b"1234"), "must be a whole number"),
    "true in a shape": (_message({"a": _described(shape=(True, 4))}, b"1234"), "must be a whole number"),
    "a shape of exabytes": (_message({"a": _described(shape=(2**40, 2**40))}, b"1234"), "too large"),
    "a shape of exabytes and nothing": (_message({"a": _described(shape=(2**62, 2, 0), offsets=(0, 0))}), "too large"),
    "a shape that wraps around": (_message({"a": _described(shape=(2**63, 2, 4))}, b"1234"), "too large"),
    "a shape larger than its bytes": (_message({"a": _described(shape=(5,))}, b"1234"), "does not fit"),
    "a shape smaller than its bytes": (_message({"a": _described(shape=(3,))}, b"1234"), "does not fit"),
    "a hundred axes": (_message({"a": _described(shape=[1] * 100)}, b"1234"), "axes"),
    "offsets backwards": (_message({"a": _described(offsets=(4, 0))}, b"1234"), "does not start"),
    "offsets below zero": (_message({"a": _described(offsets=(-4, 0))}, b"1234"), "does not start"),
    "three offsets": (_message({"a": _described(offsets=(0, 4, 4))}, b"1234"), "must have 2 entries"),
    "offsets beyond the end": (_message({"a": _described(shape=(8,), offsets=(0, 8))}, b"1234"), "fill the message"),
    "overlapping arrays": (_message({"a": _described(), "b": _described()}, b"1234"), "does not start"),
    "a gap": (_message({"a": _described(offsets=(2, 6))}, b"123456"), "does not start"),
    "bytes that nobody owns": (_message({"a": _described()}, b"12345"), "fill the message"),
    "a truncated body": (_message({"a": _described()}, b"123"), "fill the message"),
    "booleans that are neither": (_message({"a": _described("BOOL")}, b"\0\1\2\0"), "booleans"),
}


@pytest.mark.parametrize(("message", "reason"), _LIES.values(), ids=_LIES.keys())
def test_a_message_that_lies_is_refused_in_one_sentence(message: bytes, reason: str) -> None:
    with pytest.raises(FormatError, match=reason) as caught:
        decode(message)
    assert "\n" not in str(caught.value)


def _is_refused_or_read(read: Callable[[bytes], object], message: bytes) -> None:
    try:
        read(message)
    except FormatError as error:
        assert "\n" not in str(error)


@given(st.binary(max_size=200))
@_FEW
def test_any_bytes_are_read_or_refused(message: bytes) -> None:
    _is_refused_or_read(decode, message)


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5) | st.sampled_from(list(DTYPES)),
        lambda inner: (
            st.lists(inner, max_size=4)
            | st.dictionaries(
                st.sampled_from(["a", "dtype", "shape", "data_offsets", "__metadata__"]), inner, max_size=4
            )
        ),
    ),
    st.binary(max_size=16),
)
@_FEW
def test_any_header_is_read_or_refused(header: object, body: bytes) -> None:
    _is_refused_or_read(decode, _message(header, body))


@given(st.data())
@_FEW
def test_a_message_with_changed_bytes_is_read_or_refused(data: st.DataObject) -> None:
    arrays = {"a": np.arange(6, dtype=np.int16).reshape(2, 3), "b": np.array([True, False]), "c": np.zeros((0, 4))}
    message = bytearray(b"".join(encode(arrays, {"text": "value"})))
    for _ in range(data.draw(st.integers(1, 4))):
        message[data.draw(st.integers(0, len(message) - 1))] = data.draw(st.integers(0, 255))
    _is_refused_or_read(decode, bytes(message[: data.draw(st.integers(0, len(message)))]))
    _is_refused_or_read(decode, bytes(message))
