"""Held-out tasks as the product sees them, and means over them; shared by the scripts of this folder."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from statistics import mean

import numpy as np

from metasegment.annotation import Annotation, annotation_from_labels
from metasegment.episodes.held_out import HeldOutTask
from metasegment.volume import Geometry, Volume


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
