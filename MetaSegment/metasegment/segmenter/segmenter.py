"""Annotated slices in, a 3D segmentation out: a first answer at once, then the adapted and gated one.

Knows nothing of files, HTTP or Slicer; its callers show progress, cancel, and keep the result.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np

from ..annotation import Annotation, empty_annotation
from ..errors import InputError
from ..export import default_name
from ..memory import peak_memory_mb
from ..network.engine import Engine
from ..progress import Progress
from ..regrid import label_counts
from ..segmentation import AUTO, Budget, NextSlice, Segmentation, StructureResult
from ..strategies import MetaStrategy, Strategy, all_strategies
from ..task import Task
from ..volume import Volume
from .apply import RECALLED, placed, recall, require_structures, what_shows, with_confidence
from .compose import Placed, compose
from .fuse_prior import fuse_prior
from .gate import IN_CONTEXT, Gate
from .locate import Found, Prior, SegmentRequest, locate
from .next_slice import suggest_next_slice
from .remarks import with_remarks
from .teach import subjects_of, teach


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
        progress: Progress | None = None,
        preview: Callable[[np.ndarray], None] | None = None,
    ) -> Segmentation:
        """Segments every annotated structure of a volume.

        `strategy` names one, or "auto" lets the gate choose for each structure. `preview` receives the first answer as
        labels (k, j, i). The result is the same for the same seed and device, unless time ran out. Raises InputError
        for a strategy that does not exist or was not meta-trained, and Cancelled when the progress says so.
        """
        if strategy != AUTO and strategy not in self.strategies:
            raise InputError(f"no strategy {strategy!r}: use auto or one of {', '.join(sorted(self.strategies))}")
        if isinstance(self.strategies.get(strategy), MetaStrategy):
            self.engine.learnt(strategy)  # refused before the work, not after the first answer
        progress = progress or Progress()
        progress.start(budget.seconds)
        request = SegmentRequest(volume, annotation, {}, annotation.names)
        return with_remarks(self._answered(request, budget, strategy, seed, progress, preview), volume)

    def suggest(self, volume: Volume, annotation: Annotation, progress: Progress | None = None) -> NextSlice | None:
        """The next slice worth annotating; without adapting, which hardly moves where the answer is unsure."""
        return self.segment(volume, annotation, Budget(seconds=0), progress=progress).next_slice

    def teach(
        self,
        volume: Volume,
        annotation: Annotation,
        earlier: Task | None = None,
        progress: Progress | None = None,
        seed: int = 0,
    ) -> Task:
        """What a segmented volume teaches for the next patient; `earlier`, a task of the same structures, grows by it.

        Every voxel must be known, as `completed` makes an annotation with an answer. Raises InputError where one is
        not, or the structures are others than the earlier task's.
        """
        return teach(volume, annotation, self.engine.checksum, earlier, seed, progress or Progress())

    def apply(
        self,
        task: Task,
        volume: Volume,
        annotation: Annotation | None = None,
        budget: Budget = Budget(),  # noqa: B008 (frozen)
        seed: int = 0,
        progress: Progress | None = None,
        preview: Callable[[np.ndarray], None] | None = None,
        earlier: np.ndarray | None = None,
    ) -> Segmentation:
        """Finds a task's structures in a volume, with the help of slices where some are annotated.

        Labels of the annotation are the task's, and so are those of `earlier`, what was found in an earlier frame:
        uint8 (k, j, i) on the same grid, it says where to look for what no slice shows. Raises InputError for a task
        made for other weights and for structures it does not have; otherwise as `segment`.
        """
        progress = progress or Progress()
        progress.start(budget.seconds)
        annotation = annotation or empty_annotation(volume.geometry)
        require_structures(task, annotation)
        subjects = subjects_of(task, self.engine.checksum)
        progress.enter("looking for the structures", 0.0)
        priors = recall(task, subjects, volume, what_shows(annotation, earlier), self.engine, progress)
        request = SegmentRequest(volume, annotation, priors, task.names)
        result = self._answered(request, budget, AUTO, seed, progress, preview)
        return with_remarks(with_confidence(result, task, priors), volume)

    def _answered(
        self,
        request: SegmentRequest,
        budget: Budget,
        strategy: str,
        seed: int,
        progress: Progress,
        preview: Callable[[np.ndarray], None] | None,
    ) -> Segmentation:
        annotation = request.annotation
        undrawn = [_recalled(request, structure, prior) for structure, prior in request.undrawn.items()]
        found = self._first_answers(request, progress)
        if preview:
            first = [u.placed for u in undrawn] + [f.placed(f.case.preview) for f in found]
            preview(compose(annotation, first).labels)
        gate = Gate(self.strategies, self.engine, budget, seed, progress)
        findings = undrawn
        for number, item in enumerate(found):
            progress.enter("adapting", 0.3 + 0.6 * number / len(found))
            progress.allot(1 / (len(found) - number))
            decided = gate.decide(item.case) if strategy == AUTO else gate.answer_with(strategy, item.case)
            prior = request.priors.get(item.case.support.structure)
            answer = fuse_prior(decided.answer, item.case, prior.fit) if prior else decided.answer
            findings.append(Finding(item.placed(answer), decided.strategy, decided.estimated_dice))
        progress.enter("composing", 0.9)
        result = self._result(request, findings, progress)
        progress.report("done", 1.0)
        return result

    def _first_answers(self, request: SegmentRequest, progress: Progress) -> list[Found]:
        structures, found = request.annotation.structures, []
        for number, structure in enumerate(structures):
            progress.enter("first answer", 0.3 * number / len(structures))
            prior = request.priors.get(structure)
            thought = prior.answer if prior else None
            found.append(locate(request, structure, thought, self.strategies[IN_CONTEXT], self.engine, progress))
        return found

    def _result(self, request: SegmentRequest, findings: Sequence[Finding], progress: Progress) -> Segmentation:
        map_ = compose(request.annotation, [f.placed for f in findings])
        millilitres = float(np.prod(request.volume.geometry.spacing)) / 1000
        counts = label_counts(map_.labels[map_.region])
        structures = tuple(
            StructureResult(
                label=label,
                name=request.names.get(label, default_name(label)),
                voxels=int(counts[label]),
                volume_ml=float(counts[label]) * millilitres,
                estimated_dice=f.estimated_dice,
                strategy=f.strategy,
            )
            for label, f in sorted((f.placed.structure, f) for f in findings)
        )
        suggestion = suggest_next_slice(map_, request.annotation)
        progress.leave()
        return Segmentation(
            map_,
            structures,
            suggestion,
            dict(progress.seconds),
            self.engine.device,
            peak_memory_mb(),
            tuple(self.engine.notes),
        )


def _recalled(request: SegmentRequest, structure: int, prior: Prior) -> Finding:
    """A structure as the task finds it, without slices."""
    shape = request.annotation.labels.shape
    return Finding(placed(prior.answer, structure, shape), RECALLED, prior.expected_dice)
