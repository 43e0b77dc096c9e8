"""Intensities on one scale."""

from __future__ import annotations

from torch import Tensor


def z_scored(values: Tensor) -> Tensor:
    """Shifts and scales values to mean 0 and deviation 1."""
    return (values - values.mean()) / values.std().clamp(min=1e-6)
