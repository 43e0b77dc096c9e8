"""How far a prediction is from the truth, on voxels that were not annotated.

Surface distances are MONAI's. Annotated voxels are set to the truth in both masks, so that no border arises along an
annotated slice, and the surface voxels on them are not counted.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ..measures.dice import dice
from ..measures.surface import surface_distances
from ..regrid import bounding_box
from .method import Prediction

#: Millimetres within which surfaces count as the same (NSD).
TOLERANCE_MM = 2.0
#: Percentile of the surface distances (HD95).
PERCENTILE = 95
#: Bins of the expected calibration error (Guo et al., ICML 2017).
BINS = 15
#: Voxels around truth and prediction: room for the surfaces.
MARGIN = 2
#: Voxels around the truth whose calibration counts: the same for every method; far away all are right.
NEAR = 8


@dataclass(frozen=True)
class Measures:
    """`dice` and `nsd` are 0…1, `hd95` is in mm; `ece` 0…1, None for methods without probabilities."""

    dice: float
    nsd: float
    hd95: float
    ece: float | None


def measured(
    prediction: Prediction, truth: np.ndarray, annotated: np.ndarray, spacing_kji: Sequence[float]
) -> Measures:
    """Measures of a prediction (bool, k, j, i) against the truth; `annotated` marks the voxels left out."""
    ece = None
    if prediction.probability is not None:
        near = _box(truth, NEAR)
        ece = calibration_error(prediction.probability[near][~annotated[near]], truth[near][~annotated[near]])
    box = _box(prediction.mask | truth, MARGIN)
    truth, unknown = truth[box], ~annotated[box]
    found = np.where(unknown, prediction.mask[box], truth)
    return Measures(dice(found & unknown, truth & unknown), *_surface_measures(found, truth, unknown, spacing_kji), ece)


def calibration_error(probability: np.ndarray, truth: np.ndarray) -> float:
    """Returns mean gap between probability and frequency over bins of equal width, weighted by voxels: 0 is calibrated.

    Both are flat arrays of the same voxels.
    """
    if not truth.size:
        return 0.0
    values = probability.astype(np.float32)
    bins = np.minimum((values * BINS).astype(np.int8), BINS - 1)
    promised, came_true = (np.bincount(bins, weights, BINS) for weights in (values, truth))
    return float(np.abs(promised - came_true).sum() / truth.size)


def _surface_measures(
    found: np.ndarray, truth: np.ndarray, unknown: np.ndarray, spacing_kji: Sequence[float]
) -> tuple[float, float]:
    """NSD and HD95. Where only one of the masks has voxels that are not annotated, 0 and the diagonal of the box."""
    some = [bool((mask & unknown).any()) for mask in (found, truth)]
    if not all(some):
        diagonal = math.hypot(*(n * mm for n, mm in zip(truth.shape, spacing_kji, strict=True)))
        return (0.0, diagonal) if any(some) else (1.0, 0.0)
    distances = [each[unknown[surface]] for surface, each in surface_distances(found, truth, spacing_kji)]
    near, counted = (
        sum(each) for each in zip(*((int((d <= TOLERANCE_MM).sum()), len(d)) for d in distances), strict=True)
    )
    # A mask can have voxels, but no surface, off the annotated slices: then the other one decides.
    worst = max((float(np.percentile(d, PERCENTILE)) for d in distances if len(d)), default=0.0)
    return near / counted if counted else 1.0, worst


def _box(mask: np.ndarray, margin: int) -> tuple[slice, slice, slice]:
    """The box around a mask with a margin in voxels."""
    k, j, i = (slice(max(0, part.start - margin), max(1, part.stop) + margin) for part in bounding_box(mask))
    return k, j, i
