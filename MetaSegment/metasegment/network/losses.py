"""The outer loss: soft Dice and cross-entropy on the cells that were not annotated."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn.functional import binary_cross_entropy_with_logits

from ..measures.dice import dice

#: Weights of cross-entropy and soft Dice; where one slice says little about the extent, Dice would reward volume
#: under doubt (Bertels et al., arXiv 1911.02278).
BALANCE, DOUBTFUL_BALANCE = (1.0, 1.0), (1.5, 0.5)


def segmentation_loss(logits: Tensor, target: Tensor, weight: Tensor, doubtful: bool = False) -> Tensor:
    """Weighted mean cross-entropy plus weighted soft Dice loss; all (k, j, i), `target` 0…1, cells of weight 0
    ignored. Where the extent is `doubtful`, cross-entropy weighs more.
    """
    cross_entropy = (
        weight * binary_cross_entropy_with_logits(logits, target, reduction="none")
    ).sum() / weight.sum().clamp(min=1)
    probability = torch.sigmoid(logits)
    shared = 2 * (weight * probability * target).sum() + 1
    soft_dice = 1 - shared / ((weight * (probability + target)).sum() + 1)
    first, second = DOUBTFUL_BALANCE if doubtful else BALANCE
    return first * cross_entropy + second * soft_dice


def presence_loss(present: Sequence[Tensor], target: Tensor, weight: Tensor) -> Tensor:
    """Returns mean cross-entropy of presence (planes) across k, j and i, on planes that are not wholly annotated.

    `target` 0…1 and `weight` are (k, j, i). 0 for a network without a presence head.
    """
    total = target.new_zeros(())
    for axis, logits in enumerate(present):
        across = [a for a in range(3) if a != axis]
        there, counted = (target > 0.5).any(across[1]).any(across[0]), (weight > 0).any(across[1]).any(across[0])
        each = binary_cross_entropy_with_logits(logits, there.float(), reduction="none")
        total = total + (each * counted).sum() / counted.sum().clamp(min=1) / 3
    return total


def dice_of_logits(logits: Tensor, target: Tensor, weight: Tensor) -> float:
    """Returns Dice of the thresholded answer on cells of positive weight; 1 where both are empty."""
    return dice((logits > 0)[weight > 0], (target > 0.5)[weight > 0])
