"""Copying by registration, the classical way to use one patient's segmentation on the next: affine, then B-spline.

Mattes' mutual information (SimpleITK) brings the source's image onto the study's; its structure goes along. It is
helped: it gets the whole true structure of the source, of which MetaSegment sees a few slices.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import product
from typing import TYPE_CHECKING

import numpy as np

from ...io.volume_file import image_from_volume
from ...volume import Geometry, Volume
from ..method import NEEDED, Prediction, Study, fingerprint
from ..packages import versions
from ..slice_correction import corrected

if TYPE_CHECKING:
    import SimpleITK as sitk

NAME = "registration"
#: Intensities are clipped at these percentiles of each volume.
PERCENTILES = (0.5, 99.5)
#: Translations tried around both centres: up to this share of the extent either way, so many along i, j, k, on cells.
REACH, STEPS, SEARCH_CELLS = 0.2, (3, 3, 5), 4_000
#: Grids (cells at most) of the linear transforms, with the first step in mm.
FIRST_LEVEL, LAST_LEVEL = (8_000, 4.0), (60_000, 1.0)
LINEAR_ITERATIONS = 100
DEFORMABLE_ITERATIONS = 25
#: Points of the study's volume the metric looks at (a regular pattern, jittered by a fixed seed), and its bins: chosen
#: with the levels on `train/` (parotids and brainstem of CT, four structures of fetal MR): about 10 s on one core.
LINEAR_SAMPLES, DEFORMABLE_SAMPLES, SAMPLE_SEED, BINS = 15_000, 10_000, 1, 24


@dataclass(frozen=True)
class Registration:
    """Registers each pair of volumes once; structures and annotated slices of the pair follow at no cost.

    `levels` are the B-splines, one after the other: knots along the side of a cube of the volume's size, and the most
    cells of the grid that it is optimised on.
    """

    name: str = NAME
    label: str = "Registration (affine + B-spline), helped"
    sources: tuple[bool, ...] = NEEDED
    levels: tuple[tuple[int, int], ...] = ((3, 60_000), (6, 200_000))

    @property
    def settings(self) -> str:
        return (
            f"{versions('SimpleITK')}, Mattes mutual information, similarity, affine, then B-splines of "
            f"{' and '.join(str(knots) for knots, _ in self.levels)} knots by side, on one thread; help given: "
            "the whole true structure of the source; annotated slices of the new volume correct its outline nearby"
        )

    def missing(self) -> str | None:
        return None

    def predict(self, study: Study) -> Prediction:
        if study.source is None:
            raise ValueError("registration needs a source")
        started, preparing = time.monotonic(), None
        key = fingerprint(study.volume.array, study.source.volume.array)
        if key not in self._registered:
            self._registered.clear()  # the studies of a pair follow each other
            self._registered[key] = registered(study.volume, study.source.volume, self.levels)
            preparing = time.monotonic() - started
        inside = carried_over(study.source.truth, study.source.volume.geometry, study.volume, self._registered[key])
        mask = corrected(inside > 0.5, study.annotation)
        return Prediction(mask, preparing_seconds=preparing)

    @cached_property
    def _registered(self) -> dict[str, sitk.Transform]:
        return {}


def registered(fixed: Volume, moving: Volume, levels: Sequence[tuple[int, int]]) -> sitk.Transform:
    """The transform from points (LPS, mm) of the fixed volume to those of the moving one; the same on every run."""
    import SimpleITK as sitk

    sitk.ProcessObject.SetGlobalDefaultNumberOfThreads(1)  # sums over threads differ from run to run
    pair = clipped(fixed), clipped(moving)
    return deformed(*pair, aligned(*pair), levels)


def carried_over(truth: np.ndarray, geometry: Geometry, volume: Volume, transform: sitk.Transform) -> np.ndarray:
    """A structure (bool, k, j, i) of one grid on the voxels of a volume: float32 shares, 0 beyond the grid."""
    import SimpleITK as sitk

    structure = image_from_volume(Volume(truth.astype(np.float32), geometry))
    found = sitk.Resample(structure, image_from_volume(volume), transform, sitk.sitkLinear, 0.0)
    share: np.ndarray = sitk.GetArrayFromImage(found)
    return share


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


def deformed(
    fixed: sitk.Image, moving: sitk.Image, affine: sitk.Transform, levels: Sequence[tuple[int, int]]
) -> sitk.Transform:
    """B-splines of ever more knots after the affine transform, each from the image that the ones before made."""
    import SimpleITK as sitk

    extent = np.multiply(fixed.GetSize(), fixed.GetSpacing())
    found = [affine]
    for knots, cells in levels:
        still, other = coarse(fixed, cells), coarse(moving, cells)
        warped = sitk.Resample(other, still, sitk.CompositeTransform(found), sitk.sitkLinear, _lowest(other))
        mesh = np.maximum(1, np.rint(extent * knots / extent.prod() ** (1 / 3)))
        spline = sitk.BSplineTransformInitializer(still, [int(n) for n in mesh], 3)
        method = _method(still, DEFORMABLE_SAMPLES)
        method.SetInitialTransform(spline, inPlace=True)
        method.SetOptimizerAsLBFGSB(
            gradientConvergenceTolerance=1e-9,
            numberOfIterations=DEFORMABLE_ITERATIONS,
            maximumNumberOfFunctionEvaluations=2 * DEFORMABLE_ITERATIONS,
        )
        method.Execute(still, warped)
        found.append(spline)
    return sitk.CompositeTransform(found)


def clipped(volume: Volume) -> sitk.Image:
    """The volume as float32 without its extremes."""
    low, high = np.percentile(volume.array, PERCENTILES)
    return image_from_volume(Volume(np.clip(volume.array, low, high).astype(np.float32), volume.geometry))


def coarse(image: sitk.Image, cells: int) -> sitk.Image:
    """The image on its own extent with at most about so many cells, as near to cubes as its voxels allow."""
    import SimpleITK as sitk

    size, spacing = np.array(image.GetSize()), np.array(image.GetSpacing())
    extent = size * spacing
    # The edge of cubes: found by halving, since an axis whose voxels are coarser keeps them.
    low, high = float(spacing.min()), float(extent.max())
    for _ in range(30):
        edge = (low * high) ** 0.5
        low, high = (edge, high) if (extent / np.maximum(edge, spacing)).prod() > cells else (low, edge)
    count = np.where(size.prod() > cells, np.maximum(1, np.rint(extent / np.maximum(high, spacing))), size).astype(int)
    wide = extent / count
    for axis in np.flatnonzero((wide > 1.2 * spacing) & (size >= 4)):  # the filter needs four voxels
        image = sitk.RecursiveGaussian(image, sigma=float(wide[axis] / 2), direction=int(axis))
    corner = np.array(image.GetOrigin()) + np.reshape(image.GetDirection(), (3, 3)) @ ((wide - spacing) / 2)
    grid = corner.tolist(), wide.tolist(), image.GetDirection()
    return sitk.Resample(image, count.tolist(), sitk.Transform(), sitk.sitkLinear, *grid, _lowest(image))


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
        method = _method(still, still.GetNumberOfPixels())
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
    method = _method(still, LINEAR_SAMPLES)
    method.SetOptimizerAsRegularStepGradientDescent(
        step, step / 1000, LINEAR_ITERATIONS, relaxationFactor=0.7, gradientMagnitudeTolerance=1e-9
    )
    method.SetOptimizerScalesFromPhysicalShift()
    method.SetInitialTransform(transform, inPlace=True)
    method.Execute(still, coarse(moving, cells))
    return float(method.GetMetricValue())


def _method(fixed: sitk.Image, samples: int) -> sitk.ImageRegistrationMethod:
    import SimpleITK as sitk

    method = sitk.ImageRegistrationMethod()
    method.SetMetricAsMattesMutualInformation(BINS)
    method.SetInterpolator(sitk.sitkLinear)
    if samples < fixed.GetNumberOfPixels():
        method.SetMetricSamplingStrategy(method.REGULAR)
        method.SetMetricSamplingPercentage(samples / fixed.GetNumberOfPixels(), SAMPLE_SEED)
    return method


def _middle(image: sitk.Image) -> np.ndarray:
    return np.array(image.TransformContinuousIndexToPhysicalPoint([(n - 1) / 2 for n in image.GetSize()]))


def _mass(image: sitk.Image) -> np.ndarray:
    import SimpleITK as sitk

    weights = sitk.GetArrayFromImage(image).astype(float) - _lowest(image)
    sums = [weights.sum(axis=tuple(a for a in range(3) if a != axis)) for axis in (2, 1, 0)]
    place = [float(np.average(np.arange(len(s)), weights=s)) for s in sums]
    return np.array(image.TransformContinuousIndexToPhysicalPoint(place))


def _lowest(image: sitk.Image) -> float:
    import SimpleITK as sitk

    return float(sitk.GetArrayViewFromImage(image).min())


METHOD = Registration()
