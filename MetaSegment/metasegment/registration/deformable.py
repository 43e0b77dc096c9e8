"""B-splines after a linear transform, by mutual information."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from .images import coarse, lowest, mutual_information

if TYPE_CHECKING:
    import SimpleITK as sitk

#: Chosen as the linear transforms' numbers are (`linear`).
DEFORMABLE_ITERATIONS = 25
DEFORMABLE_SAMPLES = 10_000


def deformed(
    fixed: sitk.Image, moving: sitk.Image, affine: sitk.Transform, levels: Sequence[tuple[int, int]]
) -> sitk.Transform:
    """B-splines of ever more knots after the affine transform, each from the image that the ones before made."""
    import SimpleITK as sitk

    extent = np.multiply(fixed.GetSize(), fixed.GetSpacing())
    found = [affine]
    for knots, cells in levels:
        still, other = coarse(fixed, cells), coarse(moving, cells)
        warped = sitk.Resample(other, still, sitk.CompositeTransform(found), sitk.sitkLinear, lowest(other))
        mesh = np.maximum(1, np.rint(extent * knots / extent.prod() ** (1 / 3)))
        spline = sitk.BSplineTransformInitializer(still, [int(n) for n in mesh], 3)
        method = mutual_information(still, DEFORMABLE_SAMPLES)
        method.SetInitialTransform(spline, inPlace=True)
        method.SetOptimizerAsLBFGSB(
            gradientConvergenceTolerance=1e-9,
            numberOfIterations=DEFORMABLE_ITERATIONS,
            maximumNumberOfFunctionEvaluations=2 * DEFORMABLE_ITERATIONS,
        )
        method.Execute(still, warped)
        found.append(spline)
    return sitk.CompositeTransform(found)
