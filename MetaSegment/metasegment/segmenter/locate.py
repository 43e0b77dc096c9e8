"""Finding an annotated structure: the box it is worked on in, and a first answer there."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from ..annotation import Annotation
from ..grid import Box, grown, united
from ..network.engine import Engine
from ..progress import Progress
from ..prompts import box_limits, holding, structure_box
from ..strategies import Query, Strategy
from ..volume import Volume
from .answer import Answer, coarse_answer, informed, prompt_for, seen_from
from .case import Case
from .cut_out import cut_out, extent_on_slices, with_stroked

#: The box grows by this factor where the mask touches its faces, at most so many times.
GROWTH, GROWTH_ROUNDS = 1.5, 3
#: Share of a face's cells that the mask must cover to count as touching: a few stray cells are no reason to grow.
TOUCHING = 0.01


@dataclass(frozen=True)
class Prior:
    """What was thought of a structure before any slice was seen, and the Dice that is expected of it, 0…1; `fit` is its
    Dice on the slices, else with an earlier frame, 0 where neither shows the structure.
    """

    answer: Answer
    expected_dice: float
    fit: float = 0.0


@dataclass(frozen=True, eq=False)
class SegmentRequest:
    """A volume with its annotated slices, what was thought of structures before, by label, and their names.

    Priors are on grids in the volume's voxel-edge coordinates.
    """

    volume: Volume
    annotation: Annotation
    priors: Mapping[int, Prior] = field(default_factory=dict)
    names: Mapping[int, str] = field(default_factory=dict)

    @property
    def undrawn(self) -> dict[int, Prior]:
        """The priors of structures that no slice shows."""
        return {label: prior for label, prior in self.priors.items() if label not in self.annotation.structures}


def locate(
    request: SegmentRequest,
    structure: int,
    prior: Answer | None,
    strategy: Strategy,
    engine: Engine,
    progress: Progress,
) -> Case:
    """Makes the case of an annotated structure in a box around it, and around what was thought of it before.

    The box grows where the first answer touches its faces, then to hold what was stroked.
    A stroke within the box leaves it as it is: on another grid the answer changes far from the stroke.
    """
    annotation, spacing = request.annotation, request.volume.geometry.spacing_kji
    shape = annotation.labels.shape
    extent = extent_on_slices(annotation, structure)
    stroked = with_stroked(extent, annotation, structure)
    limits = box_limits(stroked, shape)
    box = structure_box(extent, spacing, shape)
    if prior:
        box = united(box, prior.grid.box.clipped(limits))

    def answered(box: Box) -> Case:
        progress.check()
        return _answer_in(request, structure, box, prior, strategy, engine)

    found = answered(box)
    for _ in range(GROWTH_ROUNDS):
        larger = grown(box, _touching(found.first), GROWTH, limits)
        if larger == box:
            break
        box, found = larger, answered(larger)
    held = holding(box, stroked, limits)
    return found if held == box else answered(held)


def _answer_in(
    request: SegmentRequest, structure: int, box: Box, prior: Answer | None, strategy: Strategy, engine: Engine
) -> Case:
    region = box.region(request.annotation.labels.shape)
    support = cut_out(request.volume, request.annotation, structure, region)
    prompt = prompt_for(support.scene, structure, box.seen_from(region))
    if prior:
        prior = seen_from(region, prior)
    query = informed(Query(support.scene, structure, prompt, prompt.grid), prior)
    return Case(region, support, query, coarse_answer(strategy, {}, query, engine), prior)


def _touching(answer: Answer) -> list[tuple[bool, bool]]:
    mask = answer.probability > 0.5
    shares = [mask.movedim(axis, 0).flatten(1).float().mean(1) for axis in range(3)]
    return [(bool(s[0] > TOUCHING), bool(s[-1] > TOUCHING)) for s in shares]
