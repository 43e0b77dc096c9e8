"""Annotated slices in, a 3D segmentation out: a first answer at once, then the adapted and gated one.

Knows nothing of files, HTTP or Slicer; its callers show progress, cancel, and keep the result.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np

from ..annotation import Annotation
from ..engine import Engine
from ..errors import InputError
from ..export import default_name
from ..memory import peak_memory_mb
from ..prompts import box_limits, structure_box
from ..roi import Box, grown
from ..segmentation import AUTO, Budget, NextSlice, Region, Segmentation, StructureResult
from ..strategies import MetaStrategy, Strategy, all_strategies
from ..volume import Volume
from ..watch import Watch
from .answer import Answer, coarse_answer, prompt_for
from .case import cut_out, extent_on_slices, region_of, shifted
from .compose import Placed, compose
from .gate import IN_CONTEXT, Case, Decision, Gate
from .next_slice import suggest_next_slice

#: The box grows by this factor where the mask touches its faces, at most so many times.
GROWTH, GROWTH_ROUNDS = 1.5, 3
#: Share of a face's cells that the mask must cover to count as touching: a few stray cells are no reason to grow.
TOUCHING = 0.01


@dataclass(frozen=True)
class Found:
    """A structure located: its case, in the coordinates of a region of the volume."""

    case: Case
    region: Region

    def placed(self, answer: Answer) -> Placed:
        return Placed(self.case.support.structure, self.region, answer)


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
        found = self._first_answers(volume, annotation, watch)
        if preview:
            preview(compose(annotation, [f.placed(f.case.first) for f in found]).labels)
        gate = Gate(self.strategies, self.engine, budget, seed, watch)
        decisions = []
        for number, item in enumerate(found):
            watch.enter("adapting", 0.3 + 0.6 * number / len(found))
            watch.spend(1 / (len(found) - number))
            decisions.append(gate.decide(item.case) if strategy == AUTO else gate.answer_with(strategy, item.case))
        watch.enter("composing", 0.9)
        result = self._result(volume, annotation, found, decisions, watch)
        watch.progress("done", 1.0)
        return result

    def suggest(self, volume: Volume, annotation: Annotation, watch: Watch | None = None) -> NextSlice | None:
        """The next slice worth annotating; without adapting, which hardly moves where the answer is unsure."""
        return self.segment(volume, annotation, Budget(seconds=0), watch=watch).next_slice

    def _first_answers(self, volume: Volume, annotation: Annotation, watch: Watch) -> list[Found]:
        found = []
        for number, structure in enumerate(annotation.structures):
            watch.enter("first answer", 0.3 * number / len(annotation.structures))
            found.append(locate(volume, annotation, structure, self.strategies[IN_CONTEXT], self.engine, watch))
        watch.leave()
        return found

    def _result(
        self,
        volume: Volume,
        annotation: Annotation,
        found: Sequence[Found],
        decisions: Sequence[Decision],
        watch: Watch,
    ) -> Segmentation:
        map_ = compose(annotation, [f.placed(d.answer) for f, d in zip(found, decisions, strict=True)])
        millilitres = float(np.prod(volume.geometry.spacing)) / 1000
        counts = np.bincount(map_.labels[map_.region].ravel(), minlength=256)
        structures = tuple(
            StructureResult(
                label=f.case.support.structure,
                name=annotation.names.get(f.case.support.structure, default_name(f.case.support.structure)),
                voxels=int(counts[f.case.support.structure]),
                volume_ml=float(counts[f.case.support.structure]) * millilitres,
                estimated_dice=d.estimated_dice,
                strategy=d.strategy,
            )
            for f, d in zip(found, decisions, strict=True)
        )
        suggestion = suggest_next_slice(map_, annotation)
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


def locate(
    volume: Volume, annotation: Annotation, structure: int, strategy: Strategy, engine: Engine, watch: Watch
) -> Found:
    """Finds the structure's box, growing it where the first answer touches its faces."""
    extent = extent_on_slices(annotation, structure)
    shape = annotation.labels.shape
    box = structure_box(extent, volume.geometry.spacing_kji, shape)
    limits = box_limits(extent, shape)
    for _ in range(GROWTH_ROUNDS + 1):
        watch.check()
        found = _answer_in(volume, annotation, structure, box, strategy, engine)
        larger = grown(box, _touching(found.case.first), GROWTH, limits)
        if larger == box:
            break
        box = larger
    return found


def _answer_in(
    volume: Volume, annotation: Annotation, structure: int, box: Box, strategy: Strategy, engine: Engine
) -> Found:
    region = region_of(box, annotation.labels.shape)
    support = cut_out(volume, annotation, structure, region)
    prompt = prompt_for(support.scene, structure, shifted(box, region))
    first = coarse_answer(strategy, {}, support.scene, structure, prompt, engine)
    return Found(Case(support, prompt, first), region)


def _touching(answer: Answer) -> list[tuple[bool, bool]]:
    mask = answer.probability > 0.5
    shares = [mask.movedim(axis, 0).flatten(1).float().mean(1) for axis in range(3)]
    return [(bool(s[0] > TOUCHING), bool(s[-1] > TOUCHING)) for s in shares]
