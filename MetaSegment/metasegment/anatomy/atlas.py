"""The graph's data: structures with names, codes, colours, relations and sizes, from the packaged `structures.json`.

`Resources/anatomy/build.py` of the repository makes that file; notices of the sources are inside it.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cache
from importlib.resources import files

from ..structure import Code, Color
from .names import LEFT, RIGHT


@dataclass(frozen=True)
class Size:
    """One reference size of a structure.

    `measure` is volume (ml), diameter, length (longest), si, lr or ap (mm: from head to foot, left to right, front to
    back); `whom` adult, woman, man or an age; low and high bound what is usual; `source` is a key of `Atlas.sources`.
    """

    measure: str
    whom: str
    mean: float
    low: float
    high: float
    source: str


@dataclass(frozen=True)
class Structure:
    """A structure of the body, or a kind of finding.

    Of a pair there are three: the pair (`pair`, no side) and both sides. `codes` are by scheme (SCT, UBERON, FMA), only
    those that a source lists; relations are names of structures; `ct` is its usual range in HU.
    """

    name: str
    category: Code
    pair: str = ""
    side: str = ""
    system: str = ""
    codes: Mapping[str, Code] = field(default_factory=dict)
    color: Color | None = None
    names: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    part_of: tuple[str, ...] = ()
    adjacent_to: tuple[str, ...] = ()
    inside: tuple[str, ...] = ()
    ct: tuple[float, float] | None = None
    sizes: tuple[Size, ...] = ()
    located: bool = False

    @property
    def paired(self) -> bool:
        """Whether there is one on each side."""
        return bool(self.pair)


@dataclass(frozen=True)
class Atlas:
    """All structures by name, what the sizes' sources are, and the notices that the data are used under."""

    structures: Mapping[str, Structure]
    sources: Mapping[str, Mapping[str, str]]
    notices: tuple[str, ...]


@cache
def atlas() -> Atlas:
    """Read the packaged data, once."""
    data = json.loads(files(__package__).joinpath("structures.json").read_text(encoding="utf-8"))
    found: dict[str, Structure] = {}
    for name, fields in data["structures"].items():
        for structure in _expanded(name, fields):
            found[structure.name] = structure
    return Atlas(found, data["sources"], tuple(data["notices"]))


def _expanded(name: str, fields: Mapping) -> list[Structure]:
    """A structure, and its two sides where it is one of a pair."""
    paired = bool(fields.get("paired"))
    one = Structure(
        name=name,
        pair=name if paired else "",
        system=fields.get("system", ""),
        category=Code(*fields["category"]),
        codes={scheme: Code(scheme, *code) for scheme, code in fields.get("codes", {}).items()},
        color=tuple(part / 255 for part in fields["color"]) if "color" in fields else None,
        names={language: tuple(names) for language, names in fields.get("names", {}).items()},
        part_of=tuple(fields.get("part_of", ())),
        inside=tuple(fields.get("inside", ())),
        ct=tuple(fields["ct"]) if "ct" in fields else None,
        sizes=tuple(Size(*size) for size in fields.get("sizes", ())),
        located=bool(fields.get("located")),
    )
    sided_names = fields.get("sided", {})
    neighbours = fields.get("adjacent_to", ())
    plain = tuple(each.split(":")[-1] for each in neighbours)
    if not paired:
        return [replace(one, adjacent_to=plain)]
    sided = [
        replace(
            one,
            name=f"{side} {name}",
            side=side,
            names={"en": tuple(sided_names.get(side, ()))},
            adjacent_to=tuple(e.split(":")[-1] for e in neighbours if ":" not in e or e[0] == side[0].upper()),
        )
        for side in (LEFT, RIGHT)
    ]
    return [replace(one, adjacent_to=plain), *sided]
