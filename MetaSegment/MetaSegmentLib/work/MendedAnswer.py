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
        packed = base64.b64encode(zlib.compress(np.packbits(mask).tobytes())).decode()
        return cls(segmentID, acceptance, packed)

    def mask(self, shape: tuple[int, ...]) -> np.ndarray:
        """The mask bool of that shape (rows, columns)."""
        bits = np.frombuffer(zlib.decompress(base64.b64decode(self.packed)), np.uint8)
        return np.unpackbits(bits, count=int(np.prod(shape))).reshape(shape).astype(bool)
