"""What each slice of a label file is finished for, and which structures may share voxels, as a JSON file says it.

    {"slices": [{"axis": "k", "index": 12, "finished": ["liver", 3]}, {"axis": "k", "index": 40, "finished": "all"}],
     "relations": ["tumour inside liver"]}

`axis` is k, j or i, `index` counts from 0, and `finished` has names or labels of structures. A slice on which a
structure has no voxel, and that is finished for it, says that it is not there. `relations` are sentences as `relations`
reads them. Either list may be missing.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ..annotation import AXIS_NAMES, AnnotatedSlice
from ..errors import InputError
from ..relations import Relation, relation_in

#: Every structure of the file.
ALL = "all"


def read_slices(path: Path, names: Mapping[int, str]) -> dict[AnnotatedSlice, frozenset[int] | None]:
    """For each slice that the file lists the labels it is finished for, None for all; `names` are the structures'.

    Raises InputError, naming the file and the entry, for what is not as above.
    """
    found = _read(path)
    entries = found.get("slices", [] if "relations" in found else None) if isinstance(found, dict) else None
    if not isinstance(entries, list):
        raise InputError(f'{path} has no list of slices: expected {{"slices": [{{"axis": "k", "index": 12, …}}]}}')
    slices = {}
    for number, entry in enumerate(entries):
        try:
            slices[_plane(entry)] = _labels(entry["finished"], names)
        except (KeyError, TypeError, ValueError) as error:
            raise InputError(f"{path}: slice {number} of its list is wrong: {_reason(error)}") from None
    return slices


def read_relations(path: Path, names: Mapping[int, str]) -> list[Relation]:
    """The relations that the file lists, none where it lists none; `names` are all structures', by label.

    Raises InputError, naming the file, for what is no list of such sentences.
    """
    found = _read(path)
    sentences = found.get("relations", []) if isinstance(found, dict) else []
    if not isinstance(sentences, list) or not all(isinstance(sentence, str) for sentence in sentences):
        raise InputError(f'{path}: relations must be a list of sentences: "relations": ["tumour inside liver"]')
    try:
        return [relation_in(sentence, names) for sentence in sentences]
    except InputError as error:
        raise InputError(f"{path}: {error}") from None


def _read(path: Path) -> Any:
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise InputError(f"cannot read {path}: {error}") from None


def _plane(entry: Mapping[str, Any]) -> AnnotatedSlice:
    axis, index = entry["axis"], entry["index"]
    if axis not in AXIS_NAMES:
        raise ValueError(f"axis is {axis!r}, not one of {', '.join(AXIS_NAMES)}")
    if type(index) is not int or index < 0:
        raise ValueError(f"index is {index!r}, not a whole number from 0 on")
    return AnnotatedSlice(AXIS_NAMES.index(axis), index)


def _labels(said: Any, names: Mapping[int, str]) -> frozenset[int] | None:
    if said == ALL:
        return None
    if not isinstance(said, list):
        raise ValueError(f'finished is {said!r}, neither "{ALL}" nor a list of names or labels')
    by_name = {name.casefold(): label for label, name in names.items()}
    labels = set()
    for structure in said:
        label = by_name.get(structure.casefold()) if isinstance(structure, str) else structure
        if type(label) is not int or not 0 < label < 255:
            known = ", ".join(names.values()) or "none by name"
            raise ValueError(f"there is no structure {structure!r}; the file has {known}")
        labels.add(label)
    return frozenset(labels)


def _reason(error: Exception) -> str:
    return f"it lacks {error}" if isinstance(error, KeyError) else str(error)
