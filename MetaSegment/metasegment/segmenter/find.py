"""Many of a kind: a few objects drawn completely, and all others like them in the same volume."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from ..annotation import BACKGROUND
from ..grid import Box, Grid, Triple, resample, to_voxels
from ..memory import peak_memory_mb
from ..network.engine import Engine
from ..objects import FoundObjects
from ..progress import Progress
from ..segmentation import Region
from ..transfer.candidates import Candidate, find_candidates
from ..transfer.object_view import INSIDE, DrawnObject, ObjectView, cells_of, view_objects
from ..volume import Volume
from .answer import Answer
from .correct import corrected
from .examples import examples_in, is_cut, refuse_unusable
from .measure_objects import measured

#: Cells of the grid on which the network outlines a candidate.
CELLS = 32**3
#: Candidates less sure are not reported, and so many at most.
LEAST_CONFIDENCE, MOST_OBJECTS = 0.2, 5000
#: Around a candidate, in cells of the view, what is probable belongs to it as well.
MARGIN = 3
#: A candidate of which a larger share was already found is the same object.
SAME = 0.3


@dataclass(frozen=True, eq=False)
class Outline:
    """An object's mask (k, j, i) on a region of the volume, and how sure it is one."""

    region: Region
    mask: np.ndarray
    confidence: float


def find(
    volume: Volume, drawn: np.ndarray, rejected: np.ndarray | None, engine: Engine, seed: int, progress: Progress
) -> FoundObjects:
    """All objects like those drawn, as `Segmenter.find` says."""
    progress.enter("reading the examples", 0.0)
    spacing, shape = volume.geometry.spacing_kji, drawn.shape
    examples = examples_in(drawn)
    refuse_unusable(examples, shape, spacing)
    none = drawn == BACKGROUND
    if rejected is not None:
        none |= rejected != 0
    image = torch.from_numpy(_signed(volume.array))
    progress.enter("looking for objects", 0.02)
    whole = [example for example in examples if not is_cut(example.region, shape)]
    view = view_objects(image, spacing, whole, progress)
    candidates, probability = find_candidates(view, cells_of(torch.from_numpy(none), view), seed, progress)
    likely = [c for c in candidates if c.confidence >= LEAST_CONFIDENCE][:MOST_OBJECTS]
    outlines = []
    for number, candidate in enumerate(likely):
        progress.enter("outlining", 0.6 + 0.35 * number / len(likely))
        outlines.append(_outlined(candidate, probability, view, image, spacing, engine))
    progress.enter("measuring", 0.95)
    labels, kept = _numbered(examples, outlines, none)
    regions = [example.region for example in examples] + [outline.region for outline in kept]
    confidences = [1.0] * len(examples) + [outline.confidence for outline in kept]
    objects = measured(labels, regions, confidences, len(examples), volume.geometry)
    progress.leave()
    progress.report("done", 1.0)
    return FoundObjects(labels, objects, dict(progress.seconds), engine.device, peak_memory_mb(), tuple(engine.notes))


def _outlined(
    candidate: Candidate, probability: Tensor, view: ObjectView, image: Tensor, spacing: Triple, engine: Engine
) -> Outline:
    """A candidate as the network outlines it; the less sure, the more the network disagrees."""
    part = candidate.part
    starts = [max(0, p.start - MARGIN) for p in part.region]
    stops = [min(n, p.stop + MARGIN) for p, n in zip(part.region, view.values.shape, strict=True)]
    around = tuple(slice(a, b) for a, b in zip(starts, stops, strict=True))
    prior = probability[around].clone()
    own = torch.zeros(prior.shape, dtype=torch.bool)
    own[tuple(slice(p.start - a, p.stop - a) for p, a in zip(part.region, starts, strict=True))] = part.mask
    prior[(prior > INSIDE) & ~own] = 0
    corners = [[n * s for n, s in zip(edges, view.grid.step, strict=True)] for edges in (starts, stops)]
    k, j, i = prior.shape
    first = Answer(Grid(Box.of(*corners), (k, j, i)), prior)
    answer = corrected(first, image, spacing, engine, CELLS)
    before, after = resample(prior, answer.grid.within(first.grid)) > INSIDE, answer.probability > INSIDE
    agreement = float(2 * (before & after).sum() / (before.sum() + after.sum()).clamp(min=1))
    values, region = to_voxels(answer.probability, answer.grid, image.shape)
    return Outline(region, values.numpy() > INSIDE, candidate.confidence * agreement)


def _numbered(
    examples: Sequence[DrawnObject], outlines: Sequence[Outline], none: np.ndarray
) -> tuple[np.ndarray, list[Outline]]:
    """Labels uint16 (k, j, i), examples first and then the outlines that are new, surest first, and these.

    No object is where `none` (k, j, i) says so.
    """
    labels, kept = np.zeros(none.shape, np.uint16), []
    for number, example in enumerate(examples, 1):
        labels[example.region][example.mask.numpy()] = number
    for outline in sorted(outlines, key=lambda o: -o.confidence):
        free = outline.mask & (labels[outline.region] == 0) & ~none[outline.region]
        if np.count_nonzero(free) > (1 - SAME) * np.count_nonzero(outline.mask):
            kept.append(outline)
            labels[outline.region][free] = len(examples) + len(kept)
    return labels, kept


def _signed(array: np.ndarray) -> np.ndarray:
    """In a type that torch calculates with."""
    wider = {"uint16": np.int32, "uint32": np.float32}.get(array.dtype.name)
    return np.ascontiguousarray(array if wider is None else array.astype(wider))
