"""Volumes on the wire: chunk by chunk they arrive exactly, and a manifest that does not add up costs no memory."""

from __future__ import annotations

from dataclasses import asdict, replace
from typing import Any

import numpy as np
import pytest
from helpers.grids import geometry_with
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as npst

from metasegment.volume import Geometry, Volume
from metasegment.wire import FormatError, from_json, to_json
from metasegment.wire.messages import Manifest
from metasegment.wire.volumes import (
    VOXELS,
    address,
    check_chunk,
    check_manifest,
    chunk_span,
    chunks_of,
    manifest_of,
    volume_from,
)

CHUNK = 4096  # bytes, the least that is allowed
PLENTY = 1 << 30  # bytes
_NUMBERS = ["i1", "u1", "<i2", ">i2", "<u2", "<i4", "<u4", "<i8", "<u8", "<f2", "<f4", ">f4", "<f8"]


def _sent(volume: Volume) -> Volume:
    """The volume as the other end gets it: the manifest as JSON, then each chunk into its place."""
    manifest = from_json(Manifest, to_json(manifest_of(volume, CHUNK)))
    octets = bytearray(check_manifest(manifest, PLENTY))
    for number, chunk in enumerate(chunks_of(volume, manifest)):
        check_chunk(manifest, number, chunk)
        octets[chunk_span(manifest, number)] = chunk
    return volume_from(manifest, octets)


@pytest.fixture
def a_volume() -> Volume:
    """13 x 11 x 9 voxels of int16: 2,574 bytes, one chunk."""
    geometry = geometry_with()
    return Volume(np.arange(13 * 11 * 9, dtype=np.int16).reshape(geometry.shape), geometry)


@pytest.fixture
def a_manifest(a_volume: Volume) -> Manifest:
    return manifest_of(a_volume, CHUNK)


@given(
    npst.arrays(st.sampled_from(_NUMBERS).map(np.dtype), npst.array_shapes(min_dims=3, max_dims=3, min_side=2)),
    st.tuples(*[st.floats(1e-3, 1e3)] * 3),
    st.tuples(*[st.floats(-1e5, 1e5)] * 3),
)
@settings(max_examples=40, deadline=None)
def test_a_volume_arrives_to_the_last_bit(array: np.ndarray, spacing: Any, origin: Any) -> None:
    k, j, i = array.shape
    geometry = Geometry((i, j, k), spacing, origin, (0.0, 1.0, 0.0, 0.6, 0.0, -0.8, -0.8, 0.0, -0.6))
    received = _sent(Volume(array, geometry))
    assert received.geometry == geometry
    assert received.array.dtype == array.dtype.newbyteorder("<")
    assert received.array.tobytes() == array.astype(array.dtype.newbyteorder("<")).tobytes()


def test_a_volume_of_several_chunks_arrives_on_every_kind_of_grid(awkward_geometry: Geometry) -> None:
    array = np.random.default_rng(1).normal(size=awkward_geometry.shape)  # 10,296 bytes: three chunks, the last short
    received = _sent(Volume(array, awkward_geometry))
    assert np.array_equal(received.array, array)
    assert received.geometry == awkward_geometry


def test_the_same_volume_has_the_same_address_however_it_lies_in_memory(a_volume: Volume) -> None:
    array, geometry = a_volume.array, a_volume.geometry
    as_integers = replace(geometry, origin=tuple(np.float64(x) for x in geometry.origin))
    others = [
        Volume(np.asfortranarray(array), as_integers),
        Volume(array.astype(">i2"), geometry),
        Volume(np.repeat(array, 2, axis=2)[:, :, ::2], geometry),
    ]
    assert {address(manifest_of(other)) for other in others} == {address(manifest_of(a_volume))}


def test_a_whole_number_and_its_float_in_a_geometry_give_one_address() -> None:
    array = np.zeros((2, 2, 2), np.int16)
    whole = Volume(array, Geometry((2, 2, 2), (1, 1, 1), (0, 0, 0), (1, 0, 0, 0, 1, 0, 0, 0, 1)))
    assert address(manifest_of(whole)) == address(from_json(Manifest, to_json(manifest_of(whole))))


def test_one_voxel_or_a_shift_gives_another_address(a_volume: Volume) -> None:
    changed = a_volume.array.copy()
    changed[0, 0, 0] += 1
    shifted = replace(a_volume.geometry, origin=(0.0, 0.0, 1e-9))
    volumes = [a_volume, Volume(changed, a_volume.geometry), Volume(a_volume.array, shifted)]
    assert len({address(manifest_of(volume)) for volume in volumes}) == 3


