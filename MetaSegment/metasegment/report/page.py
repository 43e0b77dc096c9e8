"""Pages of HTML in one file that can be printed: headings, tables and pictures within."""

from __future__ import annotations

import base64
from collections.abc import Iterable, Sequence
from html import escape
from pathlib import Path

_STYLE = """
@page { size: A4 landscape; margin: 12mm }
body { font: 14px/1.4 system-ui, sans-serif; margin: 2em; color: #1b1f24; background: #fff }
table { border-collapse: collapse; margin: 1em 0 }
th, td { text-align: left; vertical-align: top; padding: .35em 1em .35em 0; border-bottom: 1px solid #d0d7de }
td:not(:first-child) { font-variant-numeric: tabular-nums }
tr, img { break-inside: avoid }
img { display: block; max-width: 100% }
small { color: #57606a }
"""


def page(title: str, parts: Iterable[str]) -> str:
    """A whole page of parts in HTML."""
    head = f'<meta charset="utf-8"><title>{escape(title)}</title><style>{_STYLE}</style>'
    body = "\n".join([f"<h1>{escape(title)}</h1>", *parts])
    return f'<!DOCTYPE html>\n<html lang="en"><head>{head}</head><body>\n{body}\n</body></html>\n'


def paragraph(text: str, small: bool = False) -> str:
    """Words as they are."""
    return f"<p><small>{escape(text)}</small></p>" if small else f"<p>{escape(text)}</p>"


def table(headings: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A table of words."""
    head = "".join(f"<th>{escape(heading)}</th>" for heading in headings)
    body = "\n".join(f"<tr>{''.join(f'<td>{escape(cell)}</td>' for cell in row)}</tr>" for row in rows)
    return f"<table><thead><tr>{head}</tr></thead><tbody>\n{body}\n</tbody></table>"


def picture(png: bytes | Path, words: str) -> str:
    """A picture within the page, and what it shows for those who cannot see it."""
    content = png.read_bytes() if isinstance(png, Path) else png
    return f'<img alt="{escape(words)}" src="data:image/png;base64,{base64.b64encode(content).decode()}">'
