"""Objects of a kind, of which a few are drawn: which cells of the same volume look as if they were in another.

A cascade, as in Viola and Jones (Rapid object detection using a boosted cascade of simple features, CVPR 2001): a few
numbers of every cell leave those that could be; their surroundings decide.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Generator, Tensor

from ..progress import Progress
from .context import HERE, PLACES, Context
from .locator import drawn
from .object_view import INSIDE, ObjectView, dilated, random_paste, random_turn
from .perceptron import Perceptron, learn

#: Cells whose surroundings are looked at, at most: those that are most likely by the screen.
MOST_LIKELY = 1_500_000
HIDDEN, SCREEN_HIDDEN = 48, 16
#: Views of all examples together, at least two of each, and cells of each: half in them, half in the shell around.
VIEWS, CELLS_PER_VIEW = 24, 2000
#: Cells from anywhere, and from where no object is known to be.
ANYWHERE, KNOWN = 24000, 12000
#: Share of the examples' cells that the screen may lose.
LOST = 0.01
#: By so much the odds of a cell are raised, as so many cells outside are learnt from for each inside.
BALANCE = 2.0
#: Which reach the shell has: wide enough for the border, and too thin for the next one of a row of objects.
SHELL = 1
#: A cell is clear of an object up to this share.
CLEAR = 0.1
#: Cells answered at a time.
PIECE = 65536


@dataclass(frozen=True)
class Detector:
    """Two perceptrons: `screen` on a few numbers of every cell, which passes from `least` on, then `decide`."""

    screen: Perceptron
    least: float
    decide: Perceptron

    def probability(self, view: ObjectView, progress: Progress) -> Tensor:
        """Of each cell (k, j, i), 0…1, that it lies in an object of the kind; 0 where the screen does not pass."""
        planes = [self.screen.probabilities(view.context.plane(k))[:, 0] for k in range(view.values.shape[0])]
        passed = torch.cat(planes)
        likely = (passed >= self.least).nonzero()[:, 0]
        if len(likely) > MOST_LIKELY:
            likely = likely[passed[likely].topk(MOST_LIKELY).indices]
        found = torch.zeros_like(passed)
        for cells in likely.split(PIECE):
            progress.check()
            probability = self.decide.probabilities(view.context.of(cells))[:, 0]
            found[cells] = BALANCE * probability / (1 + (BALANCE - 1) * probability)
        return found.reshape(view.values.shape)


def learn_to_detect(
    view: ObjectView, unknown: Tensor, wrong: Tensor, generator: Generator, progress: Progress
) -> Detector:
    """Learns from the examples of a view.

    `wrong` (k, j, i) marks cells known not to be in an object, `unknown` those from which others may be drawn at
    random, in the hope that few of them are.
    """
    lessons = _of_examples(view, generator, progress)
    for cells, count in ((unknown, ANYWHERE), (wrong, KNOWN)):
        chosen = drawn(cells & (view.share < CLEAR), count, generator)
        if len(chosen):
            lessons.append((view.context.of(chosen), torch.zeros(len(chosen), 1)))
    features, targets = (torch.cat(parts) for parts in zip(*lessons, strict=True))
    decide = learn(features, targets, HIDDEN, generator, progress)
    blurs = features[:, HERE::PLACES]
    screen = learn(blurs, targets, SCREEN_HIDDEN, generator, progress)
    passed = screen.probabilities(blurs[targets[:, 0] > INSIDE])[:, 0].sort().values
    return Detector(screen, float(passed[int(LOST * len(passed))]), decide)


def _of_examples(view: ObjectView, generator: Generator, progress: Progress) -> list[tuple[Tensor, Tensor]]:
    """Features and targets of cells in the examples and in the shell around each, as drawn and otherwise turned."""
    found = []
    for number in range(max(VIEWS, 2 * len(view.windows))):
        progress.check()
        window = view.windows[number % len(view.windows)]
        values, share = view.values[window], view.share[window]
        if number >= len(view.windows):
            values, share = random_turn(values, share, view.cell_mm, generator)
            if number % 2:
                values, share = random_paste(values, share, view, generator)
        inside = share > INSIDE
        sides = (inside, dilated(inside, view.reaches[SHELL]) & (share < CLEAR))
        cells = torch.cat([drawn(side, CELLS_PER_VIEW // 2, generator) for side in sides])
        targets = (share.flatten()[cells][:, None] > INSIDE).float()
        found.append((Context(values, view.reaches).of(cells), targets))
    return found