def test_chunks_are_lent_not_copied(a_volume: Volume) -> None:
    chunk = chunks_of(a_volume, manifest_of(a_volume))[0]
    assert np.shares_memory(np.frombuffer(chunk, np.int16), a_volume.array)


def test_a_volume_of_booleans_or_objects_is_refused(a_volume: Volume) -> None:
    with pytest.raises(FormatError, match="cannot be sent"):
        manifest_of(replace(a_volume, array=a_volume.array.astype(object)))
    with pytest.raises(FormatError, match="dtype must be one of"):
        check_manifest(manifest_of(replace(a_volume, array=a_volume.array > 0)), PLENTY)


_SHEARED = (1.0, 0.1, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 1.0)


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"dtype": "BOOL"}, "dtype must be one of"),
        ({"dtype": "__import__"}, "dtype must be one of"),
        ({"dtype": "F64"}, "must have 3 chunks"),
        ({"chunk_bytes": 0}, "chunk_bytes must be"),
        ({"chunk_bytes": -4096}, "chunk_bytes must be"),
        ({"chunk_bytes": 2**40}, "chunk_bytes must be"),
        ({"chunks": ()}, "must have 1 chunks"),
        ({"chunks": ("0" * 64,) * 3}, "must have 1 chunks"),
        ({"size": (13, 11, 1)}, "2 to 65,536 voxels"),
        ({"size": (13, -11, -9)}, "2 to 65,536 voxels"),
        ({"size": (2**62, 4, 4)}, "2 to 65,536 voxels"),
        ({"size": (10**4000, 4, 4)}, "2 to 65,536 voxels"),
        ({"size": (65536, 65536, 65536)}, "are allowed"),
        ({"spacing": (1.0, 1.0, 0.0)}, "spacing must be"),
        ({"spacing": (1.0, 1.0, -1.0)}, "spacing must be"),
        ({"spacing": (1.0, 1.0, 1e300)}, "spacing must be"),
        ({"origin": (1e300, 0.0, 0.0)}, "origin must be"),
        ({"direction": ()}, "9 cosines"),
        ({"direction": (0.0,) * 9}, "right angles"),
        ({"direction": _SHEARED}, "right angles"),
        ({"direction": (1e300,) * 9}, "cosines"),
    ],
)
def test_a_manifest_that_does_not_add_up_is_refused(a_manifest: Manifest, change: dict[str, Any], reason: str) -> None:
    geometry = replace(a_manifest.geometry, **{k: v for k, v in change.items() if k in asdict(a_manifest.geometry)})
    own = {k: v for k, v in change.items() if k in ("dtype", "chunk_bytes", "chunks")}
    with pytest.raises(FormatError, match=reason):
        check_manifest(replace(a_manifest, geometry=geometry, **own), PLENTY)


def test_a_volume_may_be_as_large_as_allowed_and_no_larger(a_manifest: Manifest) -> None:
    assert check_manifest(a_manifest, 2574) == 2574
    with pytest.raises(FormatError, match=r"2,574 bytes, and 2,573 are allowed"):
        check_manifest(a_manifest, 2573)


def test_a_chunk_that_is_not_the_one_promised_is_refused(a_volume: Volume, a_manifest: Manifest) -> None:
    chunk = bytearray(chunks_of(a_volume, a_manifest)[0])
    for number in (-1, 1, 10**30):
        with pytest.raises(FormatError, match="chunks 0 to 0"):
            check_chunk(a_manifest, number, chunk)
    for length in (0, 2573, 2575):
        with pytest.raises(FormatError, match="must have 2,574 bytes"):
            check_chunk(a_manifest, 0, bytes(length))
    chunk[100] ^= 1
    with pytest.raises(FormatError, match="another SHA-256"):
        check_chunk(a_manifest, 0, chunk)


def test_an_incomplete_volume_is_not_opened(a_manifest: Manifest) -> None:
    with pytest.raises(FormatError, match="not complete"):
        volume_from(a_manifest, bytes(2572))


@given(st.data())
@settings(max_examples=60, deadline=None)
def test_any_manifest_is_checked_or_refused(data: st.DataObject) -> None:
    number = st.floats(allow_nan=False, allow_infinity=False)
    grid = Geometry(
        data.draw(st.tuples(*[st.integers()] * 3)),
        data.draw(st.tuples(*[number] * 3)),
        data.draw(st.tuples(*[number] * 3)),
        tuple(data.draw(st.lists(number, max_size=10))),
    )
    manifest = Manifest(data.draw(st.sampled_from(VOXELS)), grid, data.draw(st.integers()), ("a" * 64,))
    try:
        assert check_manifest(manifest, PLENTY) <= PLENTY
    except FormatError as error:
        assert "\n" not in str(error)
