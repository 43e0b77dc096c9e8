"""Gradient steps on few parameters, each on one slice hidden from its own prompts: what the gradient strategies share.

If a slice were both prompt and target the network would copy it and learn nothing. Nothing here knows of meta-training.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import torch
from torch import Generator, Tensor, nn
from torch.nn.functional import binary_cross_entropy_with_logits

from ..grid import filled_planes
from ..network.engine import Engine
from .base import TrainingSlice

#: Decoder levels that adapt beside all norm affines and the head.
DECODER_LEVELS = 2
#: Cells around a hidden slice that a step looks at: enough for the bottleneck to see two (roi.CELL_COUNTS).
SLAB = 16


def adaptable_parameters(network: nn.Module) -> dict[str, nn.Parameter]:
    """Norm affines of the whole network, its last decoder levels and its head, by name."""
    levels = len(network.upsamples)  # type: ignore[arg-type]
    last = tuple(f"upsamples.{n}." for n in range(levels - DECODER_LEVELS, levels))
    return {
        name: p
        for name, p in network.named_parameters()
        if ".norm" in name or name.startswith((*last, "output_block."))
    }


def in_turn(slices: Sequence[TrainingSlice], steps: int, seed: int) -> Iterator[TrainingSlice]:
    """Returns a training slice for each step: all of them in a random order, then in another; none where there are
    none.
    """
    generator = Generator().manual_seed(seed)
    for step in range(steps if slices else 0):
        if step % len(slices) == 0:
            order = torch.randperm(len(slices), generator=generator).tolist()
        yield slices[order[step % len(slices)]]


def training_loss(parameters: Mapping[str, Tensor], training_slice: TrainingSlice, engine: Engine) -> Tensor:
    """Cross-entropy and soft Dice on the cells of one hidden slice.

    Not class-balanced: with balanced classes the answers grew, and lost 4 points of Dice on the validation structures.
    """
    near = slab(training_slice)
    cells = near.cells.to(engine.device)
    logits = engine.forward(near.channels, parameters)[cells]
    target = near.target.to(engine.device)[cells]
    probability = torch.sigmoid(logits)
    overlap = (2 * (probability * target).sum() + 1) / (probability.sum() + target.sum() + 1)
    return binary_cross_entropy_with_logits(logits, target) + 1 - overlap


def slab(training_slice: TrainingSlice) -> TrainingSlice:
    """Returns the training slice on SLAB cells around its slice, along the axis it lies across; an oblique one as it
    is.
    """
    window = [slice(None)]
    for axis, size in enumerate(training_slice.cells.shape):
        found = filled_planes(training_slice.cells, axis)
        first, last = int(found[0]), int(found[-1])
        start = min(max(0, (first + last - SLAB) // 2), max(0, size - SLAB))
        window.append(slice(start, start + SLAB) if last - first <= SLAB // 4 else slice(None))
    here = tuple(window)
    return TrainingSlice(training_slice.channels[here], training_slice.target[here[1:]], training_slice.cells[here[1:]])
