"""What a structure is called, how it is coloured, and what it is in codes that other programs understand."""

from __future__ import annotations

from dataclasses import dataclass

#: Red, green, blue, 0…1.
Color = tuple[float, float, float]
#: Of a structure that has none.
GREY: Color = (0.5, 0.5, 0.5)


@dataclass(frozen=True)
class Code:
    """A coded concept; all three empty where nothing is said."""

    scheme: str = ""
    value: str = ""
    meaning: str = ""

    def __bool__(self) -> bool:
        return bool(self.value)


@dataclass(frozen=True)
class Terminology:
    """Category and type of a structure, its side (type modifier), and the region that it lies in."""

    category: Code
    type: Code
    modifier: Code = Code()
    region: Code = Code()
    region_modifier: Code = Code()


TISSUE = Terminology(Code("SCT", "85756007", "Tissue"), Code("SCT", "85756007", "Tissue"))


@dataclass(frozen=True)
class Segment:
    """One structure: voxel value, name, colour (red, green, blue, 0...1) and what it is in codes."""

    label: int
    name: str
    color: Color
    terminology: Terminology = TISSUE
