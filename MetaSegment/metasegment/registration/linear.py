"""Affine transforms by mutual information, from many starts."""

from __future__ import annotations

from itertools import product
from typing import TYPE_CHECKING

import numpy as np

from .images import coarse, lowest, mutual_information

if TYPE_CHECKING:
    import SimpleITK as sitk

#: Translations tried around both centres: up to this share of the extent either way, so many along i, j, k, on cells.
REACH, STEPS, SEARCH_CELLS = 0.2, (3, 3, 5), 4_000
#: Grids (cells at most) of the linear transforms, with the first step in mm.
FIRST_LEVEL, LAST_LEVEL = (8_000, 4.0), (60_000, 1.0)
LINEAR_ITERATIONS = 100
#: Points of the fixed image that the metric looks at: chosen with the levels on `train/` (parotids and brainstem of CT,
#: four structures of fetal MR): about 10 s on one core.
LINEAR_SAMPLES = 15_000


def aligned(fixed: sitk.Image, moving: sitk.Image) -> sitk.AffineTransform:
    """Affine, the best that several ways lead to: from either centre or the best translation, straight or through a
    similarity.
    """
    import SimpleITK as sitk

    best, least = sitk.AffineTransform(3), np.inf
    for translation in (*_centred(fixed, moving), _translated(fixed, moving)):
        for similar in (False, True):
            transform = sitk.AffineTransform(translation)
            if similar:
                similarity = sitk.Similarity3DTransform()
                similarity.SetCenter(transform.GetCenter())
                similarity.SetTranslation(transform.GetTranslation())
                _optimise(fixed, moving, similarity, *FIRST_LEVEL)
                transform.SetMatrix(similarity.GetMatrix())
                transform.SetTranslation(similarity.GetTranslation())
            value = _optimise(fixed, moving, transform, *FIRST_LEVEL)
            best, least = (transform, value) if value < least else (best, least)
    _optimise(fixed, moving, best, *LAST_LEVEL)
    return best


def _centred(fixed: sitk.Image, moving: sitk.Image) -> list[sitk.AffineTransform]:
    """The translations of the middle onto the middle, and of the mass onto the mass."""
    import SimpleITK as sitk

    found = []
    for centre_of in (_middle, _mass):
        transform = sitk.AffineTransform(3)
        transform.SetCenter(centre_of(fixed).tolist())
        transform.SetTranslation((centre_of(moving) - centre_of(fixed)).tolist())
        found.append(transform)
    return found


def _translated(fixed: sitk.Image, moving: sitk.Image) -> sitk.AffineTransform:
    """The translation with the most mutual information, of those around both centres."""
    import SimpleITK as sitk

    still, other = coarse(fixed, SEARCH_CELLS), coarse(moving, SEARCH_CELLS)
    extent = np.multiply(still.GetSize(), still.GetSpacing())
    offsets = [extent * share for share in product(*(REACH * np.linspace(-1, 1, n) for n in STEPS))]
    best, least = sitk.AffineTransform(3), np.inf
    for start, offset in product(_centred(still, other), offsets):
        transform = sitk.AffineTransform(start)
        transform.SetTranslation((np.array(start.GetTranslation()) + offset).tolist())
        method = mutual_information(still, still.GetNumberOfPixels())
        method.SetInitialTransform(transform)
        try:
            value = method.MetricEvaluate(still, other)
        except RuntimeError:  # too little overlap
            continue
        if value < least:
            best, least = transform, value
    return best


def _optimise(fixed: sitk.Image, moving: sitk.Image, transform: sitk.Transform, cells: int, step: float) -> float:
    """Improves a linear transform in place; returns the mutual information, negative."""
    still = coarse(fixed, cells)
    method = mutual_information(still, LINEAR_SAMPLES)
    method.SetOptimizerAsRegularStepGradientDescent(
        step, step / 1000, LINEAR_ITERATIONS, relaxationFactor=0.7, gradientMagnitudeTolerance=1e-9
    )
    method.SetOptimizerScalesFromPhysicalShift()
    method.SetInitialTransform(transform, inPlace=True)
    method.Execute(still, coarse(moving, cells))
    return float(method.GetMetricValue())


def _middle(image: sitk.Image) -> np.ndarray:
    return np.array(image.TransformContinuousIndexToPhysicalPoint([(n - 1) / 2 for n in image.GetSize()]))


def _mass(image: sitk.Image) -> np.ndarray:
    import SimpleITK as sitk

    weights = sitk.GetArrayFromImage(image).astype(float) - lowest(image)
    sums = [weights.sum(axis=tuple(a for a in range(3) if a != axis)) for axis in (2, 1, 0)]
    place = [float(np.average(np.arange(len(s)), weights=s)) for s in sums]
    return np.array(image.TransformContinuousIndexToPhysicalPoint(place))
