"""Volumes as they come in: chunk by chunk, in any order, each verified by its own SHA-256, in one buffer."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import AsyncIterator, Iterator
from concurrent.futures import Executor
from contextlib import contextmanager

import numpy as np

from ..volume import Volume
from ..wire import messages
from ..wire.messages import Manifest
from ..wire.volumes import CHUNK_BYTES, chunk_span, volume_from
from .refusal import Refusal

#: As many as a client sends at a time.
_BUFFERS = 4


class Buffers:
    """Memory in which chunks are gathered, a few buffers used over and over: fresh memory is slow, most so in virtual
    machines. For one thread.
    """

    def __init__(self) -> None:
        self._free: list[np.ndarray] = []

    @contextmanager
    def one_of(self, size: int) -> Iterator[np.ndarray]:
        """Returns a buffer of at least `size` bytes, for a while."""
        fits = self._free and size <= CHUNK_BYTES
        buffer = self._free.pop() if fits else np.empty(max(size, CHUNK_BYTES), np.uint8)
        try:
            yield buffer
        finally:
            if buffer.size == CHUNK_BYTES and len(self._free) < _BUFFERS:
                self._free.append(buffer)


class HeldVolume:
    """A volume of `size` bytes that is complete once nothing is missing; memory is only taken as it fills."""

    def __init__(self, manifest: Manifest, size: int) -> None:
        self.manifest = manifest
        self.size = size
        self.missing = set(range(len(manifest.chunks)))
        self._octets = np.empty(size, np.uint8)

    def volume(self) -> Volume:
        """Returns the volume, on the buffer itself; refused until it is complete."""
        if self.missing:
            raise Refusal(messages.INCOMPLETE_VOLUME, f"{len(self.missing)} chunks of the volume are still missing")
        return volume_from(self.manifest, self._octets.data)

    def chunk_bytes(self, number: int) -> int:
        """Returns the length of a chunk; raises FormatError for one that the volume lacks."""
        span = chunk_span(self.manifest, number)
        return span.stop - span.start

    async def receive(self, number: int, body: AsyncIterator[bytes], buffers: Buffers, threads: Executor) -> None:
        """Takes in a chunk; refuses one that is not what the manifest says, of which nothing is kept.

        Two senders of the same chunk do no harm: both bring the same bytes.
        """
        with buffers.one_of(self.manifest.chunk_bytes) as buffer:
            size = 0
            async for piece in body:
                buffer[size : size + len(piece)] = np.frombuffer(piece, np.uint8)
                size += len(piece)
            await asyncio.get_running_loop().run_in_executor(threads, self._place, number, buffer[:size])
        self.missing.discard(number)

    def _place(self, number: int, chunk: np.ndarray) -> None:
        """Hashing and numpy's copying let other threads run."""
        if hashlib.sha256(chunk.data).hexdigest() != self.manifest.chunks[number]:
            raise Refusal(messages.WRONG_HASH, f"chunk {number} has another SHA-256 than its manifest says")
        self._octets[chunk_span(self.manifest, number)] = chunk
