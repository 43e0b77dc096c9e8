"""Plots of agreement, drawn by matplotlib: Bland and Altman's of each structure's volumes, and Dice by structure."""

from __future__ import annotations

import io
from collections.abc import Sequence
from typing import TYPE_CHECKING

from ..report.pdf import plotting
from .pairs import Agreed
from .summary import Summary

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_COLUMNS = 3
_SIDE = 3.6  # inches of one plot


def plots_of(rows: Sequence[Agreed], summaries: Sequence[Summary]) -> bytes:
    """A PNG with one plot a structure, and one of Dice; raises InputError where matplotlib is absent."""
    with plotting():
        from matplotlib.figure import Figure

        count = len(summaries) + 1
        lines = -(-count // _COLUMNS)
        figure = Figure(figsize=(_SIDE * _COLUMNS, _SIDE * lines), layout="constrained")
        axes = figure.subplots(lines, _COLUMNS, squeeze=False).ravel()
        names = [summary.structure for summary in summaries]
        overlaps = [[row.dice for row in rows if row.structure == name] for name in names]
        axes[0].boxplot(overlaps, orientation="horizontal")
        axes[0].set_yticks(range(1, len(names) + 1), names)
        axes[0].set(title="Dice", xlim=(0, 1))
        for where, summary in zip(axes[1:], summaries, strict=False):
            _bland_altman(where, [row for row in rows if row.structure == summary.structure], summary)
        for where in axes[count:]:
            where.axis("off")
        picture = io.BytesIO()
        figure.savefig(picture, format="png", dpi=110)
        return picture.getvalue()


def _bland_altman(axes: Axes, rows: Sequence[Agreed], summary: Summary) -> None:
    axes.scatter(
        [(row.volume_a_ml + row.volume_b_ml) / 2 for row in rows],
        [row.volume_b_ml - row.volume_a_ml for row in rows],
        s=14,
    )
    axes.axhline(summary.bias_ml, color="black", linewidth=1)
    for limit in (summary.low_ml, summary.high_ml):
        if limit is not None:
            axes.axhline(limit, color="black", linewidth=1, linestyle="--")
    axes.set(title=summary.structure, xlabel="mean volume (ml)", ylabel="B - A (ml)")
