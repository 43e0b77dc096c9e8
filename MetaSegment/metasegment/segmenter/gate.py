"""The gate: hides annotated slices one at a time, sees which answer finds them again, and picks or blends per
structure.

It never looks at anything but annotated slices; what it measures also feeds the quality estimate.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from statistics import mean

import torch
from torch import Tensor

from ..measures.dice import dice
from ..network.engine import Engine
from ..progress import Progress
from ..prompts import known_fractions
from ..segmentation import Budget
from ..strategies import State, Strategy, TrainingSlice
from .answer import StructureAnswer, refined
from .blend import LEARNED, Blend, best_blend
from .carried import with_carried
from .case import Case
from .cross_section import regularise
from .folds import Fold, make_training_slices
from .quality import Evidence, estimated_dice, expected_overlap
from .stroked import with_strokes

#: These learn nothing: the first is what every learner has to beat, the others are blended with the best of them.
IN_CONTEXT, CLASSICAL = "in_context", ("interpolation", "geodesic", "random_walker")
#: The strategies that are tried where adapting may help; the others are there to be named. Each costs its time.
ADAPTING = ("fine_tune",)
#: A strategy that learns is judged on a slice it has not seen, with two or more to learn from.
FOLDS_TO_JUDGE = 3
#: Dice on that slice by which it must lead: one slice is a noisy judge.
LEAST_LEAD = 0.05


@dataclass(frozen=True)
class Gate:
    """Decides for one structure at a time."""

    strategies: Mapping[str, Strategy]
    engine: Engine
    budget: Budget
    seed: int
    progress: Progress

    def decide(self, case: Case) -> StructureAnswer:
        """Blends with the classical answers where that helps, adapts where that helps, and answers."""
        folds = case.folds()
        learner: Strategy = self.strategies[IN_CONTEXT]
        state: State = {}
        on_folds = self.predicted(learner, state, folds)
        quality = estimated_dice(evidence_of(case, folds, on_folds))
        informed = seeing(folds, on_folds)
        classical = [self.predicted(self.strategies[name], {}, informed) for name in CLASSICAL]
        answers = [
            dict(zip((LEARNED, *CLASSICAL), found, strict=True)) for found in zip(on_folds, *classical, strict=True)
        ]
        blend = best_blend(folds, answers, case.support.slices_shown)
        if LEARNED in blend.weights and quality < self.budget.quality and len(folds) >= FOLDS_TO_JUDGE:
            learner, state = self._best_learner(folds, on_folds)
        answer = refined(self._members(blend, learner, state), case.query, case.first, self.engine)
        answer = with_strokes(with_carried(answer, case.query), case.query)
        answer = regularise(answer, case.support.scene, case.support.structure)
        return case.answered(answer, _described(blend, learner.name), quality)

    def answer_with(self, name: str, case: Case) -> StructureAnswer:
        """Returns the answer of one strategy as it is, with its expected Dice."""
        folds = case.folds()
        strategy = self.strategies[name]
        state = self._taught(strategy, make_training_slices(case.support, case.prompt.grid.box, folds))
        quality = estimated_dice(evidence_of(case, folds, self.predicted(strategy, state, folds)))
        answer = refined([(1.0, strategy, state)], case.query, case.first, self.engine)
        return case.answered(with_strokes(answer, case.query), name, quality)

    def _members(self, blend: Blend, learner: Strategy, state: State) -> list[tuple[float, Strategy, State]]:
        return [
            (weight, learner, state) if name == LEARNED else (weight, self.strategies[name], {})
            for name, weight in blend.weights.items()
        ]

    def _best_learner(self, folds: Sequence[Fold], in_context: Sequence[Tensor]) -> tuple[Strategy, State]:
        """The strategy that finds an unseen slice best, as taught by the others; in-context unless one clearly leads.

        It is not taught again with the judged slice: that would cost as much again, and the slice is a prompt anyway.
        """
        middle = len(folds) // 2
        judged, others = folds[middle], [f for n, f in enumerate(folds) if n != middle]
        best: tuple[Strategy, State] = self.strategies[IN_CONTEXT], {}
        score = judged.dice(in_context[middle]) + LEAST_LEAD
        for strategy in (self.strategies[name] for name in ADAPTING):
            if not self.progress.time_left():
                break
            state = self._taught(strategy, [f.training_slice for f in others])
            found = judged.dice(self.predicted(strategy, state, [judged])[0])
            if found > score:
                best, score = (strategy, state), found
        return best

    def _taught(self, strategy: Strategy, slices: Sequence[TrainingSlice]) -> State:
        try:
            return strategy.fit(slices, self.engine, self.budget.steps, self.seed, self.progress.time_left)
        except torch.OutOfMemoryError:
            self.engine.notes.append(f"out of GPU memory: {strategy.name} did not adapt")
            return {}

    def predicted(self, strategy: Strategy, state: State, folds: Sequence[Fold]) -> list[Tensor]:
        """Returns probabilities with which a strategy finds each fold's slice again."""
        probabilities = []
        for fold in folds:
            self.progress.check()
            probabilities.append(torch.sigmoid(strategy.predict(state, fold.query, self.engine)))
        return probabilities


def seeing(folds: Sequence[Fold], answers: Sequence[Tensor]) -> list[Fold]:
    """Returns the folds with the learned answers (probabilities) as earlier ones, for the members that start
    from them.
    """
    return [
        replace(fold, query=replace(fold.query, previous=answer)) for fold, answer in zip(folds, answers, strict=True)
    ]


def evidence_of(case: Case, folds: Sequence[Fold], answers: Sequence[Tensor]) -> Evidence:
    """Returns what speaks for the in-context answer, and how well `answers` found the folds' slices again."""
    again = mean(fold.dice(answer) for fold, answer in zip(folds, answers, strict=True)) if folds else None
    probability = case.first.probability
    inside, outside = known_fractions(case.support.scene, case.support.structure, case.prompt.grid)
    unknown = inside + outside == 0
    agreement = dice((probability > 0.5)[unknown], (case.prompt.geodesic > 0)[unknown])
    return Evidence(again, expected_overlap(probability, unknown), agreement)


def _described(blend: Blend, learner: str) -> str:
    names = {LEARNED: learner}
    return " + ".join(
        f"{weight:.0%} {names.get(n, n)}" if weight < 1 else names.get(n, n)
        for n, weight in blend.weights.items()
        if weight
    )
