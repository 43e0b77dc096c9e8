"""Sizes that an institution's accepted segmentations add up to: counts, means and spreads; no pixels, no identifiers.

They are kept in a file of their own, which one can read, delete and share, and stand for the packaged ones from twenty
cases on.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from ..errors import InputError
from ..io.files import written_beside
from ..io.records import FormatError, from_json, to_json
from .atlas import Size
from .plausibility import MeasuredMask

#: Cases of a structure from which its own sizes count.
LEAST_CASES = 20
#: What the sizes' source is called.
SOURCE = "institution"
#: Standard deviations, of the logarithm, that are usual.
_USUAL = 2.5
_VERSION = 1


@dataclass(frozen=True)
class Tally:
    """Count, mean and sum of squared differences of the logarithms of a size (Welford, Technometrics 4:419, 1962)."""

    count: int = 0
    mean: float = 0.0
    squares: float = 0.0

    def with_value(self, value: float) -> Tally:
        """Adds a size in ml or mm."""
        away = math.log(value) - self.mean
        mean = self.mean + away / (self.count + 1)
        return Tally(self.count + 1, mean, self.squares + away * (math.log(value) - mean))

    @property
    def spread(self) -> float:
        """Standard deviation of the logarithm."""
        return math.sqrt(self.squares / (self.count - 1)) if self.count > 1 else 0.0


@dataclass(frozen=True)
class Institution:
    """Tallies by structure and measure ("left kidney volume", measures as in `Size`)."""

    sizes: dict[str, Tally] = field(default_factory=dict)
    version: int = _VERSION

    def with_case(self, found: Sequence[MeasuredMask]) -> Institution:
        """Adds the structures of an accepted segmentation whose names are known and that the image shows whole."""
        sizes = dict(self.sizes)
        for one in found:
            if one.structure is None or one.extent is None or one.extent.is_cut:
                continue
            for measure, value in {"volume": one.extent.volume_ml, **one.extent.sizes_mm}.items():
                key = f"{one.structure.name} {measure}"
                sizes[key] = sizes.get(key, Tally()).with_value(value)
        return replace(self, sizes=sizes)

    def sizes_of(self, structure: str) -> tuple[Size, ...]:
        """Lists the sizes of a structure of which there are enough cases."""
        found = []
        for measure in ("volume", "si", "lr", "ap"):
            tally = self.sizes.get(f"{structure} {measure}", Tally())
            if tally.count >= LEAST_CASES:
                low, mean, high = (math.exp(tally.mean + n * _USUAL * tally.spread) for n in (-1, 0, 1))
                found.append(Size(measure, "adult", mean, low, high, SOURCE))
        return tuple(found)


def read_institution(path: Path) -> Institution:
    """Reads the file; an empty institution where there is none yet. Raises InputError for another file."""
    if not path.exists():
        return Institution()
    try:
        found = from_json(Institution, path.read_bytes())
    except (OSError, FormatError) as error:
        raise InputError(f"cannot read {path} as sizes of an institution: {error}") from None
    if found.version != _VERSION:
        raise InputError(f"{path} was made by another version of MetaSegment: update this one")
    return found


def write_institution(institution: Institution, path: Path) -> None:
    """Writes the file, all or nothing."""
    with written_beside(path) as draft:
        draft.write_text(to_json(institution) + "\n", encoding="utf-8")


def with_own_sizes(found: Sequence[MeasuredMask], institution: Institution) -> list[MeasuredMask]:
    """Gives masks the institution's sizes in the place of the packaged ones, measure by measure."""
    return [_with_own(one, institution) for one in found]


def _with_own(one: MeasuredMask, institution: Institution) -> MeasuredMask:
    if one.match is None:
        return one
    own = institution.sizes_of(one.match.structure.name)
    measures = {size.measure for size in own}
    packaged = [size for size in one.match.structure.sizes if size.measure not in measures]
    structure = replace(one.match.structure, sizes=(*packaged, *own))
    return replace(one, match=replace(one.match, structure=structure))
