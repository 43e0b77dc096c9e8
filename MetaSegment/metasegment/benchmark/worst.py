"""A picture of the worst cases: for each the slice with the most errors, with the outlines of truth and prediction."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from ..pictures.pixels import GAP, WHITE, beside, blank, save_png, stacked, write
from ..pictures.planes import around, draw_outline, fitting, shaded, squared
from ..structure import Color
from .cases import Case, load_case
from .masks import load_mask
from .method import Method
from .perturb import intensity_range
from .protocol import Protocol, Task
from .rows import Row

#: So many panels, no two of one structure of a case, in rows of three; pixels.
PANELS, COLUMNS, SIDE, TITLE = 9, 3, 500, 34
#: Shown around truth and prediction: this share of their extent, and at least so many voxels.
AROUND, LEAST = 0.35, 8
#: HU of soft tissue for CT, whose whole range would show bone alone.
CT_WINDOW = (-160.0, 240.0)
TRUTH: Color = (0.34, 0.71, 0.91)
FOUND: Color = (0.90, 0.62, 0.0)


def save_worst(
    folder: Path, root: Path, protocol: Protocol, rows: Sequence[Row], method: Method
) -> list[tuple[str, str]]:
    """Writes the picture for a method; returns its name and caption, or nothing where there is no mask to show."""
    tasks = {task.id: task for task in protocol.tasks if task.part == "main"}
    panels, shown = [], set()
    for row in sorted((r for r in rows if r.method == method.name and r.task in tasks), key=lambda r: r.dice):
        task = tasks[row.task]
        mask = load_mask(folder, method.name, row.task)
        structure = (task.dataset, task.case, task.label)
        if mask is None or structure in shown:
            continue
        shown.add(structure)
        panels.append(_panel(load_case(root, task), mask, task, row.dice))
        if len(panels) == PANELS:
            break
    if not panels:
        return []
    width = COLUMNS * SIDE + (COLUMNS - 1) * GAP
    lines = [beside(panels[n : n + COLUMNS]) for n in range(0, len(panels), COLUMNS)]
    save_png(folder / "worst.png", stacked(lines, width))
    caption = (
        f"The worst structures of {method.label} on the main tasks: the slice with the most errors, truth in blue, "
        "prediction in orange."
    )
    return [("worst.png", caption)]


def _panel(case: Case, mask: np.ndarray, task: Task, dice: float) -> np.ndarray:
    """The axial slice with the most errors that is not annotated, cropped, with outlines and two lines of words."""
    annotated = case.study.annotation.labels != 0
    wrong = (mask ^ case.truth) & ~annotated
    index = int(wrong.sum(axis=(1, 2)).argmax())
    truth, found = case.truth[index], mask[index]
    spacing = case.study.volume.geometry.spacing_kji[1:]
    rows, columns = around(truth | found, spacing, AROUND, 2 * LEAST * max(spacing))
    image = case.study.volume.array[index, rows, columns]
    window = CT_WINDOW if task.modality == "CT" else intensity_range(image.astype(np.float32))
    size = fitting(np.multiply(image.shape, spacing), SIDE)
    picture = shaded(image, window, *size)
    for mask_here, color in ((truth, TRUTH), (found, FOUND)):
        draw_outline(picture, mask_here[rows, columns], color, fill=0)
    title = blank(2 * TITLE, SIDE)
    write(title[:TITLE], f"{task.structure.replace('_', ' ')}: Dice {dice:.2f}", (0.5, 0.5), WHITE)
    count = len(task.slices)
    write(
        title[TITLE:], f"{task.dataset.split('_')[0]} {task.case}, {count} slice{'s' * (count > 1)}", (0.5, 0.5), WHITE
    )
    return np.concatenate([title, squared(picture, SIDE)])
