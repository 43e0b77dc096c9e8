"""Makes a protocol: `python -m metasegment.benchmark.freeze DATA OUTPUT.json` writes `validation-1` again.

Looks at labels only. A frozen protocol is never edited: what has to change becomes the next version.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np

from ..episodes.held_out import UNSEEN
from ..io.files import written_beside
from ..io.labelled_folder import case_names
from .cases import described, read_labelled
from .perturb import thicker_mask
from .protocol import Perturbation, Protocol, Task, as_text
from .slices import AXES, MIXED, anywhere, drawn, enough, evenly, number, orthogonal

NAME, SPLIT, SEED = "validation-1", "validation", "validation-1"
COUNTS, FEWER = (1, 2, 3, 5, 8), (1, 3, 5)
#: Planes, placement and robustness are tested with so many slices.
SOME = 3
#: A structure with fewer slices has no room for five annotated ones; the same ones as in episodes/held_out.py.
LEAST_SLICES = 7
#: Structures of each data set whose planes and placement are varied.
VARIED = 4
#: Structures that training labels cover, in images it did not see, and how many of each data set are taken.
SEEN = {
    "spine_mr_myosegmentum": ((1, 2, 3, 4, 5), 8),
    "fetal_brain_atlas": ((1, 2, 3, 4, 5, 6, 7, 8), 8),
    "pd25_subcortical_mr": ((7, 8, 9, 10, 11, 12, 13, 14, 15, 16), 4),
}
#: Structures whose images and annotations are perturbed: (data set, label, how many cases).
PERTURBED = (
    ("openkbp_headneck_ct", 2, 1),
    ("openkbp_headneck_ct", 6, 1),
    ("openkbp_headneck_ct", 7, 1),
    ("mouse_skull_microct", 15, 1),
    ("la2018_left_atrium", 1, 2),
    ("sct_spinal_cord_mr", 1, 1),
    ("pd25_subcortical_mr", 3, 1),
)
#: One moderate level each (perturb.py says of what), but for slices so many times thicker; see `_applies` for which.
LEVELS: tuple[tuple[str, float], ...] = (
    ("noise", 0.05),
    ("bias_field", 0.4),
    ("gamma", 1.6),
    ("low_dose", 0.02),
    ("motion", 1.5),
    ("anisotropy", 2),
    ("anisotropy", 4),
    ("anisotropy", 8),
    ("contour", 1),
    ("contour", -1),
    ("wrong_slice", 1),
    ("mislabelled", 1),
)
#: Shape, by voxels and by the standard deviations (mm) of their places along the principal axes: tubular is at least
#: 3 times as long as wide and not flat; else tiny has under 1,000 voxels, large from 20,000 voxels on; else compact.
LONG, FLAT, TINY, LARGE = 3.0, 3.0, 1_000, 20_000


@dataclass(frozen=True, eq=False)
class Structure:
    """A structure of a case: `task` has its facts and no slices yet, `mask` is bool (k, j, i)."""

    task: Task
    mask: np.ndarray = field(repr=False)

    def annotated(self, part: str, style: str, slices: Sequence[tuple[int, int]], suffix: str = "") -> Task:
        """Returns a task of this structure."""
        t = self.task
        name = f"{part}/{t.dataset}/{t.case}/{t.label}/{style}-{len(slices)}{suffix}"
        return replace(t, id=name, part=part, style=style, slices=tuple(slices))


def frozen(root: Path) -> Protocol:
    """Returns the protocol of the project's validation data in `root/validation`."""
    unseen = [s for dataset, labels in UNSEEN.items() for s in structures(root / SPLIT, dataset, labels, "unseen")]
    tasks = [task for s in unseen for task in evenly_annotated(s, "main", COUNTS)]
    some = [s for dataset in UNSEEN for s in _drawn(_of(unseen, dataset), VARIED)]
    tasks += [task for s in some for task in _in_planes(s)]
    tasks += [
        s.annotated("placement", "axial", anywhere(s.mask, 0, SOME, f"{SEED} {s.task.case} {s.task.label}"))
        for s in some
    ]
    for dataset, (labels, count) in SEEN.items():
        for s in _drawn(list(structures(root / SPLIT, dataset, labels, "seen")), count):
            tasks += evenly_annotated(s, "seen", FEWER)
    for dataset, label, count in PERTURBED:
        candidates = [s for s in _of(unseen, dataset) if s.task.label == label]
        tasks += [task for s in _drawn(candidates, count) for task in _perturbed(s)]
    return Protocol(NAME, SPLIT, tuple(tasks))


