"""The expected Dice of an answer on voxels that were not annotated, from what can be seen without them."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor

#: Weights of 1, confidence, agreement and again.
WITH_FOLDS = (-0.040, 0.969, 0.042, -0.011)
WITHOUT_FOLDS = (-0.548, 1.407, 0.157, 0.0)

#: Weights of 1, agreement and growth either way, which counts no further than so much, for what a task recalls. Fitted
#: to 220 structures in training data, 88 in volumes of another kind than the task's, by Testing/measure/recall.py.
RECALLED, MOST_GROWTH = (0.216, 0.818, -0.273), 1.0


@dataclass(frozen=True)
class Evidence:
    """What is known of an answer, all 0…1.

    `again` is the mean Dice with which hidden slices were found again, None where none could be hidden; `confidence`
    the Dice that the probabilities themselves expect; `agreement` the Dice between learned and geodesic answer.
    """

    again: float | None
    confidence: float
    agreement: float


def expected_overlap(probability: Tensor, cells: Tensor) -> float:
    """Returns Dice of the thresholded answer that its own probabilities (k, j, i) expect on some cells."""
    inside = probability[cells]
    mask = inside > 0.5
    return float(2 * inside[mask].sum() / (inside.sum() + mask.sum()).clamp(min=1))


def estimated_dice(evidence: Evidence) -> float:
    """Returns a linear fit to the validation structures (README, Accuracy), 0…1."""
    weights = WITHOUT_FOLDS if evidence.again is None else WITH_FOLDS
    terms = (1.0, evidence.confidence, evidence.agreement, evidence.again or 0.0)
    return min(1.0, max(0.0, sum(w * t for w, t in zip(weights, terms, strict=True))))


def recalled_dice(agreement: float, growth: float) -> float:
    """Returns the expected Dice of what a task recalls without a slice, 0…1; arguments as for transfer.Detection."""
    constant, agreeing, growing = RECALLED
    return min(1.0, max(0.0, constant + agreeing * agreement + growing * min(MOST_GROWTH, abs(growth))))
