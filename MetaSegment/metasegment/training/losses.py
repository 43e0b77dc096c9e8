"""The outer loss: soft Dice and cross-entropy on the cells that were not annotated."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn.functional import binary_cross_entropy_with_logits


def segmentation_loss(logits: Tensor, target: Tensor, weight: Tensor) -> Tensor:
    """Weighted mean cross-entropy plus weighted soft Dice loss; all (k, j, i), `target` 0…1, cells of weight 0
    ignored.
    """
    cross_entropy = (
        weight * binary_cross_entropy_with_logits(logits, target, reduction="none")
    ).sum() / weight.sum().clamp(min=1)
    probability = torch.sigmoid(logits)
    overlap = 2 * (weight * probability * target).sum() + 1
    return cross_entropy + 1 - overlap / ((weight * (probability + target)).sum() + 1)


def dice(logits: Tensor, target: Tensor, weight: Tensor) -> float:
    """Dice of the thresholded answer on cells of positive weight; 1 where both are empty."""
    a, b = (logits > 0)[weight > 0], (target > 0.5)[weight > 0]
    total = int(a.sum() + b.sum())
    return 2 * int((a & b).sum()) / total if total else 1.0
