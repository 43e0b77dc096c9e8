"""The random walker (Grady 2006) of scikit-image, from the annotated slices in the ROI that MetaSegment starts from."""

from __future__ import annotations

import math
import warnings

import numpy as np
import torch

from ...grid import Box, Grid, working_grid
from ...prompts import Scene, known_fractions
from ..method import STRUCTURE, Prediction, Study
from ..packages import absent, versions
from ..region import closed_seeds, in_volume, scene_in, starting_region

#: Largest grid; coarser than the voxels where the ROI has more. About ten seconds on one core.
MOST_CELLS = 700_000
#: scikit-image's own; on the z-scored image it was the best of 30, 130 and 1000, and better than on 0...1.
BETA = 130.0
#: Intensities are clipped at these percentiles of the ROI before they are z-scored.
PERCENTILES = (0.5, 99.5)
#: With one slice the ROI is a guess along the unseen axis, and seeds on its faces cost 4 points of Dice.
LEAST_SLICES_TO_CLOSE = 2
#: scikit-image's label of the background; the structure's is STRUCTURE.
OUTSIDE = 2


class RandomWalker:
    """Probability that a walker from a voxel meets the structure's seeds before the background's."""

    name = "random_walker"
    label = "Random walker, helped"

    @property
    def settings(self) -> str:
        return (
            f"random_walker of {versions('scikit-image')}, mode cg_j, beta {BETA:g}, spacing relative to the finest "
            f"axis, image clipped at its {PERCENTILES[0]:g} and {PERCENTILES[1]:g} percentiles and z-scored, at most "
            f"{MOST_CELLS:,} cells; help given: the ROI that MetaSegment starts from, from {LEAST_SLICES_TO_CLOSE} "
            "slices on with its faces as background seeds"
        )

    def missing(self) -> str | None:
        return absent("benchmark", "scikit-image")

    def predict(self, study: Study) -> Prediction:
        region = starting_region(study)
        closed = len(study.annotation.slices) >= LEAST_SLICES_TO_CLOSE
        seeds = closed_seeds(study, region) if closed else study.annotation.labels[region]
        scene = scene_in(study, region, seeds)
        grid = grid_of(scene)
        probability = in_volume(torch.from_numpy(walk(scene, grid)), grid, study, region)
        return Prediction(probability > 0.5, probability=probability)


def grid_of(scene: Scene) -> Grid:
    """Returns the scene's own voxels, or coarser cells where those are too many."""
    k, j, i = scene.image.shape
    own = Grid(Box.whole(scene.image.shape), (k, j, i))
    return own if math.prod(own.shape) <= MOST_CELLS else working_grid(own.box, scene.spacing, MOST_CELLS)


def walk(scene: Scene, grid: Grid) -> np.ndarray:
    """Returns probability of the structure on a grid (k, j, i), float32."""
    from skimage.segmentation import random_walker

    inside, outside = (part.numpy() for part in known_fractions(scene, STRUCTURE, grid))
    seeds = np.where(inside + outside > 0, np.where(inside >= outside, STRUCTURE, OUTSIDE), 0)
    spacing = np.array(grid.cell_spacing(scene.spacing))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # probabilities a few thousandths outside 0...1
        found = random_walker(
            standardised(scene.image_on(grid).numpy()),
            seeds,
            beta=BETA,
            mode="cg_j",
            spacing=spacing / spacing.min(),
            return_full_prob=True,
        )
    probability: np.ndarray = found[0].astype(np.float32).clip(0, 1)
    return probability


def standardised(image: np.ndarray) -> np.ndarray:
    """Returns intensities clipped and z-scored, float64: the weights of scikit-image depend on the image's scale."""
    clipped = np.clip(image, *np.percentile(image, PERCENTILES)).astype(float)
    return (clipped - clipped.mean()) / max(float(clipped.std()), 1e-6)


METHOD = RandomWalker()
