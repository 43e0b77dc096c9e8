"""A picture of the worst cases: for each the slice with the most errors, with the outlines of truth and prediction."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from ..demo.pixels import GAP, WHITE, beside, blank, enlarged, outline, save_png, stacked, write
from ..seg_nrrd import Color
from .cases import Case, load_case
from .masks import load_mask
from .perturb import intensity_range
from .protocol import Protocol, Task
from .rows import Row
from .study import Method

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
    spacing = case.study.volume.geometry.spacing_kji
    rows, columns = _window(truth | found, spacing[1:])
    height, width = (rows.stop - rows.start) * spacing[1], (columns.stop - columns.start) * spacing[2]
    scale = SIDE / max(height, width)
    size = max(1, round(height * scale)), max(1, round(width * scale))
    image = case.study.volume.array[index, rows, columns].astype(np.float32)
    low, high = CT_WINDOW if task.modality == "CT" else intensity_range(image)
    grey = enlarged(np.clip((image - low) / (high - low), 0, 1), *size)
    picture = np.repeat(grey[..., None], 3, axis=2)
    for section, color in ((truth, TRUTH), (found, FOUND)):
        outline(picture, enlarged(section[rows, columns].astype(np.float32), *size) > 0.5, color, fill=0)
    title = blank(2 * TITLE, SIDE)
    write(title[:TITLE], f"{task.structure.replace('_', ' ')}: Dice {dice:.2f}", (0.5, 0.5), WHITE)
    count = len(task.slices)
    write(
        title[TITLE:], f"{task.dataset.split('_')[0]} {task.case}, {count} slice{'s' * (count > 1)}", (0.5, 0.5), WHITE
    )
    return np.concatenate([title, _squared(picture)])


def _window(mask: np.ndarray, spacing: Sequence[float]) -> tuple[slice, slice]:
    """A square (in mm) around a mask as far as the image goes."""
    places = np.argwhere(mask) if mask.any() else np.array([np.array(mask.shape) // 2])
    first, last = places.min(axis=0), places.max(axis=0) + 1
    reach = max((1 + 2 * AROUND) * float(np.max((last - first) * spacing)), 2 * LEAST * max(spacing)) / 2
    window = []
    for low, high, mm, length in zip(first, last, spacing, mask.shape, strict=True):
        middle, half = (low + high) / 2, reach / mm
        window.append(slice(max(0, round(middle - half)), min(length, round(middle + half))))
    return window[0], window[1]


def _squared(picture: np.ndarray) -> np.ndarray:
    """In the middle of a black square, where the image's edge cut the window."""
    square = blank(SIDE, SIDE)
    rows, columns = ((SIDE - n) // 2 for n in picture.shape[:2])
    square[rows : rows + picture.shape[0], columns : columns + picture.shape[1]] = picture
    return square
