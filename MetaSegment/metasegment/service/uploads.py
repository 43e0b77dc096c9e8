"""Volumes as they come in: chunk by chunk, in any order, each verified by its own SHA-256, in one buffer."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import AsyncIterator
from concurrent.futures import Executor

import numpy as np

from ..volume import Volume
from ..wire import messages
from ..wire.messages import Manifest
from ..wire.volumes import chunk_span, volume_from
from .refusal import Refusal


class HeldVolume:
    """A volume of `size` bytes that is complete once nothing is missing; memory is only taken as it fills."""

    def __init__(self, manifest: Manifest, size: int) -> None:
        self.manifest = manifest
        self.size = size
        self.missing = set(range(len(manifest.chunks)))
        self._octets = np.empty(size, np.uint8)

    def volume(self) -> Volume:
        """The volume, on the buffer itself; refused until it is complete."""
        if self.missing:
            raise Refusal(messages.INCOMPLETE_VOLUME, f"{len(self.missing)} chunks of the volume are still missing")
        return volume_from(self.manifest, self._octets.data)

    def chunk_bytes(self, number: int) -> int:
        """The length of a chunk; raises WireError for one that the volume lacks."""
        span = chunk_span(self.manifest, number)
        return span.stop - span.start

    async def receive(self, number: int, body: AsyncIterator[bytes], hands: Executor) -> None:
        """Takes in a chunk; refuses one that is not what the manifest says, of which nothing is kept.

        Two senders of the same chunk do no harm: both bring the same bytes.
        """
        pieces = [piece async for piece in body]
        await asyncio.get_running_loop().run_in_executor(hands, self._place, number, pieces)
        self.missing.discard(number)

    def _place(self, number: int, pieces: list[bytes]) -> None:
        """Hashing and numpy's copying let other threads run; taking fresh memory is slow."""
        digest = hashlib.sha256()
        for piece in pieces:
            digest.update(piece)
        if digest.hexdigest() != self.manifest.chunks[number]:
            raise Refusal(messages.WRONG_HASH, f"chunk {number} has another SHA-256 than its manifest says")
        start = chunk_span(self.manifest, number).start
        for piece in pieces:
            self._octets[start : start + len(piece)] = np.frombuffer(piece, np.uint8)
            start += len(piece)
