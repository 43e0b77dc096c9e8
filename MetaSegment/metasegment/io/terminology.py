"""Slicer's spelling of what a structure is: the tag `TerminologyEntry` of a segment, both ways."""

from __future__ import annotations

from itertools import zip_longest

from ..structure import Code, Terminology

# Names of the lists that Slicer 5 looks entries up in; it shows an entry as given where the list is absent.
_CATEGORIES = "Segmentation category and type - 3D Slicer General Anatomy list"
_REGIONS = "Anatomic codes - DICOM master list"


def entry_of(terminology: Terminology) -> str:
    """Returns the value of Slicer's tag `TerminologyEntry`: seven fields, codes as scheme^value^meaning."""
    codes = (terminology.category, terminology.type, terminology.modifier)
    region = (terminology.region, terminology.region_modifier)
    return "~".join([_CATEGORIES, *map(_triplet, codes), _REGIONS, *map(_triplet, region)])


def terminology_in(entry: str) -> Terminology | None:
    """Returns the codes in the value of a `TerminologyEntry`; None where it names no category and type."""
    fields = entry.split("~")
    codes = [Code(*(part or "" for _, part in zip_longest(range(3), field.split("^")[:3]))) for field in fields]
    codes += [Code()] * (7 - len(codes))
    category, kind, modifier, region, region_modifier = codes[1:4] + codes[5:7]
    return Terminology(category, kind, modifier, region, region_modifier) if category and kind else None


def _triplet(code: Code) -> str:
    # The separators themselves cannot be written: Slicer has no escape for them.
    parts = (code.scheme, code.value, code.meaning)
    return "^".join("".join(" " if c in "^~|" else c for c in part) for part in parts)
