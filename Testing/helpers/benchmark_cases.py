"""Labelled cases and tasks of a small benchmark."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from metasegment.benchmark.protocol import Perturbation, Task
from metasegment.volume import Geometry, Volume

SHAPE = (24, 20, 22)  # k, j, i
SPACING = (1.0, 1.0, 2.0)  # mm along i, j, k


def labelled(seed: int) -> tuple[Volume, np.ndarray]:
    """Builds a case from a seed: a bright ball (label 1) and a bar (label 2, present on all slices), with noise."""
    k, j, i = np.ogrid[tuple(slice(n) for n in SHAPE)]
    labels = np.zeros(SHAPE, np.uint8)
    labels[(k - 12) ** 2 + (j - 8) ** 2 + (i - 7) ** 2 <= 49] = 1
    labels[:, 14:17, 15:18] = 2
    noise = np.random.default_rng(seed).normal(0, 10, SHAPE)
    image = (200 * (labels == 1) + 100 * (labels == 2) + noise).astype(np.int16)
    geometry = Geometry(SHAPE[::-1], SPACING, (-5.0, 3.0, 40.0), (1, 0, 0, 0, 1, 0, 0, 0, 1))
    return Volume(image, geometry), labels


def task_with(
    slices: Sequence[tuple[int, int]] = ((0, 12),), name: str = "", level: float = 1, **facts: object
) -> Task:
    """Builds a task of the small cases' ball."""
    fields = {
        "id": f"{name}-{slices}-{facts}",
        "part": "main",
        "dataset": "toys",
        "case": "one",
        "subject": "one",
        "label": 1,
        "structure": "ball",
        "modality": "CT",
        "shape": "compact",
        "regime": "unseen",
        "style": "axial",
    }
    changed = Perturbation(name, level, seed=4) if name else None
    return Task(**{**fields, **facts}, slices=tuple(slices), perturbation=changed)  # type: ignore[arg-type]
