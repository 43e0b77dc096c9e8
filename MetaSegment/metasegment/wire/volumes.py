"""A volume as a manifest and chunks of bytes, each known by its SHA-256: sent once, resumed where it broke off.

Holds no volume and knows no network: which chunks are there is the service's business.
"""

from __future__ import annotations

import hashlib
import math
from concurrent.futures import ThreadPoolExecutor

import numpy as np

from ..io.arrays import DTYPES, canonical, dtype_name, raw
from ..io.records import FormatError, require, to_json
from ..volume import Geometry, Volume, is_sheared
from .messages import Manifest

#: What voxels may be, by the name on the wire: numbers.
VOXELS = [name for name in DTYPES if name != "BOOL"]
#: Bytes of a chunk: a lost connection costs a second even at 60 Mbit/s, and a hash starts while others are computed.
CHUNK_BYTES = 8 << 20
_SMALLEST_CHUNK, _LARGEST_CHUNK = 4 << 10, 64 << 20  # bytes
#: SHA-256 runs at about 1 GB/s a core; for the blink of an eye, all of a small computer's.
_HASHING_THREADS = 4
_SMALLEST_SIZE, _LARGEST_SIZE = 2, 1 << 16  # voxels along an axis: one is no volume, and no scanner has so many
_LARGEST_COSINE = 1.001  # of decimals that are not quite unit vectors
#: Millimetres. No scanner is a kilometre large; far beyond it, geometry overflows.
_LARGEST_LENGTH = 1e6
_SMALLEST_SPACING = 1e-6


def manifest_of(volume: Volume, chunk_bytes: int = CHUNK_BYTES) -> Manifest:
    """Describes a volume by the hashes of its chunks; takes a second per 2 GB. Raises FormatError for voxels of no type
    of the wire.
    """
    chunks = _chunks(volume, chunk_bytes)
    with ThreadPoolExecutor(_HASHING_THREADS) as pool:  # hashlib lets other threads run
        hashes = tuple(pool.map(_sha256, chunks))
    return Manifest(dtype_name(volume.array), _plain(volume.geometry), chunk_bytes, hashes)


def address(manifest: Manifest) -> str:
    """Returns the volume's address: the SHA-256 of its manifest, and with it of every voxel and of where it lies."""
    return _sha256(to_json(manifest).encode())


def chunks_of(volume: Volume, manifest: Manifest) -> list[memoryview]:
    """Returns the bytes of the volume's chunks, to be sent; views of the array where it is in C order and
    little-endian.
    """
    return _chunks(volume, manifest.chunk_bytes)


def check_manifest(manifest: Manifest, most_bytes: int) -> int:
    """Checks that what a manifest says fits together, before anything is allocated; returns the bytes of the voxels.

    Raises FormatError for what is no grid of at least 2 x 2 x 2 voxels, for another number of chunks than its size asks
    for, and for more than `most_bytes`.
    """
    require(manifest.dtype in VOXELS, f"a volume's dtype must be one of {', '.join(VOXELS)}")
    check_geometry(manifest.geometry)
    total = _bytes_of(manifest)
    require(total <= most_bytes, f"the volume has {total:,} bytes, and {most_bytes:,} are allowed")
    small, large = _SMALLEST_CHUNK, _LARGEST_CHUNK
    require(small <= manifest.chunk_bytes <= large, f"chunk_bytes must be {small:,} to {large:,}")
    needed = -(-total // manifest.chunk_bytes)
    require(len(manifest.chunks) == needed, f"the volume must have {needed} chunks by its size, not another number")
    return total


def check_geometry(geometry: Geometry) -> None:
    """Raises FormatError unless this is a grid that an image can have: thick, finite and at right angles."""
    inside = all(_SMALLEST_SIZE <= n <= _LARGEST_SIZE for n in geometry.size)
    require(inside, f"the volume must have {_SMALLEST_SIZE} to {_LARGEST_SIZE:,} voxels along every axis")
    smallest, largest = _SMALLEST_SPACING, _LARGEST_LENGTH
    inside = all(smallest <= step <= largest for step in geometry.spacing)
    require(inside, f"the volume's spacing must be {smallest:g} to {largest:g} mm")
    require(max(map(abs, geometry.origin)) <= largest, f"the volume's origin must be within {largest:g} mm")
    require(len(geometry.direction) == 9, "the volume's direction must have 9 cosines")
    require(max(map(abs, geometry.direction)) <= _LARGEST_COSINE, "the volume's direction must have cosines")
    right = not is_sheared(np.reshape(geometry.direction, (3, 3)))
    require(right, "the volume's axes must be at right angles")


def chunk_span(manifest: Manifest, number: int) -> slice:
    """Tells where in the volume's bytes a chunk of a checked manifest lies; raises FormatError for a chunk that it
    lacks.
    """
    require(0 <= number < len(manifest.chunks), f"the volume has chunks 0 to {len(manifest.chunks) - 1}, and no other")
    start = number * manifest.chunk_bytes
    return slice(start, min(start + manifest.chunk_bytes, _bytes_of(manifest)))


def check_chunk(manifest: Manifest, number: int, octets: bytes | bytearray | memoryview) -> None:
    """Raises FormatError unless these are the bytes of that chunk."""
    span = chunk_span(manifest, number)
    length = span.stop - span.start
    require(len(octets) == length, f"chunk {number} must have {length:,} bytes, and {len(octets):,} came")
    require(_sha256(octets) == manifest.chunks[number], f"chunk {number} has another SHA-256 than its manifest says")


def volume_from(manifest: Manifest, octets: bytes | bytearray | memoryview) -> Volume:
    """Returns the volume whose chunks, put together, are these bytes; its array is a view of them."""
    if len(octets) != _bytes_of(manifest):
        raise FormatError("the volume's bytes are not complete")
    array = np.frombuffer(octets, DTYPES[manifest.dtype]).reshape(manifest.geometry.shape)
    return Volume(array, manifest.geometry)


def _chunks(volume: Volume, chunk_bytes: int) -> list[memoryview]:
    octets = raw(canonical(volume.array))
    return [octets[start : start + chunk_bytes] for start in range(0, len(octets), chunk_bytes)]


def _sha256(octets: bytes | bytearray | memoryview) -> str:
    return hashlib.sha256(octets).hexdigest()


def _bytes_of(manifest: Manifest) -> int:
    return math.prod(manifest.geometry.size) * DTYPES[manifest.dtype].itemsize


def _plain(geometry: Geometry) -> Geometry:
    """The same geometry in Python's own numbers: 1 and 1.0 are equal, but not their JSON, on which addresses rest."""
    i, j, k = map(int, geometry.size)
    x, y, z = map(float, geometry.spacing)
    a, b, c = map(float, geometry.origin)
    return Geometry((i, j, k), (x, y, z), (a, b, c), tuple(map(float, geometry.direction)))
