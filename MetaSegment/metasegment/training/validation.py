"""Points of a run's curve: the in-context answer and plain interpolation on structures that are not trained on."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from statistics import mean

import torch
from torch import nn

from ..episodes.held_out import HeldOutTask
from ..episodes.slices import STRUCTURE
from ..grid import to_voxels, working_grid
from ..network.precision import Precision
from ..prompts import annotated_extent, make_channels, make_prompt, structure_box

#: Cells of the working grid: coarser than in use, for a quick look at every checkpoint.
CELLS = 48**3
SLICE_COUNTS = (1, 3, 5)


def validate(network: nn.Module, tasks: Iterable[HeldOutTask], precision: Precision, device: str) -> dict[str, float]:
    """Returns mean over data sets of the Dice on unannotated voxels, by method and number of slices."""
    scores: dict[str, dict[str, list[float]]] = defaultdict(lambda: defaultdict(list))
    for task in tasks:
        learned, classical = _scores(network, task, precision, device)
        scores[f"withheld/in_context_{task.slices}"][task.dataset].append(learned)
        scores[f"withheld/interpolation_{task.slices}"][task.dataset].append(classical)
    return {name: mean(mean(values) for values in by_dataset.values()) for name, by_dataset in scores.items()}


@torch.no_grad()
def _scores(network: nn.Module, task: HeldOutTask, precision: Precision, device: str) -> tuple[float, float]:
    extent = annotated_extent(task.scene.labels, STRUCTURE)
    assert extent is not None
    box = structure_box(extent, task.scene.spacing, task.mask.shape)
    grid = working_grid(box, task.scene.spacing, CELLS)
    prompt = make_prompt(task.scene, STRUCTURE, grid)
    channels = make_channels(task.scene, STRUCTURE, prompt, grid)[None].to(device)
    with precision.autocast(device):
        logits = network(channels.contiguous(memory_format=precision.memory_format))[0, 0].float().cpu()
    answers = []
    for field in (logits, prompt.interpolation):
        values, where = to_voxels(field, grid, task.mask.shape)
        predicted = torch.zeros_like(task.mask)
        predicted[where] = values > 0
        answers.append(task.dice(predicted))
    return answers[0], answers[1]
