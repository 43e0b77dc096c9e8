"""What is unusual about named masks: size, side, place, order, parts, intensity. One line each, with the reason.

Says "unusual", never "wrong": bodies differ, and children, operations and diseases are no errors. A structure that the
image's edge cuts may be small, and a name that is not recognised is judged by its shape alone.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from ..segmentation import Region, Remark
from ..volume import Geometry
from .atlas import Structure
from .extent import Extent, distance_between, extent_of
from .graph import may_share, on_same_side, other_side, wholes
from .lookup import Match, recognise
from .midline import body_midline, shows_ct
from .names import LEFT, RIGHT
from .reference import AXES, Band, usual_range

#: Sides of the image at which a structure may end: more than a body part that runs through has.
_MOST_SIDES = 3
#: Names recognised less surely than this say nothing.
_LEAST_SURE = 0.75
#: A part with less of the voxels than this is a speck.
_SPECK = 0.1
#: Share of half the body's width by which a centre must lie on a side to be said to.
_CLEARLY = 0.12
#: Share of the smaller of two masks that both may hold.
_SHARED = 0.02
#: mm by which structures may be apart that touch each other in the body.
_APART = 30.0
#: HU that the median of a structure may lie below and above its usual range: partial volume, and contrast medium.
_BELOW, _ABOVE = 80.0, 600.0
#: Voxels whose values tell a median well enough.
_VALUES = 20000
#: Systems whose structures are customarily drawn as one piece; ribs and what vessels, nerves and muscles are, are not.
_IN_ONE = ("digestive", "urinary", "endocrine", "lymphatic", "skeletal", "sensory")
#: From this ratio of volumes on, both of a pair, or two vertebrae one above the other, are unlike.
_UNLIKE = 1.5
_ONE_SIDED = {"liver": RIGHT, "gallbladder": RIGHT, "spleen": LEFT, "stomach": LEFT}
_VERTEBRA = re.compile(r"^vertebra ([CTLS])(\d+)$")
_LEVELS_ABOVE = {"C": 0, "T": 7, "L": 19, "S": 24}
_SACRUM = 25
#: From here on decimals say nothing.
_WHOLE = 10.0
_WORDS = {"si": "from head to foot", "lr": "from left to right", "ap": "from front to back"}


@dataclass(frozen=True, eq=False)
class NamedMask:
    """A structure's voxels: boolean (k, j, i) on a region of the image; one without voxels was not found."""

    label: int
    name: str
    mask: np.ndarray
    region: Region


@dataclass(frozen=True, eq=False)
class MeasuredMask:
    """A mask with what its name means, if it is known, and what it is in space, if it has voxels."""

    named: NamedMask
    match: Match | None
    extent: Extent | None

    @property
    def structure(self) -> Structure | None:
        """The part of the body that it is; None for findings, which have no usual size or place."""
        return self.match.structure if self.match and not self.match.structure.located else None


def masks_of(labels: np.ndarray, names: Mapping[int, str]) -> list[NamedMask]:
    """Returns the named structures of a label map (k, j, i)."""
    return [_cut_out(labels, label, name) for label, name in sorted(names.items())]


def measured(named: NamedMask, geometry: Geometry) -> MeasuredMask:
    """Returns a mask with what its name means and what it is in space."""
    match = recognise(named.name)
    extent = extent_of(named.mask, named.region, geometry) if named.mask.any() else None
    return MeasuredMask(named, match if match and match.score >= _LEAST_SURE else None, extent)


def remarks_on(
    one: MeasuredMask, all_: Sequence[MeasuredMask], geometry: Geometry, image: np.ndarray | None = None
) -> tuple[Remark, ...]:
    """Returns what is unusual about one mask among all of an image's grid, the worst first.

    `image` (k, j, i) tells the body's midline and, in CT, intensities.
    """
    view = _View(geometry, image)
    remarks = [remark for rule in _RULES for remark in rule(one, all_, view)]
    return tuple(sorted(remarks, key=lambda remark: -remark.severity))


@dataclass(frozen=True, eq=False)
class _View:
    """The image that masks lie in."""

    geometry: Geometry
    image: np.ndarray | None

    @cached_property
    def is_ct(self) -> bool:
        return self.image is not None and shows_ct(self.image)


def _cut_out(labels: np.ndarray, label: int, name: str) -> NamedMask:
    mask = labels == label
    region = []
    for axis in range(3):
        filled = np.flatnonzero(mask.any(axis=tuple(a for a in range(3) if a != axis)))
        region.append(slice(int(filled[0]), int(filled[-1]) + 1) if len(filled) else slice(0, 1))
    where = (region[0], region[1], region[2])
    return NamedMask(label, name, mask[where], where)


