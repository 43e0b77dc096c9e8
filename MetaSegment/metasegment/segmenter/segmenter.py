"""Annotated slices in, a 3D segmentation out: a first answer at once, then the adapted and gated one.

Knows nothing of files, HTTP or Slicer; its callers show progress, cancel, and keep the result.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from ..annotation import Annotation, empty_annotation
from ..errors import InputError
from ..export import default_name
from ..knowledge import seen_for, with_relations
from ..memory import peak_memory_mb
from ..network.engine import Engine
from ..objects import FoundObjects
from ..progress import Progress
from ..regrid import label_counts
from ..segmentation import AUTO, Budget, NextSlice, Segmentation, StructureResult
from ..strategies import MetaStrategy, Strategy, all_strategies
from ..task import Task
from ..volume import Volume
from .answer import StructureAnswer
from .apply import recall, recalled, require_structures, what_shows, with_confidence
from .case import Case
from .compose import compose
from .find import find
from .fuse_prior import fuse_prior
from .gate import IN_CONTEXT, Gate
from .locate import SegmentRequest, locate
from .next_slice import suggest_next_slice
from .remarks import with_remarks
from .teach import subjects_of, teach


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
        if not annotation.relations:
            annotation = with_relations(annotation, task.provenance.relations, annotation.covered)
        subjects = subjects_of(task, self.engine.checksum)
        progress.enter("looking for the structures", 0.0)
        priors = recall(task, subjects, volume, what_shows(annotation, earlier), self.engine, progress)
        request = SegmentRequest(volume, annotation, priors, task.names)
        result = self._answered(request, budget, AUTO, seed, progress, preview)
        return with_remarks(with_confidence(result, task, priors), volume)

    def find(
        self,
        volume: Volume,
        drawn: np.ndarray,
        rejected: np.ndarray | None = None,
        seed: int = 0,
        progress: Progress | None = None,
    ) -> FoundObjects:
        """Finds all objects of a volume that are like those drawn.

        `drawn` is uint8 (k, j, i) on the volume's grid: each connected part of labels 1…254 is an example, drawn
        completely, 255 is known to be in no object, 0 unknown. `rejected` is not 0 on what was found before and is
        none. Raises InputError where there is nothing to learn from, and Cancelled.
        """
        return find(volume, drawn, rejected, self.engine, seed, progress or Progress())

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
        answers = [recalled(p, structure, annotation.labels.shape) for structure, p in request.undrawn.items()]
        cases = self._cases(request, progress)
        if preview:
            first = [*answers, *(case.answered(case.preview, IN_CONTEXT) for case in cases)]
            preview(compose(annotation, first).labels)
        gate = Gate(self.strategies, self.engine, budget, seed, progress)
        for number, case in enumerate(cases):
            progress.enter("adapting", 0.3 + 0.6 * number / len(cases))
            progress.allot(1 / (len(cases) - number))
            decided = gate.decide(case) if strategy == AUTO else gate.answer_with(strategy, case)
            prior = request.priors.get(decided.structure)
            if prior:
                decided = replace(decided, answer=fuse_prior(decided.answer, case, prior.fit))
            answers.append(decided)
        progress.enter("composing", 0.9)
        result = self._result(request, answers, progress)
        progress.report("done", 1.0)
        return result

    def _cases(self, request: SegmentRequest, progress: Progress) -> list[Case]:
        structures, found = request.annotation.structures, []
        for number, structure in enumerate(structures):
            progress.enter("first answer", 0.3 * number / len(structures))
            prior = request.priors.get(structure)
            thought = prior.answer if prior else None
            seen = replace(request, annotation=seen_for(request.annotation, structure))
            found.append(locate(seen, structure, thought, self.strategies[IN_CONTEXT], self.engine, progress))
        return found

    def _result(self, request: SegmentRequest, answers: Sequence[StructureAnswer], progress: Progress) -> Segmentation:
        map_ = compose(request.annotation, answers)
        millilitres = float(np.prod(request.volume.geometry.spacing)) / 1000
        counts = label_counts(map_.labels[map_.region])
        for label, voxels in map_.covered.items():
            counts[label] += len(voxels)
        structures = tuple(
            StructureResult(
                label=label,
                name=request.names.get(label, default_name(label)),
                voxels=int(counts[label]),
                volume_ml=float(counts[label]) * millilitres,
                estimated_dice=answer.estimated_dice,
                strategy=answer.strategy,
            )
            for label, answer in sorted(((a.structure, a) for a in answers), key=lambda pair: pair[0])
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
