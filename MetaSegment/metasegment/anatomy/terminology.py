"""What a structure is, by its name, in codes that other programs understand: category, type, side and place.

Does not guess: a name that is not recognised, or has no SNOMED CT code in the sources, is "Tissue", as in Slicer.
"""

from __future__ import annotations

from ..structure import TISSUE, Code, Color, Terminology
from .lookup import recognise
from .names import LEFT, RIGHT

SNOMED = "SCT"
_SIDES = {LEFT: Code(SNOMED, "7771000", "Left"), RIGHT: Code(SNOMED, "24028007", "Right"), "": Code()}


def terminology_of(name: str) -> Terminology:
    """Codes of a structure by its name; a finding's place is its region. TISSUE for names that say nothing."""
    match = recognise(name)
    code = match.structure.codes.get(SNOMED) if match else None
    if match is None or code is None:
        return TISSUE
    region = match.place.codes.get(SNOMED) if match.place else None
    return Terminology(
        category=match.structure.category,
        type=code,
        modifier=_SIDES[match.structure.side],
        region=region or Code(),
        region_modifier=_SIDES[match.place.side] if match.place and region else Code(),
    )


def color_of(name: str) -> Color | None:
    """Returns the colour in which a structure is customarily shown (red, green, blue, 0…1), None where no
    source says.
    """
    match = recognise(name)
    return match.structure.color if match else None


def system_of(name: str) -> str | None:
    """Returns the organ system that a structure belongs to, of a finding that of its place; None for unknown names."""
    match = recognise(name)
    if match is None:
        return None
    return (match.place or match.structure).system or None