def _size(one: MeasuredMask, others: Sequence[MeasuredMask], view: _View) -> Iterator[Remark]:
    """Volume and extents outside of the usual range."""
    if one.extent is None or one.match is None or one.structure is None:
        return
    band = usual_range(one.match, "volume")
    if band and (severity := _outside(one.extent.volume_ml, band, one.extent.is_cut)):
        yield Remark("volume", f"unusual: {_measured(one.extent.volume_ml, band, 'ml', one.structure)}", severity)
        return
    for axis in AXES:
        band = usual_range(one.match, axis)
        if band and (severity := _outside(one.extent.sizes_mm[axis], band, one.extent.is_cut)):
            text = _measured(one.extent.sizes_mm[axis], band, "mm", one.structure)
            yield Remark("length", f"unusual {_WORDS[axis]}: {text}", severity)
            return


def _outside(value: float, band: Band, is_cut: bool) -> float:
    """By what factor a value is outside of a range; 0 where it is not, or may be too small as it is cut."""
    if value > band.high:
        return value / band.high
    return band.low / value if value < band.low and not is_cut else 0.0


def _measured(value: float, band: Band, unit: str, structure: Structure) -> str:
    name = structure.pair or structure.name
    return f"{_rounded(value)} {unit}, adults have {_rounded(band.low)} to {_rounded(band.high)} ({name})"


def _rounded(value: float) -> str:
    return f"{value:.0f}" if value >= _WHOLE else f"{value:.2g}"


def _side(one: MeasuredMask, others: Sequence[MeasuredMask], view: _View) -> Iterator[Remark]:
    """On the other side of the body than the name says."""
    side = one.structure.side or _ONE_SIDED.get(one.structure.name, "") if one.structure else ""
    if not one.structure or not one.extent or not side:
        return
    opposite = other_side(one.structure)
    for other in others:
        if other.extent and opposite and _is(other, opposite):
            apart = (one.extent.centre - other.extent.centre)[0] * (1 if side == LEFT else -1)
            if apart < 0:
                yield Remark("side", f"unusual: lies further {_other(side)} than the {opposite.name}", 3.0)
            return
    if view.image is None or _is_limb(one.structure):
        return
    middle = body_midline(view.image, view.geometry, one.named.region)
    if middle is None:
        return
    offset = (float(one.extent.centre[0]) - middle[0]) / middle[1] * (1 if side == LEFT else -1)
    if offset < -_CLEARLY:
        yield Remark("side", f"unusual: lies on the {_other(side)} side of the body's midline", 2.0)


def _is(one: MeasuredMask, structure: Structure | None) -> bool:
    """Whether a mask is a structure, whatever sizes it was given."""
    return one.structure is not None and structure is not None and one.structure.name == structure.name


def _other(side: str) -> str:
    return RIGHT if side == LEFT else LEFT


def _is_limb(structure: Structure) -> bool:
    return any("limb" in whole for whole in wholes(structure.name))


def _order(one: MeasuredMask, others: Sequence[MeasuredMask], view: _View) -> Iterator[Remark]:
    """Vertebrae that lie above one that they should lie below; ribs overlap too much to tell."""
    place = _level(one)
    if place is None or one.extent is None:
        return
    for other in others:
        below = _level(other)
        if below is None or other.extent is None or below == place:
            continue
        is_above = one.extent.centre[2] > other.extent.centre[2]
        if is_above != (place < below):
            where = "below" if place < below else "above"
            assert other.structure is not None
            yield Remark("order", f"unusual: lies {where} {other.structure.name}", 3.0)
            return


def _level(one: MeasuredMask) -> int | None:
    """The number of a vertebra from the head on."""
    found = _VERTEBRA.match(one.structure.name if one.structure else "")
    if found is None:
        return None
    return _LEVELS_ABOVE[found[1]] + int(found[2])


def _unlike(one: MeasuredMask, others: Sequence[MeasuredMask], view: _View) -> Iterator[Remark]:
    """Much larger or smaller than the other one of its pair, or than the next vertebra."""
    if one.structure is None or one.extent is None or one.extent.is_cut:
        return
    opposite, level = _alike(one.structure), _level(one)
    for other in others:
        if other.structure is None or other.extent is None or other.extent.is_cut:
            continue
        beside = _level(other)
        is_next = level and beside and abs(level - beside) == 1 and max(level, beside) < _SACRUM
        if not _is(other, opposite) and not is_next:
            continue
        ratio = one.extent.volume_ml / other.extent.volume_ml
        if max(ratio, 1 / ratio) > _UNLIKE:
            volumes = [_rounded(extent.volume_ml) for extent in (one.extent, other.extent)]
            text = f"unusual: {volumes[0]} ml, {other.named.name} has {volumes[1]}"
            yield Remark("unlike", text, max(ratio, 1 / ratio) / _UNLIKE)
            return


def _alike(structure: Structure) -> Structure | None:
    """The other one of a pair whose sides are customarily alike: not of vessels, nor of the lung."""
    return None if structure.system in ("cardiovascular", "respiratory", "digestive") else other_side(structure)


