"""Pages of PDF that can be printed and signed, set by matplotlib."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from ..errors import InputError

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_A4 = (11.69, 8.27)  # inches, landscape
_LEFT, _TOP, _WIDTH = 0.05, 0.93, 0.9  # shares of the page
_ROWS = 18  # of a table, on one page
_ROW_HEIGHT = 0.032
_CELL = 24  # letters in a line of a cell
_LINE = 190  # letters in a line of small print
_RULE, _SMALL, _CELL_SIZE, _TITLE_SIZE = 0.4, 7, 7.5, 16  # points


@contextmanager
def plotting() -> Iterator[None]:
    """Raise InputError, saying what to install, where matplotlib is absent; pages are drawn without a screen."""
    try:
        import matplotlib
    except ImportError:
        raise InputError("PDF and plots need matplotlib: pip install 'metasegment[report]'") from None
    with matplotlib.rc_context({"pdf.fonttype": 42, "svg.fonttype": "none"}):  # letters that can be searched
        yield


def write_pdf(
    path: Path,
    title: str,
    lines: Sequence[str],
    headings: Sequence[str],
    rows: Sequence[Sequence[str]],
    picture: Path | None = None,
    foot: str = "",
) -> None:
    """Write a table with as many pages as it needs; `lines` are small print, the picture (PNG) and `foot` come last."""
    with plotting():
        from matplotlib.backends.backend_pdf import PdfPages

        with PdfPages(path, metadata={"Title": title, "Creator": "MetaSegment"}) as pages:
            for start in range(0, len(rows), _ROWS):
                last = start + _ROWS >= len(rows)
                some = rows[start : start + _ROWS]
                pages.savefig(_page(title, lines, headings, some, picture if last else None, foot if last else ""))


def _page(
    title: str,
    lines: Sequence[str],
    headings: Sequence[str],
    rows: Sequence[Sequence[str]],
    picture: Path | None,
    foot: str,
) -> Figure:
    from matplotlib.figure import Figure
    from matplotlib.image import imread
    from matplotlib.transforms import Bbox

    figure = Figure(figsize=_A4)
    figure.text(_LEFT, _TOP, title, fontsize=_TITLE_SIZE, weight="bold")
    small = "\n".join(part for line in lines for part in textwrap.wrap(line, _LINE))
    figure.text(_LEFT, _TOP - 0.02, small, fontsize=_SMALL, va="top", color="#57606a")
    height = _ROW_HEIGHT * (len(rows) + 2)
    top = _TOP - 0.1
    axes = figure.add_axes((_LEFT, top - height, _WIDTH, height))
    axes.axis("off")
    cells = [["\n".join(textwrap.wrap(cell, _CELL)[:2]) for cell in row] for row in (headings, *rows)]
    table = axes.table(cellText=cells, cellLoc="left", edges="horizontal", bbox=Bbox.unit())
    table.auto_set_font_size(False)
    table.set_fontsize(_CELL_SIZE)
    table.auto_set_column_width(list(range(len(headings))))
    for (row, _), cell in table.get_celld().items():
        cell.set_linewidth(_RULE)
        cell.set_text_props(weight="bold" if row == 0 else "normal")
    left = top - height - 0.08
    if picture is not None and left > 0.15:
        below = figure.add_axes((_LEFT, 0.08, _WIDTH, min(left, 0.4)), anchor="NW")
        below.imshow(imread(picture))
        below.axis("off")
    figure.text(_LEFT, 0.04, foot, fontsize=_CELL_SIZE)
    return figure
