"""The structures as a graph: what is part of, beside and inside what, and how far two are apart (with networkx)."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

from .atlas import Structure, atlas
from .names import LEFT, RIGHT

if TYPE_CHECKING:
    import networkx

PART_OF, ADJACENT_TO, INSIDE, ONE_OF_PAIR = "part_of", "adjacent_to", "inside", "one_of_pair"
#: Relations as steps between structures that are alike in what surrounds them; a pair's sides are nearly one.
_STEPS = {ONE_OF_PAIR: 0.5, PART_OF: 1.0, INSIDE: 2.0, ADJACENT_TO: 2.0}


@cache
def graph() -> networkx.DiGraph:
    """Returns all structures by name; an edge's `relation` reads from its start to its end, its `step` is
    a distance.
    """
    import networkx

    found = networkx.DiGraph()
    for structure in atlas().structures.values():
        found.add_node(structure.name)
        if structure.side:
            _add(found, structure, structure.pair, ONE_OF_PAIR)
        for relation in (PART_OF, ADJACENT_TO, INSIDE):
            for other in getattr(structure, relation):
                _add(found, structure, on_same_side(structure, other), relation)
    return found


def on_same_side(structure: Structure, other: str) -> str:
    """Returns the name of another structure on a structure's side, where there is one on each."""
    sided = f"{structure.side} {other}"
    return sided if structure.side and sided in atlas().structures else other


def distance(one: str, other: str) -> float:
    """Steps from one structure to another along any relation; infinite where none leads there."""
    import networkx

    try:
        return networkx.shortest_path_length(graph().to_undirected(as_view=True), one, other, weight="step")
    except networkx.NetworkXNoPath:
        return float("inf")


def wholes(name: str) -> list[str]:
    """Returns what a structure is part of, and what that is part of, the nearest first."""
    return _followed(name, (PART_OF, ONE_OF_PAIR))


def contained(name: str) -> list[str]:
    """Returns what lies inside a structure."""
    return sorted(one for one, _, data in graph().in_edges(name, data=True) if data["relation"] == INSIDE)


def may_share(one: Structure, other: Structure) -> bool:
    """Tells whether two structures may share voxels: one is part of the other, or lies inside it."""
    relations = (PART_OF, ONE_OF_PAIR, INSIDE)
    return other.name in _followed(one.name, relations) or one.name in _followed(other.name, relations)


def other_side(structure: Structure) -> Structure | None:
    """Returns the other one of a pair."""
    if not structure.side:
        return None
    return atlas().structures[f"{RIGHT if structure.side == LEFT else LEFT} {structure.pair}"]


def _add(found: networkx.DiGraph, structure: Structure, other: str, relation: str) -> None:
    if other in atlas().structures and other != structure.name and not found.has_edge(structure.name, other):
        found.add_edge(structure.name, other, relation=relation, step=_STEPS[relation])


def _followed(name: str, relations: tuple[str, ...]) -> list[str]:
    found: list[str] = []
    waiting = [name]
    while waiting:
        for _, other, data in graph().out_edges(waiting.pop(0), data=True):
            if data["relation"] in relations and other not in found and other != name:
                found.append(other)
                waiting.append(other)
    return found
