"""Structures that share voxels, on a label map, which shows one structure a voxel.

Of structures that share a voxel the smallest is shown; the hidden voxels of the others are kept beside the map. Array
axes are k, j, i.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

#: By label, voxels of a structure where the label map shows another: sorted flat int64 indices (C order).
Covered = Mapping[int, np.ndarray]


def paint(labels: np.ndarray, voxels: Mapping[int, np.ndarray]) -> dict[int, np.ndarray]:
    """Gives each structure its voxels (sorted flat indices, by label) in labels uint8 (k, j, i), in place, the smallest
    last; returns what is covered.
    """
    flat = labels.reshape(-1)
    for label in sorted(voxels, key=lambda label: -len(voxels[label])):
        flat[voxels[label]] = label
    hidden = {label: where[flat[where] != label] for label, where in voxels.items()}
    return {label: where for label, where in hidden.items() if len(where)}


def whole(labels: np.ndarray, covered: Covered, label: int) -> np.ndarray:
    """All voxels of a structure, bool (k, j, i)."""
    mask = labels == label
    if label in covered:
        mask.reshape(-1)[covered[label]] = True
    return mask


def as_layers(labels: np.ndarray, covered: Covered) -> tuple[list[np.ndarray], dict[int, int]]:
    """Label maps uint8 (k, j, i), together with all of each structure, and the number of the one that has it for each
    that is not on the first.

    The first are the labels themselves where nothing is covered.
    """
    if not covered:
        return [labels], {}
    layers, layer_of = [np.where(np.isin(labels, list(covered)), np.uint8(0), labels)], {}
    for label in sorted(covered):
        mask = whole(labels, covered, label)
        free = [n for n, layer in enumerate(layers) if n and not layer[mask].any()]
        if not free:
            free = [len(layers)]
            layers.append(np.zeros_like(labels))
        layers[free[0]][mask] = label
        layer_of[label] = free[0]
    return layers, layer_of
