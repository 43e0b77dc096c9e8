"""Agreement as a file: every study (.csv), all (.json), or a page with plots (.html)."""

from __future__ import annotations

import csv
import dataclasses
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ..errors import InputError
from ..io.files import written_beside
from ..report import page
from ..report.lines import number
from .pairs import TOLERANCE_MM, Agreed
from .summary import Summary

FORMATS = (".csv", ".json", ".html")
_HEADINGS = ("Structure", "Studies", "Dice", "Least", "NSD", "Bias (ml)", "Limits of agreement (ml)")
_ABOUT = (
    f"NSD: share of both surfaces within {TOLERANCE_MM:g} mm of the other. Bias: mean difference of volumes, B - A; "
    "95 % of differences lie between the limits of agreement (Bland and Altman), drawn dashed."
)


def refuse_unknown_format(path: Path) -> None:
    """Raise InputError for a file name of another kind."""
    if path.suffix.lower() not in FORMATS:
        raise InputError(f"cannot write {path}: unknown file type; use one of {', '.join(FORMATS)}")


def as_object(rows: Sequence[Agreed], summaries: Sequence[Summary]) -> dict[str, Any]:
    """What JSON holds."""
    return {
        "structures": [dataclasses.asdict(summary) for summary in summaries],
        "studies": [dataclasses.asdict(row) for row in rows],
    }


def write_agreement(rows: Sequence[Agreed], summaries: Sequence[Summary], path: Path) -> None:
    """Write the file that the name of `path` asks for; raises InputError where it cannot be written."""
    refuse_unknown_format(path)
    kind = path.suffix.lower()
    with written_beside(path) as draft:
        if kind == ".json":
            draft.write_text(json.dumps(as_object(rows, summaries), indent=1, ensure_ascii=False), "utf-8")
        elif kind == ".csv":
            with draft.open("w", encoding="utf-8-sig", newline="") as file:
                writer = csv.DictWriter(file, [field.name for field in dataclasses.fields(Agreed)])
                writer.writeheader()
                writer.writerows(dataclasses.asdict(row) for row in rows)
        else:
            draft.write_text(_page(rows, summaries), "utf-8")


def _page(rows: Sequence[Agreed], summaries: Sequence[Summary]) -> str:
    from .plots import plots_of

    parts = [
        page.table(_HEADINGS, [cells_of(summary) for summary in summaries]),
        page.picture(plots_of(rows, summaries), "Dice by structure, and differences of volumes against their means"),
        page.paragraph(_ABOUT, small=True),
        page.table(
            ("Study", "Structure", "Dice", "NSD", "A (ml)", "B (ml)"),
            [
                (r.study, r.structure, f"{r.dice:.3f}", f"{r.nsd:.3f}", number(r.volume_a_ml), number(r.volume_b_ml))
                for r in rows
            ],
        ),
    ]
    return page.page("Agreement", parts)


def cells_of(summary: Summary) -> tuple[str, ...]:
    """A summary in words."""
    low, high = summary.low_ml, summary.high_ml
    limits = "" if low is None or high is None else f"{number(low)} to {number(high)}"
    shown = (f"{value:.3f}" for value in (summary.dice, summary.least_dice, summary.nsd))
    return (summary.structure, str(summary.studies), *shown, number(summary.bias_ml), limits)
