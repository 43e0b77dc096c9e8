"""Makes the protocol of pairs: `python -m metasegment.benchmark.freeze_pairs DATA OUTPUT.json` writes `cross-volume-1`.

Looks at labels only, as freeze.py does, and like its protocols this one is never edited. Small on purpose: few pairs
of each data set say what a task is worth, in minutes.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from ..io.files import written_beside
from .freeze import SPLIT, Structure, evenly_annotated, structures
from .protocol import ALONE, CROSS_VOLUME, Protocol, Task, TaughtOn, as_text
from .slices import drawn, evenly

NAME = SEED = "cross-volume-1"
#: Drawn of each data set: so many cases to teach on, and so many others for each of them.
SOURCES, TARGETS = 3, 2
#: Annotated slices where it is taught, and more of them (for no slice of the new volume); slices of the new volume.
TAUGHT, MORE, COUNTS = 3, 5, (0, 1, 3)


@dataclass(frozen=True)
class Chosen:
    """Structures of a data set by label, and whether the weights saw such ones; `alike` are groups of cases of one
    contrast, where a data set has several, and pairs are of one group.
    """

    labels: tuple[int, ...]
    regime: str
    alike: tuple[tuple[str, ...], ...] = ()


#: The data sets with several subjects. Of the vertebrae only the middle one: a task cannot tell which one is meant.
DATASETS = {
    "openkbp_headneck_ct": Chosen((2, 6, 7), "unseen"),
    "la2018_left_atrium": Chosen((1,), "unseen"),
    "sct_spinal_cord_mr": Chosen((1,), "unseen", (("sub-unf01_T1w", "t1_cervical"), ("sub-unf01_T2w", "t2_cervical"))),
    "spine_mr_myosegmentum": Chosen((3,), "seen"),
    "fetal_brain_atlas": Chosen((3, 7), "seen"),
}


def frozen_pairs(root: Path) -> Protocol:
    """Returns the protocol of the project's validation data in `root/validation`."""
    tasks: list[Task] = []
    for dataset, chosen in DATASETS.items():
        found = list(structures(root / SPLIT, dataset, chosen.labels, chosen.regime))
        pairs = list(_pairs(found, chosen.alike))
        tasks += [task for source, target in pairs for task in _taught(source, target)]
        targets = {(target.task.case, target.task.label): target for _, target in pairs}
        tasks += [task for target in targets.values() for task in evenly_annotated(target, ALONE, COUNTS[1:])]
    return Protocol(NAME, SPLIT, tuple(tasks))


def _pairs(found: Sequence[Structure], alike: Sequence[Sequence[str]]) -> Iterator[tuple[Structure, Structure]]:
    """Source and target, the structures of a pair of cases one after the other."""
    cases = list(dict.fromkeys(s.task.case for s in found))
    for source, target in _drawn_pairs(cases, alike):
        for one in (s for s in found if s.task.case == source):
            for other in (s for s in found if s.task.case == target and s.task.label == one.task.label):
                yield one, other


def _drawn_pairs(cases: Sequence[str], alike: Sequence[Sequence[str]]) -> Iterator[tuple[str, str]]:
    groups = alike or (cases,)
    for group in groups:
        for source in drawn(group, SOURCES, SEED):
            others = [case for case in group if case != source]
            yield from ((source, target) for target in drawn(others, TARGETS, f"{SEED} {source}"))


def _taught(source: Structure, target: Structure) -> Iterator[Task]:
    """The target with each number of slices, taught on TAUGHT slices; and with none, taught on MORE."""
    for taught, count in (*((TAUGHT, count) for count in COUNTS), (MORE, 0)):
        slices = evenly(target.mask, 0, count) if count else ()
        task = target.annotated(CROSS_VOLUME, "axial", slices, f"/taught on {source.task.case}-{taught}")
        yield replace(task, taught_on=TaughtOn(source.task.case, evenly(source.mask, 0, taught)))


if __name__ == "__main__":
    _, data, output = sys.argv
    with written_beside(output) as draft:
        draft.write_text(as_text(frozen_pairs(Path(data))), encoding="utf-8")
