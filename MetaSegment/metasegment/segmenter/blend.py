"""Blends of the learned answer with the classical ones, and the choice among them for one structure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from .folds import Fold

LEARNED = "learned"
#: How many hidden slices the experience below is worth.
EXPERIENCE = 8.0


@dataclass(frozen=True)
class Blend:
    """Weights of members' probabilities, summing to one; the others see the first one's answer, whatever its weight.

    `experience` is the Dice it had on the validation structures with one annotated slice, two or three, and more.
    """

    weights: Mapping[str, float]
    experience: tuple[float, float, float]

    def of(self, probabilities: Mapping[str, Tensor]) -> Tensor:
        """Returns the blended probability."""
        return torch.stack([weight * probabilities[name] for name, weight in self.weights.items()]).sum(0)

    def expected(self, shown: int) -> float:
        """Returns its Dice in experience with so many slices that show the structure."""
        return self.experience[0 if shown < 2 else 1 if shown < 4 else 2]


#: Measured by Testing/measure/blends.py with the released weights. More blends, the learned answer alone among them,
#: did no better; the classical answers alone are for images unlike any the network saw.
BLENDS = (
    Blend({LEARNED: 0.5, "geodesic": 0.25, "random_walker": 0.25}, (0.680, 0.853, 0.874)),
    Blend({LEARNED: 0.5, "interpolation": 0.25, "random_walker": 0.25}, (0.677, 0.845, 0.876)),
    Blend({LEARNED: 0.0, "random_walker": 1.0}, (0.646, 0.782, 0.829)),
    Blend({"geodesic": 1.0}, (0.613, 0.796, 0.841)),
    Blend({"interpolation": 1.0}, (0.332, 0.656, 0.771)),
)


def best_blend(folds: Sequence[Fold], answers: Sequence[Mapping[str, Tensor]], shown: int) -> Blend:
    """Returns the blend with the highest Dice on slices hidden between others, weighed against experience.

    `answers` are the members' probabilities for each fold by name. Without such slices experience alone decides.
    """
    between = [(fold, answer) for fold, answer in zip(folds, answers, strict=True) if fold.between]

    def score(blend: Blend) -> float:
        found = sum(fold.dice(blend.of(answer)) for fold, answer in between)
        return (found + EXPERIENCE * blend.expected(shown)) / (len(between) + EXPERIENCE)

    return max(BLENDS, key=score)
