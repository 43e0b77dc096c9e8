"""What a cohort has come to, for the reviewer: `report.csv` and `report.html`, the worst cases first.

They name the cases as the user's own files and folders are called, and nothing else of a patient.
"""

from __future__ import annotations

import base64
import csv
import statistics
from collections.abc import Iterable, Iterator, Sequence
from html import escape

from ..io.files import written_beside
from ..segmentation import StructureResult
from .output import Output, Row

_COLUMNS = ("case", "structure", "volume_ml", "estimated_dice", "remarks", "familiarity", "seconds", "notes", "failure")
_STYLE = """
body { font: 15px/1.4 system-ui, sans-serif; margin: 2em; color: #1b1f24; background: #fff }
table { border-collapse: collapse }
th, td { text-align: left; vertical-align: top; padding: .45em 1em .45em 0 }
.cases > tbody > tr { border-top: 1px solid #d0d7de }
.cases table td, .cases table th { padding: 0 1em 0 0 }
td.n, th.n { text-align: right; font-variant-numeric: tabular-nums }
td.case { min-width: 15em; overflow-wrap: break-word }
img { display: block; background: #000; border-radius: 3px }
.failure { color: #b3261e }
.cases table { white-space: nowrap }
small { color: #57606a }
"""
_ABOUT = (
    "Worst first: what could not be done, what is unusual, then by estimated Dice. Pictures: axial, coronal and "
    "sagittal planes that show most of the structures, the patient's right on the left, the head up. Familiarity: 1 "
    "where the volume is like those the task was taught on, 0 where it is unlike. Estimates are no measurements: "
    "review every result."
)


def worst_first(rows: Iterable[Row]) -> list[Row]:
    """Returns what could not be done, then by the worst remark, the lowest estimated Dice of a structure, and
    familiarity.
    """

    def key(row: Row) -> tuple[bool, float, float, float, str]:
        remark = max((remark.severity for s in row.structures for remark in s.remarks), default=0.0)
        worst = min((s.estimated_dice for s in row.structures), default=0.0)
        return row.failure is None, -remark, worst, 1.0 if row.familiarity is None else row.familiarity, row.case

    return sorted(rows, key=key)


def write_report(output: Output, rows: Sequence[Row], studies: int) -> None:
    """Writes both files for the rows, in their order, of so many studies; InputError where they cannot be written."""
    with written_beside(output.table) as draft, draft.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(_COLUMNS)
        writer.writerows(_table(rows))
    with written_beside(output.page) as draft, draft.open("w", encoding="utf-8") as file:
        file.writelines(_page(output, rows, studies))


def _table(rows: Iterable[Row]) -> Iterator[tuple[object, ...]]:
    for row in rows:
        familiarity = "" if row.familiarity is None else f"{row.familiarity:.3f}"
        of_case = (familiarity, f"{row.seconds:.1f}", "; ".join(row.notes), row.failure or "")
        for found in row.structures:
            remarks = "; ".join(remark.text for remark in found.remarks)
            yield (row.case, found.name, f"{found.volume_ml:.3f}", f"{found.estimated_dice:.3f}", remarks, *of_case)
        if not row.structures:
            yield (row.case, "", "", "", "", *of_case)


def _page(output: Output, rows: Sequence[Row], studies: int) -> Iterator[str]:
    """The page piece by piece: with hundreds of pictures it is large."""
    failed = sum(row.failure is not None for row in rows)
    yield f'<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8"><title>Cohort</title><style>{_STYLE}</style>'
    yield f"</head><body>\n<h1>{studies} studies</h1>\n<p>{len(rows) - failed} done, {failed} could not be done"
    yield f", {studies - len(rows)} not tried yet.</p>\n" if studies > len(rows) else ".</p>\n"
    yield from _overview(rows)
    yield f"<p><small>{_ABOUT}</small></p>\n"
    yield '<table class="cases"><thead><tr><th>Planes</th><th>Structures</th><th>Case</th></tr></thead>\n<tbody>\n'
    for row in rows:
        yield _case(output, row)
    yield "</tbody></table>\n</body></html>\n"


def _overview(rows: Iterable[Row]) -> Iterator[str]:
    """Median and range of each structure's volume."""
    volumes: dict[str, list[float]] = {}
    for found in (found for row in rows for found in row.structures):
        volumes.setdefault(found.name, []).append(found.volume_ml)
    if volumes:
        yield '<table><tr><th>Structure</th><th class="n">Median</th><th class="n">Smallest</th><th class="n">Largest'
        yield "</th></tr>\n"
        for name, sizes in volumes.items():
            cells = (
                f'<td class="n">{_millilitres(x)}</td>' for x in (statistics.median(sizes), min(sizes), max(sizes))
            )
            yield f"<tr><td>{escape(name)}</td>{''.join(cells)}</tr>\n"
        yield "</table>\n"


def _case(output: Output, row: Row) -> str:
    familiarity = "" if row.familiarity is None else f"familiarity {row.familiarity:.2f}, "
    remarks = [f"{s.name}: {remark.text}" for s in row.structures for remark in s.remarks]
    seconds = f"<small>{familiarity}{row.seconds:.1f} s</small>"
    lines = [f"<b>{escape(row.case)}</b>", seconds, *map(escape, (*remarks, *row.notes))]
    if row.failure:
        lines[1:] = [f'<span class="failure">{escape(row.failure)}</span>']
    return (
        f"<tr><td>{_picture(output, row)}</td><td>{_structures(row.structures)}</td>"
        f'<td class="case">{"<br>".join(lines)}</td></tr>\n'
    )


def _structures(found: Sequence[StructureResult]) -> str:
    if not found:
        return ""
    lines = (
        f'<tr><td>{escape(s.name)}</td><td class="n">{_millilitres(s.volume_ml)}</td>'
        f'<td class="n">{s.estimated_dice:.2f}</td></tr>'
        for s in found
    )
    head = '<tr><th></th><th class="n">Volume</th><th class="n">Estimated Dice</th></tr>'
    return f"<table>{head}{''.join(lines)}</table>"


def _picture(output: Output, row: Row) -> str:
    if row.failure:
        return ""
    try:
        pixels = base64.b64encode(output.thumbnail(row.case).read_bytes()).decode()
    except OSError:
        return ""
    return f'<img alt="three planes" src="data:image/png;base64,{pixels}">'


def _millilitres(volume: float) -> str:
    return f"{volume:,.0f} ml" if volume >= 100 else f"{volume:.3g} ml"
