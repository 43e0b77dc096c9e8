"""MetaSegment's own network from random weights, trained on the annotated slices alone: what meta-training adds.

Sees the image only, no prompts; voxels without annotation weigh nothing (Çiçek et al., 3D U-Net, 1606.06650).
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from itertools import pairwise

import torch
from torch import Generator, Tensor

from ... import __version__
from ...fields.z_score import z_scored
from ...grid import Grid, working_grid
from ...network.channels import CHANNELS
from ...network.devices import choose_device
from ...network.engine import Engine
from ...network.losses import segmentation_loss
from ...network.precision import fastest_precision
from ...network.unet import build_network
from ...prompts import Scene, known_fractions
from ...segmenter.answer import COARSE_CELLS
from ...strategies.base import TimeLeft
from ..method import STRUCTURE, Prediction, Study
from ..region import in_volume, scene_in, starting_box, starting_region

#: Seconds of training where the study does not say what MetaSegment took.
DEFAULT_SECONDS = 10.0
#: Adam's, as usual for a network from scratch.
LEARNING_RATE = 1e-3
SEED = 0


@dataclass(frozen=True)
class ScratchUNet:
    """Trains for `seconds`, or where those are None as long as MetaSegment took."""

    name: str
    label: str
    seconds: float | None

    @property
    def settings(self) -> str:
        span = (
            f"{self.seconds:g} s"
            if self.seconds
            else f"as many seconds as MetaSegment ({DEFAULT_SECONDS:g} if unknown)"
        )
        return (
            f"metasegment {__version__}'s network M from random weights, image channel only, trained {span} on the "
            f"annotated voxels with random flips, Adam {LEARNING_RATE:g}, seed {SEED}; help given: the ROI that "
            f"MetaSegment starts from, on the grid of its first answer ({COARSE_CELLS:,} cells)"
        )

    def missing(self) -> str | None:
        return None

    def predict(self, study: Study) -> Prediction:
        region = starting_region(study)
        scene = scene_in(study, region, study.annotation.labels[region])
        grid = working_grid(starting_box(study).seen_from(region), scene.spacing, COARSE_CELLS)
        logits = trained(scene, grid, lasting(self.seconds or study.seconds or DEFAULT_SECONDS))
        probability = in_volume(torch.sigmoid(logits), grid, study, region)
        return Prediction(probability > 0.5, probability=probability)


def trained(scene: Scene, grid: Grid, time_left: TimeLeft) -> Tensor:
    """Logits (k, j, i) on the grid of a network trained there, at least one step, as long as the time_left says so."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(SEED)
        network = build_network()
    engine = Engine(network, choose_device("auto"))
    engine.precision = fastest_precision(network, engine.device, training=True)
    engine.precision.lay_out(network)
    chance = Generator().manual_seed(SEED)
    channels = image_alone(scene.image_on(grid))
    inside, outside = known_fractions(scene, STRUCTURE, grid)
    optimiser = torch.optim.Adam(engine.network.parameters(), lr=LEARNING_RATE)
    while True:
        axes = [axis - 3 for axis in range(3) if torch.rand((), generator=chance) < 0.5]
        target, weight = (part.flip(axes).to(engine.device) for part in (inside, inside + outside))
        loss = segmentation_loss(engine.forward(channels.flip(axes)), target, weight)
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        if not time_left():
            return engine.logits(channels)


def lasting(seconds: float) -> TimeLeft:
    """Says between steps whether one more, and the answer, fit into so many seconds from now."""
    ticks = [time.monotonic()]

    def time_left() -> bool:
        ticks.append(time.monotonic())
        longest = max(after - before for before, after in pairwise(ticks))
        return ticks[-1] + longest <= ticks[0] + seconds

    return time_left


def image_alone(image: Tensor) -> Tensor:
    """The network's input (8, k, j, i) with the z-scored image and no prompt: the same as a network of one channel."""
    channels = torch.zeros(len(CHANNELS), *image.shape)
    channels[CHANNELS.index("image")] = z_scored(image)
    return channels


METHODS = (
    ScratchUNet("scratch_unet", "3D U-Net from scratch, equal seconds", None),
    ScratchUNet("scratch_unet_60s", "3D U-Net from scratch, 60 s", 60.0),
)