def _neighbours(one: MeasuredMask, others: Sequence[MeasuredMask], view: _View) -> Iterator[Remark]:
    """Far from all that it touches in the body, or from what it lies in."""
    if one.match is None or one.extent is None or one.extent.is_cut:
        return
    structure = one.match.place or one.match.structure
    names = {structure.name} if one.match.place else {*structure.adjacent_to, *structure.inside}
    names |= {on_same_side(structure, name) for name in names}
    beside = [other for other in others if other is not one and other.extent and _is_one_of(other, names, structure)]
    if not beside:
        return
    distances = [distance_between(one.extent, other.extent) for other in beside if other.extent]
    nearest = min(distances)
    if nearest > _APART:
        other = beside[distances.index(nearest)].named.name
        yield Remark("place", f"unusual: {nearest:.0f} mm from {other}, beside which it lies", nearest / _APART)


def _is_one_of(other: MeasuredMask, names: set[str], beside: Structure) -> bool:
    """Whether a mask is a structure of some names; either one of a pair is, where `beside` has no side."""
    found = other.structure
    return found is not None and (found.name in names or (not beside.side and found.pair in names))


def _overlap(one: MeasuredMask, others: Sequence[MeasuredMask], view: _View) -> Iterator[Remark]:
    """Sharing voxels with what it cannot."""
    for other in others:
        if other is one or not one.extent or not other.extent or not one.structure or not other.structure:
            continue
        share = _shared(one.named, other.named)
        if share > _SHARED and not may_share(one.structure, other.structure):
            yield Remark("overlap", f"unusual: shares {share:.0%} of its voxels with {other.named.name}", 2.0 + share)


def _shared(one: NamedMask, other: NamedMask) -> float:
    """Share of a mask's voxels that another has too."""
    both = [slice(max(a.start, b.start), min(a.stop, b.stop)) for a, b in zip(one.region, other.region, strict=True)]
    if any(part.start >= part.stop for part in both):
        return 0.0
    parts = (
        named.mask[tuple(slice(b.start - o.start, b.stop - o.start) for b, o in zip(both, named.region, strict=True))]
        for named in (one, other)
    )
    return float(np.count_nonzero(np.logical_and(*parts)) / np.count_nonzero(one.mask))


def _parts(one: MeasuredMask, others: Sequence[MeasuredMask], view: _View) -> Iterator[Remark]:
    """Broken into parts, or one part where a name says both of a pair."""
    structure, extent = one.structure, one.extent
    if structure is None or extent is None:
        return
    large = [share for share in extent.parts if share >= _SPECK]
    both = structure.paired and not structure.side
    if both and _says_both(one.named.name, structure) and len(large) == 1 and not extent.is_cut:
        yield Remark("pair", f"unusual: one part, where the name says both ({structure.name})", 2.0)
    if not both and len(large) > 1 and _is_in_one(structure) and not extent.is_cut:
        yield Remark("parts", f"unusual: broken into {len(large)} parts", 1.0 + large[1])


def _is_in_one(structure: Structure) -> bool:
    return structure.system in _IN_ONE and not re.search("rib|cartilage|bowel|colon", structure.name)


def _says_both(name: str, structure: Structure) -> bool:
    """Whether a name means both of a pair: a plural in English, or so said."""
    typed = name.lower().strip()
    return bool(re.search("both|bilateral", typed)) or (typed.endswith("s") and not structure.name.endswith("s"))


def _pair(one: MeasuredMask, others: Sequence[MeasuredMask], view: _View) -> Iterator[Remark]:
    """Not found, where the other one of the pair was."""
    opposite = other_side(one.structure) if one.structure else None
    if one.extent is None and opposite and any(other.extent and _is(other, opposite) for other in others):
        yield Remark("pair", f"unusual: not found, though the {opposite.name} was", 2.0)


def _intensity(one: MeasuredMask, others: Sequence[MeasuredMask], view: _View) -> Iterator[Remark]:
    """Other values in CT than the structure has."""
    usual = one.structure.ct if one.structure else None
    if usual is None or one.extent is None or view.image is None or not view.is_ct:
        return
    values = view.image[one.named.region][one.named.mask]
    median = float(np.median(values[:: max(1, len(values) // _VALUES)]))
    if not usual[0] - _BELOW <= median <= usual[1] + _ABOVE:
        off = max(usual[0] - _BELOW - median, median - usual[1] - _ABOVE)
        text = f"unusual: {median:.0f} HU in the middle, customary are {usual[0]:.0f} to {usual[1]:.0f}"
        yield Remark("intensity", text, 1.0 + off / 100)


def _spread(one: MeasuredMask, others: Sequence[MeasuredMask], view: _View) -> Iterator[Remark]:
    """Reaching most sides of the image, whatever it is called."""
    if one.extent and one.extent.sides_touched > _MOST_SIDES:
        yield Remark("leak", "reaches most sides of the image: it may have leaked into its surroundings", 2.0)


_Rule = Callable[[MeasuredMask, Sequence[MeasuredMask], _View], Iterator[Remark]]
_RULES: tuple[_Rule, ...] = (_size, _side, _order, _unlike, _neighbours, _overlap, _parts, _pair, _intensity, _spread)
