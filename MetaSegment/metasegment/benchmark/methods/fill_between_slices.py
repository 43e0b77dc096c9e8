"""Slicer's "Fill between slices": morphological contour interpolation of the annotated slices; ignores the image."""

from __future__ import annotations

import numpy as np

from ..method import STRUCTURE, Prediction, Study
from ..packages import absent, versions
from ..region import effect_region
from ..slicer_filters import interpolated_contours


class FillBetweenSlices:
    """Interpolates between annotated slices and adds nothing beyond them: one slice stays one slice."""

    name = "fill_between_slices"
    label = "Slicer's Fill between slices"

    @property
    def settings(self) -> str:
        return (
            f"vtkITKMorphologicalContourInterpolator of {versions('slicer-core')}, the effect's settings (all axes, "
            "heuristic alignment, no distance transform), on one thread, as it crashes on several; no help"
        )

    def missing(self) -> str | None:
        return absent("peers", "slicer-core")

    def predict(self, study: Study) -> Prediction:
        segment = study.annotation.labels == STRUCTURE
        region = effect_region(segment)
        filled = interpolated_contours(segment[region].astype(np.uint8), study.volume.geometry.spacing_kji)
        mask = np.zeros_like(segment)
        mask[region] = filled == STRUCTURE
        return Prediction(mask)


METHOD = FillBetweenSlices()
