"""Annotated slices in, a 3D segmentation out: a first answer at once, then the adapted and gated one.

Knows nothing of files, HTTP or Slicer; its callers show progress, cancel, and keep the result.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np

from ..annotation import Annotation, empty_annotation
from ..engine import Engine
from ..errors import InputError
from ..export import default_name
from ..lattice import label_counts
from ..memory import peak_memory_mb
from ..segmentation import AUTO, Budget, NextSlice, Segmentation, StructureResult
from ..strategies import MetaStrategy, Strategy, all_strategies
from ..task import Task
from ..volume import Volume
from ..watch import Watch
from .apply import RECALLED, placed, recalled, require_structures, what_shows, with_confidence
from .compose import Placed, compose
from .gate import IN_CONTEXT, Gate
from .lean import leaning
from .locate import Found, Prior, Question, locate
from .next_slice import suggest_next_slice
from .teach import lessons_of, taught


@dataclass(frozen=True)
class Finding:
    """The answer for one structure, where it came from, and its expected Dice, 0…1."""

    placed: Placed
    strategy: str
    estimated_dice: float


@dataclass
class Segmenter:
    """The learner on a device, for any number of volumes.

    >>> segmenter = Segmenter(Engine(load_network(), "cpu"))
    >>> result = segmenter.segment(read_volume("ct.nrrd"), annotation)
    """

    engine: Engine
    strategies: dict[str, Strategy] = field(default_factory=all_strategies)

    def segment(
        self,
        volume: Volume,
        annotation: Annotation,
        budget: Budget = Budget(),  # noqa: B008 (frozen)
        strategy: str = AUTO,
        seed: int = 0,
        watch: Watch | None = None,
        preview: Callable[[np.ndarray], None] | None = None,
    ) -> Segmentation:
        """Segments every annotated structure of a volume.

        `strategy` names one, or "auto" lets the gate choose for each structure. `preview` receives the first answer as
        labels (k, j, i). The result is the same for the same seed and device, unless time ran out. Raises InputError
        for a strategy that does not exist or was not meta-trained, and Cancelled when the watch says so.
        """
        if strategy != AUTO and strategy not in self.strategies:
            raise InputError(f"no strategy {strategy!r}: use auto or one of {', '.join(sorted(self.strategies))}")
        if isinstance(self.strategies.get(strategy), MetaStrategy):
            self.engine.learnt(strategy)  # refused before the work, not after the first answer
        watch = watch or Watch()
        watch.start(budget.seconds)
        return self._answered(
            Question(volume, annotation, {}, annotation.names), budget, strategy, seed, watch, preview
        )

    def suggest(self, volume: Volume, annotation: Annotation, watch: Watch | None = None) -> NextSlice | None:
        """The next slice worth annotating; without adapting, which hardly moves where the answer is unsure."""
        return self.segment(volume, annotation, Budget(seconds=0), watch=watch).next_slice

    def teach(
        self,
        volume: Volume,
        annotation: Annotation,
        earlier: Task | None = None,
        watch: Watch | None = None,
        seed: int = 0,
    ) -> Task:
        """What a segmented volume teaches for the next patient; `earlier`, a task of the same structures, grows by it.

        Every voxel must be known, as `completed` makes an annotation with an answer. Raises InputError where one is
        not, or the structures are others than the earlier task's.
        """
        return taught(volume, annotation, self.engine.checksum, earlier, seed, watch or Watch())

    def apply(
        self,
        task: Task,
        volume: Volume,
        annotation: Annotation | None = None,
        budget: Budget = Budget(),  # noqa: B008 (frozen)
        seed: int = 0,
        watch: Watch | None = None,
        preview: Callable[[np.ndarray], None] | None = None,
        earlier: np.ndarray | None = None,
    ) -> Segmentation:
        """Finds a task's structures in a volume, with the help of slices where some are annotated.

        Labels of the annotation are the task's, and so are those of `earlier`, what was found in an earlier frame:
        uint8 (k, j, i) on the same grid, it says where to look for what no slice shows. Raises InputError for a task
        made for other weights and for structures it does not have; otherwise as `segment`.
        """
        watch = watch or Watch()
        watch.start(budget.seconds)
        annotation = annotation or empty_annotation(volume.geometry)
        require_structures(task, annotation)
        lessons = lessons_of(task, self.engine.checksum)
        watch.enter("looking for the structures", 0.0)
        priors = recalled(task, lessons, volume, what_shows(annotation, earlier), self.engine, watch)
        question = Question(volume, annotation, priors, task.names)
        result = self._answered(question, budget, AUTO, seed, watch, preview)
        return with_confidence(result, task, priors)

    def _answered(
        self,
        question: Question,
        budget: Budget,
        strategy: str,
        seed: int,
        watch: Watch,
        preview: Callable[[np.ndarray], None] | None,
    ) -> Segmentation:
        annotation = question.annotation
        undrawn = [_recalled(question, structure, prior) for structure, prior in question.undrawn.items()]
        found = self._first_answers(question, watch)
        if preview:
            first = [u.placed for u in undrawn] + [f.placed(f.case.first) for f in found]
            preview(compose(annotation, first).labels)
        gate = Gate(self.strategies, self.engine, budget, seed, watch)
        findings = undrawn
        for number, item in enumerate(found):
            watch.enter("adapting", 0.3 + 0.6 * number / len(found))
            watch.spend(1 / (len(found) - number))
            decided = gate.decide(item.case) if strategy == AUTO else gate.answer_with(strategy, item.case)
            prior = question.priors.get(item.case.support.structure)
            answer = leaning(decided.answer, item.case, prior.fit) if prior else decided.answer
            findings.append(Finding(item.placed(answer), decided.strategy, decided.estimated_dice))
        watch.enter("composing", 0.9)
        result = self._result(question, findings, watch)
        watch.progress("done", 1.0)
        return result

    def _first_answers(self, question: Question, watch: Watch) -> list[Found]:
        structures, found = question.annotation.structures, []
        for number, structure in enumerate(structures):
            watch.enter("first answer", 0.3 * number / len(structures))
            prior = question.priors.get(structure)
            thought = prior.answer if prior else None
            found.append(locate(question, structure, thought, self.strategies[IN_CONTEXT], self.engine, watch))
        return found

    def _result(self, question: Question, findings: Sequence[Finding], watch: Watch) -> Segmentation:
        map_ = compose(question.annotation, [f.placed for f in findings])
        millilitres = float(np.prod(question.volume.geometry.spacing)) / 1000
        counts = label_counts(map_.labels[map_.region])
        structures = tuple(
            StructureResult(
                label=label,
                name=question.names.get(label, default_name(label)),
                voxels=int(counts[label]),
                volume_ml=float(counts[label]) * millilitres,
                estimated_dice=f.estimated_dice,
                strategy=f.strategy,
            )
            for label, f in sorted((f.placed.structure, f) for f in findings)
        )
        suggestion = suggest_next_slice(map_, question.annotation)
        watch.leave()
        return Segmentation(
            map_,
            structures,
            suggestion,
            dict(watch.seconds),
            self.engine.device,
            peak_memory_mb(),
            tuple(self.engine.notes),
        )


def _recalled(question: Question, structure: int, prior: Prior) -> Finding:
    """A structure as the task finds it, without slices."""
    shape = question.annotation.labels.shape
    return Finding(placed(prior.answer, structure, shape), RECALLED, prior.expected_dice)
