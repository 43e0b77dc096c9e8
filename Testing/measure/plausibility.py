"""How often `anatomy/plausibility.py` remarks on correct structures and on damaged ones: `plausibility.py DATA [EACH]`.

Takes the named label maps of `DATA/train` (with images) and `DATA/labelmaps` (without), EACH (10) structures a case,
and damages one at a time: cut in half, grown by a ball as large as itself, sides swapped, called as another structure
of the case, a slab taken out, one of a pair lost. Prints the share that gets a remark, by kind of damage, and which
kinds of remark correct structures get.
"""

from __future__ import annotations

import json
import sys
from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from metasegment.anatomy.extent import extent_of
from metasegment.anatomy.lookup import recognise
from metasegment.anatomy.plausibility import NamedMask, masks_of, measured, remarks_on
from metasegment.io.volume_file import read_voxels
from metasegment.volume import Geometry

#: Cases of a data set: patients in it are alike.
CASES = 4
#: Told apart: adults' sizes do not fit, or the file's do not. The voxels of SPL's abdomen make its liver 239 ml, and
#: the muscles of its knee end where they were scanned, within the volume.
APART = ("fetal_brain_atlas", "spl_abdomen", "spl_knee")


@dataclass(frozen=True, eq=False)
class Case:
    name: str
    masks: list[NamedMask]
    geometry: Geometry
    image: np.ndarray | None


def cases(data: Path) -> Iterator[Case]:
    """Cases whose structures have names that are recognised."""
    for folder in sorted([*(data / "train").iterdir(), *(data / "labelmaps").iterdir()]):
        if not folder.is_dir():
            continue
        names = json.loads((folder / "dataset.json").read_text())["labels"]
        if not isinstance(names, dict):
            continue
        named = {int(label): name for label, name in names.items() if recognise(name)}
        files = sorted(p for p in folder.rglob("*.nii.gz") if p.name != "image.nii.gz")
        for file in files[:CASES] if named else ():
            labels = read_voxels(file)
            image = file.parent / "image.nii.gz"
            voxels = read_voxels(image).array if image.exists() else None
            found = [mask for mask in masks_of(labels.array.astype(np.uint8), named) if mask.mask.any()]
            yield Case(f"{folder.name}/{file.parent.name}", found, labels.geometry, voxels)


def damages(case: Case, mask: NamedMask, random: np.random.Generator) -> Iterator[tuple[str, list[NamedMask]]]:
    """Kinds of damage to one structure, with all masks of the case then."""
    others = [other for other in case.masks if other is not mask]
    extent = extent_of(mask.mask, mask.region, case.geometry)
    if not extent.is_cut:
        yield "cut in half", [halved(mask), *others]
        yield "a slab lost", [without_slab(mask), *others]
    yield "leaked", [leaked(mask, case.geometry, random), *others]
    if other := opposite(mask, others):
        swapped = [replace(mask, name=other.name), replace(other, name=mask.name)]
        yield "sides swapped", [*swapped, *(o for o in others if o is not other)]
        yield "one of a pair lost", [replace(mask, mask=np.zeros((1, 1, 1), bool)), *others]
    strangers = [o for o in others if meaning(o) != meaning(mask)]
    if strangers:
        stranger = strangers[random.integers(len(strangers))]
        yield "called as another", [replace(mask, name=stranger.name), *(o for o in others if o is not stranger)]


def meaning(mask: NamedMask) -> str:
    match = recognise(mask.name)
    return (match.structure.pair or match.structure.name) if match else mask.name


def opposite(mask: NamedMask, others: list[NamedMask]) -> NamedMask | None:
    match = recognise(mask.name)
    if match is None or not match.structure.side:
        return None
    return next((o for o in others if meaning(o) == meaning(mask)), None)


def halved(mask: NamedMask) -> NamedMask:
    """Without the half beyond the middle of the longest axis, in voxels."""
    axis = int(np.argmax(mask.mask.shape))
    kept = np.moveaxis(mask.mask.copy(), axis, 0)
    kept[len(kept) // 2 :] = False
    return replace(mask, mask=np.moveaxis(kept, 0, axis)) if kept.any() else mask


def without_slab(mask: NamedMask) -> NamedMask:
    """Without a fifth of its length in the middle."""
    axis = int(np.argmax(mask.mask.shape))
    kept = np.moveaxis(mask.mask.copy(), axis, 0)
    kept[int(0.4 * len(kept)) : int(0.6 * len(kept)) + 1] = False
    return replace(mask, mask=np.moveaxis(kept, 0, axis)) if kept.any() else mask


def leaked(mask: NamedMask, geometry: Geometry, random: np.random.Generator) -> NamedMask:
    """With a ball of its own volume around one of its outermost voxels."""
    whole = np.zeros(geometry.shape, bool)
    whole[mask.region] = mask.mask
    surface = np.argwhere(mask.mask)[[0, -1][random.integers(2)]] + [r.start for r in mask.region]
    spacing = np.array(geometry.spacing_kji)
    radius = (mask.mask.sum() * spacing.prod() * 3 / (4 * np.pi)) ** (1 / 3)
    low = np.maximum(0, np.floor(surface - radius / spacing)).astype(int)
    high = np.minimum(geometry.shape, np.ceil(surface + radius / spacing).astype(int) + 1)
    part = tuple(slice(a, b) for a, b in zip(low, high, strict=True))
    axes = np.ogrid[part]
    whole[part] |= sum(((a - c) * s) ** 2 for a, c, s in zip(axes, surface, spacing, strict=True)) <= radius**2
    return masks_of(whole.astype(np.uint8), {1: mask.name})[0]


def main(data: str, each: str = "10") -> None:
    random = np.random.default_rng(0)
    caught: dict[str, list[bool]] = defaultdict(list)
    alarms: dict[str, list[bool]] = defaultdict(list)
    kinds: Counter[str] = Counter()
    for case in cases(Path(data)):
        known = {mask.label: measured(mask, case.geometry) for mask in case.masks}
        all_ = list(known.values())
        found = {label: remarks_on(one, all_, case.geometry, case.image) for label, one in known.items()}
        group = "apart" if case.name.startswith(APART) else "correct"
        alarms[group] += [bool(remarks) for remarks in found.values()]
        alarms[case.name.split("/")[0]] += [bool(remarks) for remarks in found.values()]
        for mask in case.masks:
            for remark in found[mask.label]:
                kinds[remark.kind] += group == "correct"
                if group == "correct":
                    print(f"  {case.name} {mask.name}: {remark.text}", file=sys.stderr)
        if group == "apart":
            continue
        chosen = random.permutation(len(case.masks))[: int(each)]
        for mask in (case.masks[n] for n in chosen):
            for kind, masks in damages(case, mask, random):
                # Only what was damaged is measured again.
                now = [known[m.label] if m in case.masks else measured(m, case.geometry) for m in masks]
                caught[kind].append(bool(remarks_on(now[0], now, case.geometry, case.image)))
    for title, rows in (("remarks on correct structures", alarms), ("damage that got a remark", caught)):
        print(title)
        for name, values in rows.items():
            print(f"  {name:32s} {np.mean(values):6.1%} of {len(values)}")
    print("kinds of remark on correct ones:", dict(kinds))


if __name__ == "__main__":
    main(*sys.argv[1:])
