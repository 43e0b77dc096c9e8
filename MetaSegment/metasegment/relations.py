"""Relations between structures that do not exclude each other: one inside another, or two that may overlap.

All others compete for voxels. What is inside the inner of two structures is inside the outer as well.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Literal

from .errors import InputError

_EXCLUDED = re.compile(r",\s*excluded\s*$", re.IGNORECASE)
_WORDS = re.compile(r"\s(inside|overlaps)\s", re.IGNORECASE)
_HOW_TO = '"A inside B", "A inside B, excluded" or "A overlaps B", each by name or label'


@dataclass(frozen=True)
class Relation:
    """The structure `first` lies inside `second`, or the two may overlap; `excluded` says that voxels of the inner one
    are none of the outer one's.
    """

    first: int
    kind: Literal["inside", "overlaps"]
    second: int
    excluded: bool = False


def relation_in(text: str, names: Mapping[int, str]) -> Relation:
    """Parses a sentence as `tumour inside liver`; `names` are those of all structures, by label.

    A name may hold a keyword itself. Raises InputError for another sentence and for structures that there are not.
    """
    sentence = _EXCLUDED.sub("", text)
    splits = list(_WORDS.finditer(sentence))
    if not splits:
        raise InputError(f"relation {text!r}: say {_HOW_TO}")
    found = []
    for split in splits:
        sides = sentence[: split.start()].strip(), sentence[split.end() :].strip()
        first, second = (_label(side, names) for side in sides)
        if first is not None and second is not None:
            found.append((first, split[1].lower(), second))
        else:
            unknown = sides[0] if first is None else sides[1]
    if len(found) != 1:
        known = ", ".join(f"'{name}'" for name in names.values()) or "none"
        why = f"there is no structure '{unknown}'" if not found else "it can be read in two ways"
        raise InputError(f"relation {text!r}: {why}; there are {known}")
    first, kind, second = found[0]
    excluded = sentence != text
    if kind == "inside":
        return Relation(first, "inside", second, excluded)
    if excluded:
        raise InputError(f"relation {text!r}: only what is inside another structure can be excluded from it")
    return Relation(first, "overlaps", second)


def require_consistent(relations: Sequence[Relation], names: Mapping[int, str]) -> None:
    """Raises InputError where a structure is related to itself, a pair twice in different ways, structures lie inside
    each other, or one lies inside two that exclude each other.
    """
    said: dict[frozenset[int], Relation] = {}
    for relation in relations:
        first, second = (f"'{names.get(label, label)}'" for label in (relation.first, relation.second))
        pair = frozenset((relation.first, relation.second))
        if len(pair) == 1 or relation.first in outside_of(relations, relation.first):
            raise InputError(f"relations contradict each other: {first} would lie inside itself; remove one of them")
        if said.setdefault(pair, relation) != relation:
            raise InputError(f"relations contradict each other: {first} and {second} are related in two ways; keep one")
    for inner in sorted({r.first for r in relations if r.kind == "inside"}):
        for one, other in combinations(sorted(outside_of(relations, inner)), 2):
            if other not in sharing(relations, one):
                raise InputError(
                    f"relations contradict each other: '{names.get(inner, inner)}' lies inside "
                    f"'{names.get(one, one)}' and '{names.get(other, other)}', which exclude each other; relate these"
                )


def inside_of(relations: Collection[Relation], outer: int) -> frozenset[int]:
    """Structures that lie inside one, however deep."""
    found: set[int] = set()
    waiting = [outer]
    while waiting:
        here = waiting.pop()
        new = {r.first for r in relations if r.kind == "inside" and r.second == here} - found
        found |= new
        waiting += new
    return frozenset(found)


def outside_of(relations: Collection[Relation], inner: int) -> frozenset[int]:
    """Structures that one lies inside of, however deep."""
    return inside_of([Relation(r.second, r.kind, r.first) for r in relations], inner)


def sharing(relations: Collection[Relation], structure: int) -> frozenset[int]:
    """Structures that may have voxels in common with one."""
    overlapping = {
        other
        for r in relations
        if r.kind == "overlaps" and structure in (r.first, r.second)
        for other in (r.first, r.second)
    }
    nested = inside_of(relations, structure) | outside_of(relations, structure)
    return (nested | overlapping) - {structure}


def related(relations: Collection[Relation]) -> tuple[int, ...]:
    """Structures of the relations, outer ones before those inside them."""
    every = {label for r in relations for label in (r.first, r.second)}
    return tuple(sorted(every, key=lambda label: (len(outside_of(relations, label)), label)))


def _label(said: str, names: Mapping[int, str]) -> int | None:
    """The structure of a name, whatever its letters' case, or of a label; None where there is none."""
    for label, name in names.items():
        if name.casefold() == said.casefold():
            return label
    return int(said) if said.isdecimal() and int(said) in names else None
