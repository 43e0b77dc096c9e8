"""What an answer had of a structure on a plane when the user began to mend it there, in a form that the scene keeps."""

from __future__ import annotations

import base64
import zlib
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class MendedAnswer:
    """`acceptance` says which accepted answer the segment held then (AcceptedAnswers); `packed` is the mask as text.

    Example::

        mended = MendedAnswer.of("Segment_1", "", mask)          # bool (rows, columns)
        mended.mask(mask.shape)                                  # the same again
    """

    segmentID: str
    acceptance: str
    packed: str

    @classmethod
    def of(cls, segmentID: str, acceptance: str, mask: np.ndarray) -> MendedAnswer:
        """Pack a mask."""
        return cls(segmentID, acceptance, packed(mask))

    def mask(self, shape: tuple[int, ...]) -> np.ndarray:
        """The mask bool of that shape (rows, columns)."""
        return unpacked(self.packed, shape)


def packed(mask: np.ndarray) -> str:
    """A mask as text."""
    return base64.b64encode(zlib.compress(np.packbits(mask).tobytes())).decode()


def unpacked(text: str, shape: tuple[int, ...]) -> np.ndarray:
    """The mask bool of that shape that `packed` made a text of."""
    bits = np.frombuffer(zlib.decompress(base64.b64decode(text)), np.uint8)
    return np.unpackbits(bits, count=int(np.prod(shape))).reshape(shape).astype(bool)
