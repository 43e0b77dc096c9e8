"""Dice of two masks: the one measure of agreement that training, gate, benchmark and scripts share."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    import numpy as np
    from torch import Tensor

    Mask = TypeVar("Mask", np.ndarray, Tensor)


def dice(a: Mask, b: Mask) -> float:
    """Computes the Dice coefficient of two boolean masks of one shape, arrays or tensors; 1 where both are empty."""
    total = int(a.sum()) + int(b.sum())
    return 2 * int((a & b).sum()) / total if total else 1.0
