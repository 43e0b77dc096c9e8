"""A small picture of a case for its reviewer: what was found, outlined on the three planes that show most of it."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np

from ..structure import Color
from ..volume import Volume
from .pixels import blank, save_png
from .planes import (
    ABDOMEN,
    VIEWED,
    Scene,
    View,
    around,
    draw_outline,
    fitting,
    looks_like_ct,
    most_telling,
    section,
    shaded,
    squared,
    upright,
)

SIDE, GAP = 200, 4  # pixels of a plane and between two
#: Shown around the structures: this share of their extent on each side, and at least so many mm in all.
AROUND, LEAST = 0.35, 60.0
#: Level and width in HU: soft tissue, and what its window shows black or white, lung and bone.
WINDOWS = (ABDOMEN, (-600.0, 1500.0), (500.0, 2000.0))
#: Opacity of a structure inside its outline: what lies under it must be seen to be judged.
FILL = 0.12


def save_thumbnail(path: Path, volume: Volume, labels: np.ndarray, colors: Mapping[int, Color]) -> None:
    """Writes a PNG of axial, coronal and sagittal plane, the patient's right on the left, around the structures.

    `labels` are uint8 on the volume's grid. Where nothing was found, the middle planes are shown whole.
    """
    scene = upright(volume, labels, (), _window(volume, labels))
    panels = [_panel(scene, view, colors) for view in VIEWED]
    gap = blank(SIDE, GAP)
    save_png(path, np.concatenate([panels[0], gap, panels[1], gap, panels[2]], axis=1))


def _panel(scene: Scene, view: View, colors: Mapping[int, Color]) -> np.ndarray:
    image, labels = section(scene, view, most_telling(scene.areas[view.across], frozenset()))
    spacing = scene.spacing[view.rows], scene.spacing[view.columns]
    found = labels > 0
    rows, columns = around(found if found.any() else ~found, spacing, AROUND, LEAST)
    image, labels = image[rows, columns], labels[rows, columns]
    picture = shaded(image, scene.window, *fitting(np.multiply(image.shape, spacing), SIDE))
    for label, color in colors.items():
        draw_outline(picture, labels == label, color, FILL)
    return squared(picture, SIDE)


def _window(volume: Volume, labels: np.ndarray) -> tuple[float, float] | None:
    """For a CT the first window in which the structures are neither black nor white; None leaves the choice."""
    found = volume.array[labels > 0]
    if not found.size or not looks_like_ct(volume.array):
        return None
    middle = float(np.median(found))
    return next((w for w in WINDOWS if abs(middle - w[0]) < w[1] / 2), None)
