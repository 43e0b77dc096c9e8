"""How large a structure usually is, by its name. Bands are wide: outside of one is unusual, never wrong."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace

from .atlas import Size, atlas
from .lookup import Match, recognise

#: Extents along the body's axes: from head to foot, left to right, front to back.
AXES = ("si", "lr", "ap")
_ADULTS = ("adult", "woman", "man")
#: By how its number was had, the factor by which a usual range is wider at both ends than its source says.
_SLACK = {"read": 1.1, "transcribed": 1.15, "recalled": 1.25, "estimate": 1.4}


@dataclass(frozen=True)
class Band:
    """What is usual, in ml or mm; `certainty` 0…1 is how surely the name was recognised, `weight` 0…1 what a prior from
    it is worth: that certainty, less for a wide band. `sources` are keys of `atlas().sources`.
    """

    mean: float
    low: float
    high: float
    certainty: float
    sources: tuple[str, ...]

    @property
    def weight(self) -> float:
        return self.certainty / (self.high / self.low) ** 0.5

    def holds(self, value: float) -> bool:
        """Tells whether a value is usual."""
        return self.low <= value <= self.high


def expected_volume(name: str, whom: str | None = None) -> Band | None:
    """Returns the usual volume in ml of what a name means; None for unknown names and where no source says.

    `whom` is woman, man or an age of `Size`; all adults where it is not given.
    """
    return _expected(recognise(name), "volume", whom)


def expected_length(name: str, axis: str, whom: str | None = None) -> Band | None:
    """Returns the usual extent in mm along an axis of the body: si, lr or ap."""
    if axis not in AXES:
        raise ValueError(f"axis must be one of {', '.join(AXES)}, not {axis}")
    return _expected(recognise(name), axis, whom)


def usual_range(match: Match, measure: str) -> Band | None:
    """Returns what an adult's structure may measure before it is unusual: wider than a prior's band, the more so the
    less its source was read. `measure` as in `Size`.
    """
    sizes = [_widened(size) for size in match.structure.sizes]
    return _expected(replace(match, structure=replace(match.structure, sizes=tuple(sizes))), measure, None)


def _widened(size: Size) -> Size:
    source = atlas().sources.get(size.source, {"reading": "read"})  # else this institution's own
    slack = _SLACK[source["reading"]]
    return replace(size, low=size.low / slack, high=size.high * slack)


def _expected(match: Match | None, measure: str, whom: str | None) -> Band | None:
    if match is None or match.place:
        return None
    one = _united([size for size in match.structure.sizes if size.measure == measure], whom)
    if one is None:
        return None
    both = 2.0 if match.structure.paired and not match.structure.side and measure in ("volume", "lr") else 1.0
    # A name without its side may mean one of the pair or both together.
    return Band(one.mean, one.low, one.high * both, match.score, one.sources)


def _united(sizes: Iterable[Size], whom: str | None) -> Band | None:
    """One band over what several sources and both sexes say."""
    found = [size for size in sizes if (size.whom == whom if whom else size.whom in _ADULTS)]
    if not found and whom in _ADULTS:
        return _united(sizes, None)
    if not found:
        return None
    return Band(
        mean=sum(size.mean for size in found) / len(found),
        low=min(size.low for size in found),
        high=max(size.high for size in found),
        certainty=1.0,
        sources=tuple(sorted({size.source for size in found})),
    )


def title_of(source: str) -> str:
    """Returns what a source is, in words."""
    return (
        atlas().sources[source]["title"] if source in atlas().sources else "this institution's accepted segmentations"
    )
