"""The gate: hides annotated slices one at a time, sees which answer finds them again, and picks or blends per structure.

It never looks at anything but annotated slices; what it measures also feeds the quality estimate.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import mean

import torch
from torch import Tensor

from ..engine import Engine
from ..prompts import Prompt, known_fractions, make_prompt
from ..roi import Grid
from ..strategies import Lesson, Query, State, Strategy, Support
from .answer import Answer, refined
from .quality import Evidence, estimated_dice, expected_overlap, overlap
from .watch import Watch

#: Neither learns anything: the first is blended with the second, or with whatever beats the second.
CLASSICAL, IN_CONTEXT = "interpolation", "in_context"
#: Slices hidden at most: each costs a forward pass.
MOST_FOLDS = 4
#: A strategy that learns is judged on a slice it has not seen, with two or more to learn from.
FOLDS_TO_JUDGE = 3
#: Dice on that slice by which it must lead.
LEAST_LEAD = 0.01
#: Shares of interpolation that are tried, each with the Dice it is given back: hiding a slice doubles the gap there,
#: which hurts interpolation most. Fitted on the validation structures (README, Accuracy).
SHARES = {0.0: 0.0, 0.25: 0.05, 0.5: 0.08, 0.75: 0.09, 1.0: 0.10}


@dataclass(frozen=True)
class Budget:
    """What adapting may cost: it stops at `seconds`, at `steps` gradient steps, or once the estimated Dice is `quality`."""

    seconds: float = 12.0
    steps: int = 15
    quality: float = 0.97


@dataclass(frozen=True)
class Case:
    """One structure as the gate sees it: what is annotated, the prompt of all of it, and the first, in-context answer."""

    support: Support
    prompt: Prompt
    first: Answer

    @property
    def query(self) -> Query:
        return Query(self.support.scene, self.support.structure, self.prompt, self.prompt.grid)


@dataclass(frozen=True)
class Fold:
    """One hidden slice: the lesson it makes, and the query that the other slices make."""

    lesson: Lesson
    query: Query


@dataclass(frozen=True)
class Decision:
    """The answer for a structure, the strategy or blend it came from, and its expected Dice, 0…1."""

    answer: Answer
    strategy: str
    estimated_dice: float


@dataclass(frozen=True)
class Gate:
    """Decides for one structure at a time."""

    strategies: Mapping[str, Strategy]
    engine: Engine
    budget: Budget
    seed: int
    watch: Watch

    def decide(self, case: Case) -> Decision:
        """Adapts where that helps, blends with interpolation where that helps, and answers."""
        folds = make_folds(case.support, case.prompt.grid)
        learned, state = self.strategies[IN_CONTEXT], self._taught(self.strategies[IN_CONTEXT], [])
        classical = self.strategies[CLASSICAL]
        on_folds = self._predicted(learned, state, folds)
        share, again = best_share(folds, on_folds, self._predicted(classical, {}, folds))
        quality = self._quality(case, again)
        if quality < self.budget.quality and len(folds) >= FOLDS_TO_JUDGE:
            learned, state = self._best_learner(folds, on_folds)
        members = [(1 - share, learned, state), (share, classical, {})]
        answer = refined([m for m in members if m[0] > 0], case.query, case.first, self.engine)
        return Decision(answer, _described(learned.name, share), quality)

    def answer_with(self, name: str, case: Case) -> Decision:
        """The answer of one strategy as it is, with its expected Dice."""
        folds = make_folds(case.support, case.prompt.grid)
        strategy = self.strategies[name]
        state = self._taught(strategy, folds)
        on_folds = self._predicted(strategy, state, folds)
        again = mean(dice_on(f.lesson, p) for f, p in zip(folds, on_folds, strict=True)) if folds else None
        answer = refined([(1.0, strategy, state)], case.query, case.first, self.engine)
        return Decision(answer, name, self._quality(case, again))

    def _best_learner(self, folds: Sequence[Fold], in_context: Sequence[Tensor]) -> tuple[Strategy, State]:
        """The strategy that finds an unseen slice best, taught with all slices; in-context unless one leads it clearly."""
        middle = len(folds) // 2
        judged, others = folds[middle], [f for n, f in enumerate(folds) if n != middle]
        best, score = self.strategies[IN_CONTEXT], dice_on(judged.lesson, in_context[middle]) + LEAST_LEAD
        for name, strategy in self.strategies.items():
            if name in (CLASSICAL, IN_CONTEXT) or not self.watch.heartbeat():
                continue
            state = self._taught(strategy, others)
            found = dice_on(judged.lesson, self._predicted(strategy, state, [judged])[0])
            if found > score:
                best, score = strategy, found
        return best, self._taught(best, folds)

    def _taught(self, strategy: Strategy, folds: Sequence[Fold]) -> State:
        lessons = [f.lesson for f in folds]
        return strategy.fit(lessons, self.engine, self.budget.steps, self.seed, self.watch.heartbeat)

    def _predicted(self, strategy: Strategy, state: State, folds: Sequence[Fold]) -> list[Tensor]:
        probabilities = []
        for fold in folds:
            self.watch.check()
            probabilities.append(torch.sigmoid(strategy.predict(state, fold.query, self.engine)))
        return probabilities

    def _quality(self, case: Case, again: float | None) -> float:
        probability = torch.sigmoid(case.first.logits)
        classical = self.strategies[CLASSICAL].predict({}, case.query, self.engine)
        inside, outside = known_fractions(case.support.scene, case.support.structure, case.prompt.grid)
        unknown = inside + outside == 0
        agreement = overlap((probability > 0.5)[unknown], (classical > 0)[unknown])
        return estimated_dice(Evidence(again, expected_overlap(probability, unknown), agreement))


def best_share(
    folds: Sequence[Fold], learned: Sequence[Tensor], classical: Sequence[Tensor]
) -> tuple[float, float | None]:
    """The share of interpolation that finds hidden slices best, and the Dice without any; no share without folds."""
    if not folds:
        return 0.0, None
    found = {
        share: mean(
            dice_on(f.lesson, torch.lerp(a, b, share)) for f, a, b in zip(folds, learned, classical, strict=True)
        )
        for share in SHARES
    }
    return max(SHARES, key=lambda share: found[share] + SHARES[share]), found[0.0]


def make_folds(support: Support, grid: Grid) -> list[Fold]:
    """Folds for evenly chosen slices that show the structure; none where fewer than two do."""
    shown = [n for n in range(len(support.sheets)) if support.shown_in(n)]
    if len(shown) < 2:
        return []
    count = min(MOST_FOLDS, len(shown))
    chosen = {shown[round(n * (len(shown) - 1) / (count - 1))] for n in range(count)}
    return [_fold(support, grid, hidden) for hidden in sorted(chosen)]


def dice_on(lesson: Lesson, probability: Tensor) -> float:
    """Dice of a thresholded probability (k, j, i) on the cells of a hidden slice."""
    return overlap(probability[lesson.cells] > 0.5, lesson.target[lesson.cells] > 0.5)


def _fold(support: Support, grid: Grid, hidden: int) -> Fold:
    scene = support.without(hidden)
    query = Query(scene, support.structure, make_prompt(scene, support.structure, grid), grid)
    channels = query.channels()
    inside, outside = known_fractions(support.showing([hidden]), support.structure, grid)
    seen = channels[1] + channels[2] > 0
    return Fold(Lesson(channels, (inside >= 0.5).float(), (inside + outside > 0) & ~seen), query)


def _described(learned: str, share: float) -> str:
    if share in (0.0, 1.0):
        return CLASSICAL if share else learned
    return f"{learned} + {share:.0%} {CLASSICAL}"