def structures(root: Path, dataset: str, labels: Iterable[int] | None, regime: str) -> Iterator[Structure]:
    """Returns every structure of a data set with enough slices, case by case; of all labels where none are named."""
    modality, names = described(root / dataset)
    for case in case_names(root / dataset):
        volume, values = read_labelled(root / dataset, case)
        for label in labels or [n for n in np.unique(values).tolist() if n > 0]:
            mask = values == label
            if not mask.any() or not enough(mask, 0, LEAST_SLICES - 2):
                continue
            task = Task(
                id="",
                part="main",
                dataset=dataset,
                case=case,
                subject=_subject(case),
                label=int(label),
                structure=names.get(int(label), f"label {int(label)}").strip(),
                modality=modality[:2] if modality.startswith(("CT", "MR")) else "other",
                shape=shape_of(mask, volume.geometry.spacing_kji),
                regime=regime,
                style="axial",
                slices=(),
            )
            yield Structure(task, mask)


def shape_of(mask: np.ndarray, spacing_kji: Sequence[float]) -> str:
    """Stratum of a structure (bool, k, j, i; mm) by the rule beside LONG."""
    places = np.argwhere(mask) * np.asarray(spacing_kji)
    spread = np.sqrt(np.maximum(np.linalg.eigvalsh(np.cov(places.T)), 1e-9))
    if spread[2] >= LONG * spread[1] and spread[1] < FLAT * spread[0]:
        return "tubular"
    return "tiny" if len(places) < TINY else "large" if len(places) >= LARGE else "compact"


def evenly_annotated(structure: Structure, part: str, counts: Sequence[int]) -> Iterator[Task]:
    """Returns a task for each number of evenly spaced axial slices that the structure has room for."""
    for count in counts:
        if enough(structure.mask, 0, count):
            yield structure.annotated(part, "axial", evenly(structure.mask, 0, count))


def _in_planes(structure: Structure) -> Iterator[Task]:
    for style in ("coronal", "sagittal"):
        if enough(structure.mask, AXES[style], SOME):
            yield structure.annotated("planes", style, evenly(structure.mask, AXES[style], SOME))
    yield structure.annotated("planes", MIXED, orthogonal(structure.mask))


def _perturbed(structure: Structure) -> Iterator[Task]:
    for name, level in LEVELS:
        mask = thicker_mask(structure.mask, int(level)) if name == "anisotropy" else structure.mask
        if not _applies(name, structure.task.modality) or not enough(mask, 0, SOME):
            continue
        task = structure.annotated("robustness", "axial", evenly(mask, 0, SOME), f"/{name} {level:g}")
        yield replace(task, perturbation=Perturbation(name, level, number(f"{SEED} {task.id}")))


def _applies(name: str, modality: str) -> bool:
    """Coils are uneven in MR; photons are few in CT and micro-CT."""
    return {"bias_field": modality == "MR", "low_dose": modality != "MR"}.get(name, True)


def _of(found: Sequence[Structure], dataset: str) -> list[Structure]:
    return [s for s in found if s.task.dataset == dataset]


def _drawn(found: Sequence[Structure], count: int) -> list[Structure]:
    keys = {f"{s.task.dataset} {s.task.case} {s.task.label}": s for s in found}
    return [keys[key] for key in drawn(list(keys), count, SEED)]


def _subject(case: str) -> str:
    """BIDS names several scans of a person `sub-<person>_<scan>`; elsewhere a case is a person."""
    return case.split("_")[0] if case.startswith("sub-") else case


if __name__ == "__main__":
    _, data, output = sys.argv
    with written_beside(output) as draft:
        draft.write_text(as_text(frozen(Path(data))), encoding="utf-8")
