"""From a task and the data folder to what a method sees and the truth it is measured against."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np

from ..annotation import BACKGROUND, Annotation, annotation_from_labels, empty_annotation
from ..errors import InputError
from ..io.labelled_folder import labelled_files, read_description
from ..io.volume_file import read_volume, read_voxels
from ..volume import Geometry, Volume
from .method import STRUCTURE, Source, Study
from .perturb import IMAGE, ON_SLICES, THICKER, thicker_mask, thicker_volume
from .protocol import Task

Slices = tuple[tuple[int, int], ...]


@dataclass(frozen=True, eq=False)
class Case:
    """A task to solve and its `truth`, bool (k, j, i) on the study's grid."""

    study: Study
    truth: np.ndarray


def load_case(root: Path, task: Task, seconds: float | None = None) -> Case:
    """Reads the task's volume, annotation and truth; InputError where the files are absent or do not fit
    the protocol.
    """
    volume, labels = read_labelled(root / task.dataset, task.case)
    source = read_labelled(root / task.dataset, task.taught_on.case) if task.taught_on else None
    return make_case(volume, labels, task, seconds, source)


def make_case(
    volume: Volume,
    labels: np.ndarray,
    task: Task,
    seconds: float | None = None,
    source: tuple[Volume, np.ndarray] | None = None,
) -> Case:
    """Returns the same from a volume and its labels (k, j, i) in memory, and from those of the case it is taught on."""
    truth = labels == task.label
    changed = task.perturbation
    if changed and changed.name == THICKER:
        factor = int(changed.level)
        volume, truth = thicker_volume(volume, factor), thicker_mask(truth, factor)
    _check(truth, task, task.slices)
    marked = truth.copy()
    if changed and changed.name in ON_SLICES:
        ON_SLICES[changed.name](marked, labels, task.label, task.slices, changed.level, changed.seed)
    if changed and changed.name in IMAGE:
        volume = Volume(IMAGE[changed.name](volume.array, changed.level, changed.seed), volume.geometry)
    annotation = _annotated(marked, task.slices, volume.geometry)
    return Case(Study(volume, annotation, seconds, _source(task, *source) if source else None), truth)


@lru_cache(maxsize=2)
def read_labelled(folder: Path, case: str) -> tuple[Volume, np.ndarray]:
    """Reads volume and labels (k, j, i) of a case; the last two are kept, since tasks of a case or a pair follow each
    other.
    """
    image, labels = labelled_files(folder, case)
    volume, drawn = read_volume(image), read_voxels(labels)
    if difference := volume.geometry.difference(drawn.geometry):
        raise InputError(f"{labels} is not on the grid of {image}: it has {difference}")
    return volume, drawn.array


def described(folder: Path) -> tuple[str, dict[int, str]]:
    """Returns modality and label names of the folder's `dataset.json`; empty where it has none or says nothing
    of them.
    """
    content = read_description(folder) or {}
    labels = content.get("labels", {})
    # nnU-Net's second version has the names as keys, everyone else the numbers.
    pairs = ((key, value) if str(key).isdigit() else (value, key) for key, value in labels.items())
    names = {int(value): str(name) for value, name in pairs if str(value).isdigit()}
    return str(content.get("modality", "")), names


def _source(task: Task, volume: Volume, labels: np.ndarray) -> Source:
    assert task.taught_on is not None
    truth = labels == task.label
    _check(truth, task, task.taught_on.slices)
    return Source(volume, _annotated(truth, task.taught_on.slices, volume.geometry), truth)


def _check(truth: np.ndarray, task: Task, slices: Slices) -> None:
    for axis, index in slices:
        if index >= truth.shape[axis] or not truth.swapaxes(0, axis)[index].any():
            raise InputError(f"{task.id}: the case has no such structure on slice {index}: the data are other ones")


def _annotated(marked: np.ndarray, slices: Slices, geometry: Geometry) -> Annotation:
    labels = np.zeros(marked.shape, np.uint8)
    for axis, index in slices:
        section = marked.swapaxes(0, axis)[index]
        labels.swapaxes(0, axis)[index] = np.where(section, STRUCTURE, BACKGROUND)
    return annotation_from_labels(labels, geometry) if slices else empty_annotation(geometry)
