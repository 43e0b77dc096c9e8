"""Bodies of requests, bounded while they are read, inflated where they are compressed. Keeps no more than asked for."""

from __future__ import annotations

import zlib
from collections.abc import AsyncIterator, Iterator

from starlette.requests import Request

from .refusal import invalid, too_large

#: Bytes that inflating may yield at a time, so that nothing grows unseen.
_PORTION = 256 * 1024
#: zlib's word for "gzip header and checksum, largest window".
GZIP = 16 + zlib.MAX_WBITS


async def pieces(request: Request, most: int) -> AsyncIterator[bytes]:
    """Returns the body as it comes in, inflated; refused as soon as it is, or says it is, longer than `most` bytes."""
    encoding = request.headers.get("content-encoding", "identity").lower()
    if encoding not in ("identity", "gzip"):
        raise invalid("the body's Content-Encoding must be gzip or absent")
    if length(request, most) > most:
        raise _too_long(most)
    inflater = _Inflater() if encoding == "gzip" else None
    left = most
    async for raw in request.stream():
        for piece in inflater.inflated(raw) if inflater else (raw,):
            left -= len(piece)
            if left < 0:
                raise _too_long(most)
            yield piece
    if inflater:
        inflater.require_end()


def length(request: Request, most: int) -> int:
    """Returns bytes that the body will have; `most` where its head does not tell."""
    declared = request.headers.get("content-length", "")
    return int(declared) if declared.isdecimal() and "content-encoding" not in request.headers else most


async def whole(request: Request, most: int) -> bytearray:
    """Returns the body at once; it grows in place, as pieces to be joined would take twice its memory."""
    body = bytearray()
    async for piece in pieces(request, most):
        body += piece
    return body


class _Inflater:
    """Undoes gzip in small portions: a few bytes can stand for gigabytes."""

    def __init__(self) -> None:
        self._zlib = zlib.decompressobj(GZIP)

    def inflated(self, raw: bytes) -> Iterator[bytes]:
        while raw:
            try:
                piece = self._zlib.decompress(raw, _PORTION)
            except zlib.error:
                raise invalid("the body is not valid gzip") from None
            if self._zlib.unused_data:
                raise invalid("the body goes on after the end of its gzip data")
            raw = self._zlib.unconsumed_tail
            yield piece

    def require_end(self) -> None:
        if not self._zlib.eof:
            raise invalid("the body's gzip data are cut off")


def _too_long(most: int) -> Exception:
    return too_large(f"the body is longer than the {most:,} bytes allowed here")
