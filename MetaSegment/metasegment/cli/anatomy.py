"""`metasegment anatomy`: what is known of a structure by its name."""

from __future__ import annotations

import argparse
import json
from typing import Any

from ..anatomy.lookup import Match, recognise
from ..anatomy.reference import title_of
from . import common


def add_to(commands: common.Commands) -> None:
    parser = commands.add_parser("anatomy", help="what is known of structures by their names: codes, side, usual sizes")
    parser.add_argument("names", metavar="NAME", nargs="+", help="as you would name a segment, in any of six languages")
    parser.add_argument("--json", action="store_true", help="print one JSON object on standard output")
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> None:
    found = {name: recognise(name) for name in options.names}
    if options.json:
        print(json.dumps({"names": [_as_json(name, match) for name, match in found.items()]}, ensure_ascii=False))
    else:
        print("\n\n".join(_as_text(name, match) for name, match in found.items()))


def _as_json(name: str, match: Match | None) -> dict[str, Any]:
    if match is None:
        return {"name": name, "structure": None}
    structure = match.structure
    return {
        "name": name,
        "structure": structure.name,
        "recognised": match.how,
        "score": match.score,
        "place": match.place.name if match.place else None,
        "side": structure.side or (match.place.side if match.place else "") or None,
        "paired": structure.paired,
        "system": (match.place or structure).system or None,
        "category": structure.category.meaning,
        "codes": {scheme: code.value for scheme, code in structure.codes.items()},
        "color": structure.color,
        "names": structure.names,
        "part_of": structure.part_of,
        "adjacent_to": structure.adjacent_to,
        "inside": structure.inside,
        "ct_hu": structure.ct,
        "sizes": [
            {
                "measure": size.measure,
                "unit": "ml" if size.measure == "volume" else "mm",
                "whom": size.whom,
                "mean": size.mean,
                "low": size.low,
                "high": size.high,
                "source": title_of(size.source),
            }
            for size in structure.sizes
        ],
    }


def _as_text(name: str, match: Match | None) -> str:
    if match is None:
        return f"{name}: unknown"
    structure = match.structure
    place = f" in {match.place.name}" if match.place else ""
    lines = [f"{name}: {structure.name}{place} ({match.how}, {match.score:.2f})"]
    facts = {
        "codes": ", ".join(f"{code.scheme} {code.value}" for code in structure.codes.values()) or "none in the sources",
        "system": (match.place or structure).system,
        "part of": ", ".join(structure.part_of),
        "beside": ", ".join(structure.adjacent_to),
        "inside": ", ".join(structure.inside),
        "CT": f"{structure.ct[0]:g} to {structure.ct[1]:g} HU" if structure.ct else "",
    }
    lines += [f"  {what:<8} {text}" for what, text in facts.items() if text]
    for size in structure.sizes:
        unit = "ml" if size.measure == "volume" else "mm"
        usual = f"{size.low:g} to {size.high:g} {unit}, mean {size.mean:g}"
        lines.append(f"  {size.measure:<8} {size.whom}: {usual} [{size.source}]")
    lines += [f"  [{source}] {title_of(source)}" for source in sorted({size.source for size in structure.sizes})]
    return "\n".join(lines)
