"""Dice of two masks: the one measure of agreement that training, gate and scripts share."""

from __future__ import annotations

from torch import Tensor


def overlap(a: Tensor, b: Tensor) -> float:
    """Dice of two boolean masks of one shape; 1 where both are empty."""
    total = int(a.sum() + b.sum())
    return 2 * int((a & b).sum()) / total if total else 1.0
