"""A hypernetwork: a small outer network reads the support and sets the norm affines of the decoder, which are its FiLM
parameters (Perez et al., arXiv 1709.07871). No gradient step, no change of the encoder.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from torch import Generator, Tensor, nn
from torch.nn.functional import linear, silu

from ..network.engine import Engine
from .base import MetaTask, Query, State, TimeLeft, TrainingSlice
from .gradient import query_loss
from .training_cells import ANSWER, Cells, feature_count, meta_gradient_of, read_training_slices

#: Units of the two hidden layers.
HIDDEN = 64
#: What a unit of the outer network's output changes in gammas, which are about one, and betas: Adam's steps are then
#: small enough for both.
REACH = 0.1
#: Groups of cells whose features are averaged: either side, found or not.
GROUPS = 4
#: PyTorch 2.13 on CPUs crashes in the gradient of a small GroupNorm, channels last, whose input needs none; so what
#: comes before the decoder's first norm is differentiated as well.
BEFORE_DECODER = "upsamples.0.transp_conv.conv.weight"


class HyperFilm:
    """Learns from the training slices in one pass of the outer network; state holds the affines it sets."""

    name = "hyper_film"

    def initial(self, network: nn.Module) -> dict[str, Tensor]:
        """Returns random hidden layers, and a last one of zeros: it changes nothing."""
        generator = Generator().manual_seed(0)
        sizes = [GROUPS * (feature_count(network) + 1), HIDDEN, HIDDEN]
        outputs = sum(p.numel() for p in decoder_affines(network).values())
        layers = {"weight_2": torch.zeros(outputs, HIDDEN), "bias_2": torch.zeros(outputs)}
        for n in range(2):
            spread = sizes[n] ** -0.5
            layers[f"weight_{n}"] = spread * torch.randn(sizes[n + 1], sizes[n], generator=generator)
            layers[f"bias_{n}"] = torch.zeros(sizes[n + 1])
        return layers

    def fit(self, slices: Sequence[TrainingSlice], engine: Engine, steps: int, seed: int, time_left: TimeLeft) -> State:
        """Takes one pass for each training slice; nothing, the in-context answer, where they do not show both sides."""
        meta = engine.learnt(self.name)
        cells = read_training_slices(slices, engine, seed, time_left)
        return {n: p.detach() for n, p in modulated(meta, cells, engine.network).items()} if cells else {}

    def predict(self, state: State, query: Query, engine: Engine) -> Tensor:
        return engine.logits(query.channels, state)

    def meta_gradient(
        self, meta: Mapping[str, Tensor], task: MetaTask, engine: Engine
    ) -> tuple[float, dict[str, Tensor]]:
        """Returns the query's loss with the affines that the outer network sets, differentiated through
        both networks.
        """
        cells = read_training_slices(task.slices, engine, seed=0, time_left=lambda: True)
        affines = modulated(meta, cells, engine.network) if cells else {}
        before = engine.network.get_parameter(BEFORE_DECODER).detach().clone().requires_grad_()
        loss = query_loss({**affines, BEFORE_DECODER: before}, task, engine)
        value, gradients = meta_gradient_of(loss, {**meta, BEFORE_DECODER: before})
        return value, {name: gradients[name] for name in meta}


def decoder_affines(network: nn.Module) -> dict[str, nn.Parameter]:
    """Gammas and betas of the decoder's norms, by name."""
    return {n: p for n, p in network.named_parameters() if n.startswith("upsamples.") and ".norm" in n}


def modulated(meta: Mapping[str, Tensor], cells: Cells, network: nn.Module) -> dict[str, Tensor]:
    """Returns the decoder's affines as the outer network sets them for these cells."""
    own = decoder_affines(network)
    hidden = summary(cells)
    for n in range(2):
        hidden = silu(linear(hidden, meta[f"weight_{n}"], meta[f"bias_{n}"]))
    offsets = REACH * linear(hidden, meta["weight_2"], meta["bias_2"])
    parts = offsets.split([p.numel() for p in own.values()])
    return {name: p.detach() + part for (name, p), part in zip(own.items(), parts, strict=True)}


def summary(cells: Cells) -> Tensor:
    """Returns what the outer network reads: mean features of the cells of either side that the in-context pass found,
    and of those it missed, softly told apart, each with its share of the side (GROUPS * (f + 1),).
    """
    found = (1 + cells.sides * cells.features[:, ANSWER]) / 2
    groups = []
    for side in (1, -1):
        here = (cells.sides == side).to(found)
        for weight in (here * found, here * (1 - found)):
            total = weight.sum()
            groups += [weight @ cells.features / (total + 1), (total / here.sum())[None]]
    return torch.cat(groups)


STRATEGY = HyperFilm()
