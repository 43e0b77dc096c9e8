"""The curves of a run: one CSV row a measurement, and the same numbers in TensorBoard where that is installed."""

from __future__ import annotations

import csv
import importlib.util
from pathlib import Path

from ..io.files import written_beside


class Curves:
    """Appends to `folder/curves.csv` (tasks, name, value), and to event files in the same folder for TensorBoard.

    After a resume, rows beyond the checkpoint are dropped, so that no task appears twice.
    """

    def __init__(self, folder: Path, tasks: int) -> None:
        self._path = folder / "curves.csv"
        rows = []
        if self._path.exists():
            with self._path.open(newline="") as file:
                rows = [row for row in csv.reader(file) if row[:1] and row[0].isdigit() and int(row[0]) <= tasks]
        with written_beside(self._path) as draft, draft.open("w", newline="") as file:
            csv.writer(file).writerows([["tasks", "name", "value"], *rows])
        self._board = None
        if importlib.util.find_spec("tensorboard"):
            from torch.utils.tensorboard import SummaryWriter

            self._board = SummaryWriter(str(folder), purge_step=tasks + 1)

    def add(self, tasks: int, values: dict[str, float]) -> None:
        with self._path.open("a", newline="") as file:
            csv.writer(file).writerows([tasks, name, f"{value:.6g}"] for name, value in values.items())
        if self._board:
            for name, value in values.items():
                self._board.add_scalar(name, value, tasks)
            self._board.flush()
