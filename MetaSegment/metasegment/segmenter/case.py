"""One structure as it is decided on: what is annotated, what is asked, and the first answer."""

from __future__ import annotations

from dataclasses import dataclass, replace

from ..prompts import Prompt
from ..segmentation import Region
from ..strategies import Query, Support
from .answer import Answer, StructureAnswer, informed
from .carried import with_carried
from .folds import Fold, make_folds
from .stroked import with_strokes


@dataclass(frozen=True)
class Case:
    """What is annotated of a structure, the query of all of it, and the first, in-context answer, all in the
    coordinates of a region of the volume.

    `prior` is what was thought before any slice was seen, if anything.
    """

    region: Region
    support: Support
    query: Query
    first: Answer
    prior: Answer | None = None

    @property
    def prompt(self) -> Prompt:
        return self.query.prompt

    @property
    def preview(self) -> Answer:
        """The first answer with what is carried from slice to slice, and what strokes change."""
        return with_strokes(with_carried(self.first, self.query), self.query)

    def folds(self) -> list[Fold]:
        """Returns its annotated slices hidden one at a time, with the prior, which knows none of them."""
        folds = make_folds(self.support, self.prompt.grid.box)
        return [replace(fold, query=informed(fold.query, self.prior)) for fold in folds]

    def answered(self, answer: Answer, strategy: str, estimated_dice: float = 0.0) -> StructureAnswer:
        """Returns an answer as the one for this structure."""
        return StructureAnswer(self.support.structure, self.region, answer, strategy, estimated_dice)
