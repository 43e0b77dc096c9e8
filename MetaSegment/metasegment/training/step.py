"""One step of the optimiser: the network's answers on a batch of episodes, the loss, the gradients."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Generator, Tensor, nn

from ..episodes.strokes import draw_strokes
from ..fields.chance import happens, uniform
from ..grid import resample
from ..network.channels import OPTIONAL, PREVIOUS, STROKES
from ..network.losses import dice_of_logits, presence_loss, segmentation_loss
from ..network.precision import Precision
from ..network.unet import FewShotUNet
from .config import Config
from .feed import Numbered
from .ranks import Ranks
from .state import State

#: Chance that an optional channel is blanked, and that an earlier answer is given.
DROP, REPEAT, OVERVIEW = 0.1, 0.25, 0.9
#: Chance that the user strokes where the earlier answer is wrong, and that the network then does not see that answer.
STROKED, UNSEEN = 0.5, 0.25
#: Weight of presence beside the segmentation.
PRESENCE = 0.1
GRADIENT_NORM = 1.0


@dataclass(frozen=True)
class Trainee:
    """The network as it is run: where, in which number format, and whether grids of one shape run as one batch: on a
    GPU; on a CPU a new batch size costs oneDNN more than it saves.
    """

    network: FewShotUNet
    precision: Precision
    device: str
    together: bool

    def answers(self, grids: Sequence[Tensor]) -> tuple[Tensor, tuple[Tensor, ...]]:
        """Returns logits (n, k, j, i) float32 for channels (12, k, j, i) of n grids of one shape, and those of presence
        as the network gives them.
        """
        batch = torch.stack(list(grids)).to(self.device).contiguous(memory_format=self.precision.memory_format)
        with self.precision.autocast(self.device):
            out, present = self.network.with_presence(batch)
        return out[:, 0].float(), present


@dataclass(frozen=True)
class Outcome:
    """Sums over the tasks of one process in one step, and the cells on which the network ran with and without
    gradients.
    """

    loss: float
    dice: float
    tasks: int
    step_cells: int
    answer_cells: int


def optimise(config: Config, state: State, batch: Sequence[Numbered], trainee: Trainee, ranks: Ranks) -> Outcome:
    """Takes a step on the mean loss of a batch, of which this process has its share; `state.tasks` moves past the
    batch.
    """
    for settings in state.optimiser.param_groups:
        settings["lr"] = learning_rate(config, state.tasks)
    state.optimiser.zero_grad(set_to_none=True)
    size = min(config.optimiser.batch, config.optimiser.tasks - state.tasks)
    grids, answer_cells = with_earlier_answers(config, batch, trainee)
    losses, answers = [], []
    for group in same_shapes(grids, trainee.together):
        logits, present = trainee.answers([grids[n] for n in group])
        each = []
        for place, (n, answer) in enumerate(zip(group, logits, strict=True)):
            target, weight = _truth(batch[n], trainee.device)
            loss = segmentation_loss(answer, target, weight, batch[n].episode.planes == 1)
            each.append(loss + PRESENCE * presence_loss([p[place] for p in present], target, weight))
        (torch.stack(each).sum() / size).backward()
        losses += [loss.detach() for loss in each]
        answers += [(n, answer) for n, answer in zip(group, logits.detach(), strict=True)]
    ranks.add_gradients(state.network.parameters())
    norm = nn.utils.clip_grad_norm_(state.network.parameters(), GRADIENT_NORM)
    if math.isfinite(float(norm)):
        state.optimiser.step()
        for name, parameter in state.network.named_parameters():
            state.average[name].lerp_(parameter.detach(), 1 - config.optimiser.averaging)
    state.tasks += size
    # Numbers are asked of the device at the end: until here it had work without waiting.
    scores = [dice_of_logits(answer, *_truth(batch[n], trainee.device)) for n, answer in answers]
    cells = sum(grid[0].numel() for grid in grids)
    return Outcome(sum(map(float, losses)), sum(scores), len(batch), cells, answer_cells)


def with_earlier_answers(config: Config, batch: Sequence[Numbered], trainee: Trainee) -> tuple[list[Tensor], int]:
    """Returns the channels of each episode with an earlier answer of the network itself, and strokes where that is
    wrong, where the draw says so, and some optional ones blanked; and the cells on which the network answered for that.
    """
    grids = [numbered.episode.channels.clone() for numbered in batch]
    chances = [Generator().manual_seed(config.run.seed * 7919 + numbered.number) for numbered in batch]
    asked: dict[int, Tensor] = {}
    for n, (numbered, chance) in enumerate(zip(batch, chances, strict=True)):
        overview = numbered.episode.overview
        if happens(chance, REPEAT if overview is None else OVERVIEW) and not numbered.episode.recalled:
            asked[n] = grids[n] if overview is None else overview
    for n, logits in _answers(asked, trainee).items():
        window = batch[n].episode.window
        answer = torch.sigmoid(logits).to(grids[n].device)
        answer = answer if window is None else resample(answer, window)
        grids[n][PREVIOUS] = 2 * answer - 1
        if happens(chances[n], STROKED):
            episode = batch[n].episode
            chance = Generator().manual_seed(config.run.seed * 104729 + batch[n].number)
            strokes = draw_strokes(answer > 0.5, episode.target > 0.5, episode.weight > 0, chance)
            grids[n][list(STROKES)] = strokes
            if happens(chances[n], UNSEEN):
                grids[n][PREVIOUS] = 0
    for grid, chance in zip(grids, chances, strict=True):
        for channel in OPTIONAL:
            if uniform(chance, 0, 1) < DROP:
                grid[channel] = 0
    return grids, sum(grid[0].numel() for grid in asked.values())


@torch.no_grad()
def _answers(asked: dict[int, Tensor], trainee: Trainee) -> dict[int, Tensor]:
    numbers = list(asked)
    answers = {}
    for group in same_shapes(list(asked.values()), trainee.together):
        logits, _ = trainee.answers([asked[numbers[n]] for n in group])
        answers.update({numbers[n]: answer for n, answer in zip(group, logits, strict=True)})
    return answers


def same_shapes(grids: Sequence[Tensor], together: bool) -> list[list[int]]:
    """Returns positions of the grids that run as one batch: those of one shape, or each alone."""
    if not together:
        return [[n] for n in range(len(grids))]
    groups: dict[torch.Size, list[int]] = {}
    for n, grid in enumerate(grids):
        groups.setdefault(grid.shape, []).append(n)
    return list(groups.values())


def _truth(numbered: Numbered, device: str) -> tuple[Tensor, Tensor]:
    return numbered.episode.target.to(device), numbered.episode.weight.to(device)


def learning_rate(config: Config, tasks: int) -> float:
    """Linear warm-up, then a cosine to zero at the last task, or constant until the decay."""
    settings = config.optimiser
    if tasks < settings.warmup:
        return settings.learning_rate * (tasks + 1) / settings.warmup
    if settings.decay:
        return settings.learning_rate * min(1.0, (settings.tasks - tasks) / settings.decay)
    share = (tasks - settings.warmup) / max(1, settings.tasks - settings.warmup)
    return settings.learning_rate * 0.5 * (1 + math.cos(math.pi * min(1.0, share)))
