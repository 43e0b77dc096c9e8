"""Structures of the training data, held-out tasks as the product sees them, and means over them; shared by the scripts
of this folder."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator
from pathlib import Path
from statistics import mean

import numpy as np
from torch import Tensor

from metasegment.annotation import Annotation, annotation_from_labels
from metasegment.episodes.held_out import HeldOutTask
from metasegment.episodes.layouts import Case, read_case
from metasegment.volume import Geometry, Volume


def structures(data: Path, most: int) -> Iterator[tuple[str, Tensor, Tensor, tuple[float, float, float]]]:
    """Name, image, mask (k, j, i) and spacing of up to `most` structures of two cases of every data set."""
    for dataset in sorted(path for path in (data / "train").iterdir() if path.is_dir()):
        for folder in sorted(path.parent for path in dataset.glob("*/labels.nii.gz"))[:2]:
            case = Case(dataset.name, folder.name, folder / "image.nii.gz", folder / "labels.nii.gz", licence="")
            volume = read_case(case)
            assert volume.image is not None
            labels = [int(x) for x in volume.labels.unique() if x]
            for label in labels[:: max(1, len(labels) // most)][:most]:
                yield (
                    f"{dataset.name}/{folder.name}/{label}",
                    volume.image.float(),
                    volume.labels == label,
                    volume.spacing,
                )


def as_study(task: HeldOutTask) -> tuple[Volume, Annotation]:
    """The task's volume and annotation; world coordinates do not matter to the learner."""
    k, j, i = task.scene.spacing
    shape = task.mask.shape
    geometry = Geometry((shape[2], shape[1], shape[0]), (i, j, k), (0.0, 0.0, 0.0), tuple(np.eye(3).ravel().tolist()))
    return Volume(task.scene.image.numpy(), geometry), annotation_from_labels(task.scene.labels.numpy(), geometry)


def over_datasets(scores: Iterable[tuple[str, float]]) -> float:
    """Mean over data sets of the mean within each, from pairs of data set and score."""
    by_dataset: dict[str, list[float]] = defaultdict(list)
    for dataset, score in scores:
        by_dataset[dataset].append(score)
    return mean(mean(values) for values in by_dataset.values()) if by_dataset else float("nan")
