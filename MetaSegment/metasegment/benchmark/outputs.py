"""What a run leaves for people: report, results, charts and the worst cases, made anew from all rows there are."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from ..pictures.vtk_child import NoDrawing
from .method import Method
from .methods.metasegment import NAME
from .plots import save_plots
from .protocol import Protocol
from .report import write_report
from .run import current_rows
from .summary import summarise
from .worst import save_worst


def save(folder: Path, root: Path, protocol: Protocol, known: Mapping[str, Method]) -> str | None:
    """Writes everything into the run's folder; returns why there are no charts, in a line, where there are none.

    `known` are all methods, `root` holds `<dataset>/<case>`.
    """
    rows = current_rows(folder, protocol, list(known.values()))
    summary = summarise(protocol, rows, known)
    why = None
    pictures: list[tuple[str, str]] = []
    try:
        pictures += save_plots(folder, summary, protocol, rows)
    except NoDrawing as reason:
        why = f"no charts: {reason}"
    pictures += save_worst(folder, root, protocol, rows, known[NAME])
    write_report(folder, summary, pictures, [why] if why else [])
    return why
