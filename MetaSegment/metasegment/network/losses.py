"""The outer loss: soft Dice and cross-entropy on the cells that were not annotated."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn.functional import binary_cross_entropy_with_logits

from ..measures.dice import overlap


def segmentation_loss(logits: Tensor, target: Tensor, weight: Tensor) -> Tensor:
    """Weighted mean cross-entropy plus weighted soft Dice loss; all (k, j, i), `target` 0…1, cells of weight 0
    ignored.
    """
    cross_entropy = (
        weight * binary_cross_entropy_with_logits(logits, target, reduction="none")
    ).sum() / weight.sum().clamp(min=1)
    probability = torch.sigmoid(logits)
    shared = 2 * (weight * probability * target).sum() + 1
    return cross_entropy + 1 - shared / ((weight * (probability + target)).sum() + 1)


def dice(logits: Tensor, target: Tensor, weight: Tensor) -> float:
    """Dice of the thresholded answer on cells of positive weight; 1 where both are empty."""
    return overlap((logits > 0)[weight > 0], (target > 0.5)[weight > 0])
