"""Fixtures of the cohort's tests: labelled volumes of several patients, real where present, and a task of one."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest

from metasegment.annotation import BACKGROUND, annotation_from_labels
from metasegment.demo.phantom import abdomen_phantom
from metasegment.io.task_file import write_task
from metasegment.io.volume_file import read_volume, read_voxels
from metasegment.segmenter.load import load_segmenter
from metasegment.task import Task
from metasegment.volume import Geometry, Volume

#: A volume, and where the structure is in it (bool, same grid).
Patient = tuple[Volume, np.ndarray]
REPOSITORY = Path(__file__).resolve().parents[2]
PATIENTS = 5


@pytest.fixture(scope="session")
def patients() -> list[Patient]:
    """The left atria of five patients in MR; without the real data, the livers of five phantoms."""
    data = Path(os.environ.get("METASEGMENT_DATA") or REPOSITORY.parent / "shared" / "data")
    folders = sorted((data / "validation" / "la2018_left_atrium").glob("*/image.nii.gz"))[:PATIENTS]
    if len(folders) == PATIENTS:
        return [(read_volume(f), read_voxels(f.parent / "labels.nii.gz").array > 0) for f in folders]
    return [_phantom(seed) for seed in range(PATIENTS)]


def _phantom(seed: int) -> Patient:
    """Every second voxel of a phantom along each axis."""
    phantom = abdomen_phantom(seed)
    whole, every = phantom.volume.geometry, np.s_[::2, ::2, ::2]
    i, j, k = whole.size
    x, y, z = whole.spacing
    grid = Geometry((i // 2, j // 2, k // 2), (2 * x, 2 * y, 2 * z), whole.origin, whole.direction)
    liver = next(label for label, name in phantom.names.items() if name == "liver")
    return (Volume(phantom.volume.array[every].copy(), grid), phantom.labels[every] == liver)


@pytest.fixture(scope="session")
def a_task(patients: list[Patient]) -> Task:
    """What the first patient taught."""
    volume, truth = patients[0]
    labels = np.where(truth, np.uint8(1), np.uint8(BACKGROUND))
    taught = annotation_from_labels(labels, volume.geometry, {1: "left atrium"}, {1: (1.0, 0.5, 0.0)})
    return load_segmenter(device="cpu").teach(volume, taught)


@pytest.fixture(scope="session")
def a_task_file(a_task: Task, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("task") / "taught.mstask"
    write_task(a_task, path)
    return path
