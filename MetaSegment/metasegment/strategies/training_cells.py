"""What heads and outer networks read of training slices: features of the cells of hidden slices, from passes that do
not show them. The network itself stays as it is.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Generator, Tensor, nn

from ..network.channels import CHANNELS
from ..network.engine import Engine
from .base import TimeLeft, TrainingSlice

#: Cells to learn from at most; a closed-form head takes milliseconds on as many.
MOST_CELLS = 50_000
#: Input channels that join the network's own features.
JOINING = (CHANNELS.index("image"), CHANNELS.index("likelihood"))
#: Places, from the end, of the in-context answer (-1…1) and of the constant 1 among the features of a cell.
ANSWER, CONSTANT = -2, -1


@dataclass(frozen=True)
class Cells:
    """Cells of hidden slices: `features` (n, f) as in `described`, `sides` (n,) 1 in the structure and -1 outside.

    `places` (n, 4) are the number of the training slice and the position k, j, i on its grid.
    """

    features: Tensor
    sides: Tensor
    places: Tensor


def described(features: Tensor, logits: Tensor, channels: Tensor) -> Tensor:
    """Returns features of each cell (f, k, j, i): what the last layer sees, image, likelihood, the in-context answer as
    -1…1, and 1.
    """
    joining = channels[list(JOINING)].to(features)
    return torch.cat([features, joining, torch.tanh(logits / 2)[None], torch.ones_like(logits)[None]])


def feature_count(network: nn.Module) -> int:
    """Returns number of features of a cell."""
    inner = next(m for m in network.get_submodule("output_block").modules() if isinstance(m, nn.Conv3d)).in_channels
    return inner + len(JOINING) + 2


@torch.no_grad()
def read_training_slices(
    slices: Sequence[TrainingSlice], engine: Engine, seed: int, time_left: TimeLeft
) -> Cells | None:
    """At most MOST_CELLS cells of all training slices that time allows; None where they do not show both sides."""
    found = []
    for number, training_slice in enumerate(slices):
        if not time_left():
            break
        found.append(_cells_of(training_slice, number, engine))
    if not found:
        return None
    features, sides, places = (torch.cat(parts) for parts in zip(*found, strict=True))
    if not (bool((sides > 0).any()) and bool((sides < 0).any())):
        return None
    if len(sides) > MOST_CELLS:
        kept = torch.randperm(len(sides), generator=Generator().manual_seed(seed))[:MOST_CELLS].to(sides.device)
        features, sides, places = features[kept], sides[kept], places[kept]
    return Cells(features, sides, places)


def _cells_of(training_slice: TrainingSlice, number: int, engine: Engine) -> tuple[Tensor, Tensor, Tensor]:
    features, logits = engine.forward_features(training_slice.channels)
    cells = training_slice.cells.to(logits.device)
    inside = training_slice.target.to(logits.device)[cells] >= 0.5
    places = torch.nn.functional.pad(cells.nonzero(), (1, 0), value=number)
    sides = 2 * inside.to(logits.dtype) - 1
    return described(features, logits, training_slice.channels)[:, cells].T, sides, places


def meta_gradient_of(loss: Tensor, meta: Mapping[str, Tensor]) -> tuple[float, dict[str, Tensor]]:
    """Returns a loss and its gradient; zero for meta-parameters that had no part in it."""
    if not loss.requires_grad:
        return float(loss), {name: torch.zeros_like(p) for name, p in meta.items()}
    gradients = torch.autograd.grad(loss, list(meta.values()), materialize_grads=True)
    return float(loss.detach()), dict(zip(meta, gradients, strict=True))
