"""Slicer's "Grow from seeds": GrowCut from the annotated slices, in the effect's own box or in MetaSegment's."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from ...segmentation import Region
from ..method import STRUCTURE, Prediction, Study
from ..packages import absent, versions
from ..region import closed_seeds, effect_region, starting_region
from ..slicer_filters import grow_cut


def seeds_of_effect(study: Study) -> tuple[Region, np.ndarray]:
    """Returns the effect's own box, and the annotated slices in it."""
    region = effect_region(study.annotation.labels)
    return region, study.annotation.labels[region]


def seeds_in_roi(study: Study) -> tuple[Region, np.ndarray]:
    """Returns the box that MetaSegment starts from, and the annotated slices in it with its faces as background."""
    region = starting_region(study)
    return region, closed_seeds(study, region)


@dataclass(frozen=True)
class GrowFromSeeds:
    """GrowCut in a region of the volume; `seeds` yields the region and the labels in it, `where` says which."""

    name: str
    label: str
    seeds: Callable[[Study], tuple[Region, np.ndarray]]
    where: str

    @property
    def settings(self) -> str:
        return (
            f"vtkImageGrowCutSegment of {versions('slicer-core')}, seed locality 0, structure and background of the "
            f"annotated slices as seeds, {self.where}"
        )

    def missing(self) -> str | None:
        return absent("peers", "slicer-core")

    def predict(self, study: Study) -> Prediction:
        region, seeds = self.seeds(study)
        grown = grow_cut(study.volume.array[region], seeds, study.volume.geometry.spacing_kji)
        mask = np.zeros(study.volume.array.shape, bool)
        mask[region] = grown == STRUCTURE
        return Prediction(mask)


METHODS = (
    GrowFromSeeds(
        "grow_from_seeds",
        "Slicer's Grow from seeds",
        seeds_of_effect,
        "in the effect's own box: the seeds' and 10 %, at least 3 voxels, on each side",
    ),
    GrowFromSeeds(
        "grow_from_seeds_roi",
        "Slicer's Grow from seeds, helped",
        seeds_in_roi,
        "help given: the ROI that MetaSegment starts from, its faces as background seeds",
    ),
)
