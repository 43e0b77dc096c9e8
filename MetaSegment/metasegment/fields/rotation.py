"""Rotations in space."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor


def rotation(angles: Sequence[float]) -> Tensor:
    """Returns rotation matrix (3, 3) on the CPU: the rotations by angles in radians about each axis in turn,
    multiplied.
    """
    matrix = torch.eye(3, device="cpu")
    for axis, angle in enumerate(angles):
        turn = torch.eye(3, device="cpu")
        a, b = (n for n in range(3) if n != axis)
        turn[a, a] = turn[b, b] = math.cos(angle)
        turn[a, b], turn[b, a] = -math.sin(angle), math.sin(angle)
        matrix = matrix @ turn
    return matrix
