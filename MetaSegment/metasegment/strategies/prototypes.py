"""Local prototypes: mean features of the structure and of what surrounds it, window by window of the hidden slices, in
3D; a cell goes to the side whose prototypes it resembles.

Prototypes after PANet (arXiv 1908.06391), local windows after ALPNet (2007.09886), learnt threshold after ADNet
(2203.02048).
"""

from __future__ import annotations

import math

import torch
from torch import Tensor
from torch.nn.functional import normalize

from .base import State
from .head import Head, Meta
from .training_cells import Cells

#: Edge of a window in cells, and cells of one side that it must hold to make a prototype.
WINDOW, LEAST = 8, 4
#: Cells compared with the prototypes at once: their similarities then take a few megabytes.
CHUNK = 2**14
#: Logits from which a cell is left as it is: most are, and comparing them would take most of the time.
SURE = 6.0
#: How sharply a cell prefers its most similar prototypes, and logits of a full lead of one side, at first.
FOCUS, TEMPERATURE = 30.0, 4.0
#: Weight of the prototypes' answer, and lead in similarity that the structure needs, at first: on 30 held-out
#: tasks 0.2 points of Dice up on average, 1.2 down at worst; without a threshold the answers grew.
MIX, THRESHOLD = 0.1, 0.4


def start(features: int) -> dict[str, Tensor]:
    """Meta-parameters: a width for each feature, and what FOCUS, TEMPERATURE, MIX and THRESHOLD say."""
    return {
        "log_width": torch.zeros(features),
        "log_focus": torch.tensor(math.log(FOCUS)),
        "log_temperature": torch.tensor(math.log(TEMPERATURE)),
        "threshold": torch.tensor(THRESHOLD),
        "mix_logit": torch.tensor(math.log(MIX / (1 - MIX))),
    }


def adapted(meta: Meta, cells: Cells) -> dict[str, Tensor]:
    """Prototypes (n, f) of unit length of either side, and how they are to be compared and mixed."""
    inside, outside = (local_means(cells, side) for side in (1, -1))
    centre = (inside[0] + outside[0]) / 2
    width = meta["log_width"].exp()
    return {
        "centre": centre,
        "width": width,
        "inside": normalize((inside - centre) * width, dim=1),
        "outside": normalize((outside - centre) * width, dim=1),
        "focus": meta["log_focus"].exp(),
        "temperature": meta["log_temperature"].exp(),
        "threshold": meta["threshold"].clone(),
        "mix": torch.sigmoid(meta["mix_logit"]),
    }


def local_means(cells: Cells, side: int) -> Tensor:
    """Returns mean features of one side's cells (n, f): of all of them, then of each window with enough."""
    mine = cells.sides == side
    features, places = cells.features[mine], cells.places[mine].clone()
    places[:, 1:] //= WINDOW
    _, window, count = places.unique(dim=0, return_inverse=True, return_counts=True)
    sums = features.new_zeros(len(count), features.shape[1]).index_add(0, window, features)
    means = (sums / count[:, None])[count >= LEAST]
    return torch.cat([features.mean(0, keepdim=True), means])


def compared(state: State, features: Tensor, logits: Tensor) -> Tensor:
    """Returns the in-context logits (k, j, i) mixed with those of the prototypes."""
    unsure = logits.abs() < SURE
    chunks = [_lead(state, chunk) for chunk in features[:, unsure].T.split(CHUNK)]
    own = state["temperature"] * (torch.cat(chunks) - state["threshold"])
    return logits.masked_scatter(unsure, torch.lerp(logits[unsure], own, state["mix"]))


def _lead(state: State, features: Tensor) -> Tensor:
    """By how much the structure's prototypes are more similar (n,)."""
    embedded = normalize((features - state["centre"]) * state["width"], dim=1)
    inside, outside = (_similarity(embedded, state[side], state["focus"]) for side in ("inside", "outside"))
    return inside - outside


def _similarity(embedded: Tensor, prototypes: Tensor, focus: Tensor) -> Tensor:
    """Cosine similarity to the prototypes, the more similar the heavier."""
    cosine = embedded @ prototypes.T
    return (torch.softmax(focus * cosine, 1) * cosine).sum(1)


STRATEGY = Head("prototypes", start, adapted, compared)
