"""One file that holds a whole bank: compact, memory-mapped, and read with torch and safetensors alone.

A safetensors file with two compressed arrays a volume and a description of each in its metadata. Images keep 128
levels of intensity; volumes of more than LARGEST_VOXELS are cropped to their structures and halved until they fit.
"""

from __future__ import annotations

import hashlib
import json
import lzma
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from ..errors import InputError
from ..io.files import written_beside
from .filled import surroundings
from .labelled import Bank, LabelledVolume
from .layouts import Case, find_cases, read_case

FORMAT = "metasegment-bank-2"
#: About twice the cells of the largest grid that an episode draws on, along each axis.
LARGEST_VOXELS = 192**3
#: Intensities beyond these quantiles are clipped: metal and air must not set the scale.
CLIP = (0.0005, 0.9995)
#: Intensities kept of an image. 256 made a file of 47.7 MiB of the project's data, too large to move to a GPU beside
#: the program; 128 make one of 40.2, off by 0.012 standard deviations of an image at most, less than its noise.
LEVELS = 128
#: Values looked at for the levels.
SAMPLE = 2**20
#: Bytes of inflated volumes that a process keeps; beyond them it inflates again.
KEPT_BYTES = 2**30
#: Differences of neighbours compress better than the values themselves.
FILTERS = ({"id": lzma.FILTER_DELTA, "dist": 1}, {"id": lzma.FILTER_LZMA2, "preset": 6})


@dataclass(frozen=True)
class Entry:
    """What the file says of a volume besides its voxels; `source` is the SHA-256 of the files it was made from."""

    dataset: str
    case: str
    shape: tuple[int, int, int]
    spacing: tuple[float, float, float]
    targets: tuple[int, ...]
    withheld: tuple[int, ...]
    with_image: bool
    licence: str
    source: str


def pack(root: Path, output: Path, withheld: Mapping[str, Sequence[int]], progress: Callable[[float], None]) -> int:
    """Packs every case of a folder (layouts.py) with something to learn from; returns how many. `withheld` lists
    label values, by data set, that are never targets.
    """
    cases = find_cases(root)
    unknown = sorted(set(withheld) - {case.dataset for case in cases})
    if unknown:
        raise InputError(f"no data set {unknown[0]} in {root}, of which labels are to be withheld")
    entries: list[Entry] = []
    tensors: dict[str, Tensor] = {}
    for done, case in enumerate(cases):
        volume = read_case(case, withheld.get(case.dataset, ()))
        if volume.targets:
            volume = _fitting(volume)
            tensors.update(_compressed(volume, len(entries)))
            entries.append(_entry(case, volume))
        progress((done + 1) / len(cases))
    if not any(entry.with_image for entry in entries):
        raise InputError(f"no structure to learn from in {root}: all labels are 0 or withheld")
    with written_beside(output) as draft:
        save_file(tensors, draft, {"format": FORMAT, "volumes": json.dumps([asdict(e) for e in entries])})
    return len(entries)


def open_bank(path: Path, withheld: Mapping[str, Sequence[int]]) -> Bank:
    """Opens the bank of a packed file. Its volumes are inflated when they are drawn."""
    volumes: dict[str, PackedVolumes] = {}
    maps = PackedVolumes(path)
    for number, entry in enumerate(_entries(path)):
        more = set(withheld.get(entry.dataset, ())) & set(entry.targets)
        left = tuple(v for v in entry.targets if v not in more)
        if left:
            place = volumes.setdefault(entry.dataset, PackedVolumes(path)) if entry.with_image else maps
            place.add(number, replace(entry, targets=left, withheld=(*entry.withheld, *sorted(more))))
    if not volumes:
        raise InputError(f"no structure to learn from in {path}: all labels are withheld")
    return Bank(volumes, maps)


class PackedVolumes(Sequence[LabelledVolume]):
    """Volumes of a packed file; the last ones used are kept."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._entries: list[tuple[int, Entry]] = []
        self._kept: dict[int, LabelledVolume] = {}

    def add(self, number: int, entry: Entry) -> None:
        self._entries.append((number, entry))

    def __len__(self) -> int:
        return len(self._entries)

    def __getitem__(self, index: Any) -> Any:
        number, entry = self._entries[index]
        if number not in self._kept:
            if sum(v.labels.nbytes for v in self._kept.values()) > KEPT_BYTES:
                self._kept.clear()
            self._kept[number] = _inflated(self._path, number, entry)
        return self._kept[number]


def _entry(case: Case, volume: LabelledVolume) -> Entry:
    digest = hashlib.sha256()
    for path in filter(None, (case.image, case.labels)):
        digest.update(path.read_bytes())
    k, j, i = volume.labels.shape
    return Entry(
        case.dataset,
        case.name,
        (k, j, i),
        volume.spacing,
        volume.targets,
        volume.withheld,
        volume.image is not None,
        case.licence,
        digest.hexdigest(),
    )


def _fitting(volume: LabelledVolume) -> LabelledVolume:
    """The volume, or where it is large its structures and their context, every other plane as long as it is large."""
    if volume.labels.numel() <= LARGEST_VOXELS:
        return volume
    region = surroundings(torch.isin(volume.labels, torch.tensor(volume.targets)))
    image = None if volume.image is None else volume.image[region]
    labels, spacing = volume.labels[region], list(volume.spacing)
    while labels.numel() > LARGEST_VOXELS:
        axis = spacing.index(min(spacing))
        labels = labels.movedim(axis, 0)[::2].movedim(0, axis)
        image = None if image is None else _halved(image.movedim(axis, 0)).movedim(0, axis)
        spacing[axis] *= 2
    return replace(volume, image=image, labels=labels, spacing=(spacing[0], spacing[1], spacing[2]))


def _halved(image: Tensor) -> Tensor:
    """Every other plane of the first axis, each a quarter of its neighbours on either side: it stays in its place."""
    padded = torch.cat([image[:1], image, image[-1:]]).float()
    return ((padded[:-2] + 2 * padded[1:-1] + padded[2:]) / 4)[::2].to(image.dtype)


def _compressed(volume: LabelledVolume, number: int) -> dict[str, Tensor]:
    """The arrays of a volume as they lie in the file: bytes, and for an image the intensities they stand for."""
    found = {f"labels/{number}": _deflated(volume.labels)}
    if volume.image is not None:
        levels = _levels(volume.image)
        middles = (levels[1:].double() + levels[:-1].double()) / 2
        nearest = torch.searchsorted(middles, volume.image.double().contiguous())
        found[f"image/{number}"] = _deflated(nearest.to(torch.uint8))
        found[f"levels/{number}"] = levels
    return found


def _levels(image: Tensor) -> Tensor:
    """Ascending intensities that stand for all: those there are where they are few, else half spaced by intensity
    and half by how often an intensity occurs.
    """
    present = image.unique()
    if len(present) <= LEVELS:
        return present
    values = np.sort(image.flatten()[:: max(1, image.numel() // SAMPLE)].numpy().astype(np.float64))
    low, high = np.quantile(values, CLIP)
    at = np.linspace(low, high, 16 * LEVELS)
    rank = np.searchsorted(values, at) / len(values)
    share = np.linspace(0, 1, len(at)) + (rank - rank[0]) / (rank[-1] - rank[0])
    levels = torch.from_numpy(np.interp(np.linspace(0, 2, LEVELS), share, at))
    return levels.round().to(image.dtype) if image.dtype == torch.int16 else levels.to(image.dtype)


def _deflated(array: Tensor) -> Tensor:
    packed = lzma.compress(array.contiguous().numpy().tobytes(), filters=FILTERS)
    return torch.frombuffer(bytearray(packed), dtype=torch.uint8)


def _entries(path: Path) -> list[Entry]:
    try:
        with safe_open(path, framework="pt") as file:
            metadata = file.metadata() or {}
    except (SafetensorError, OSError) as error:
        raise InputError(f"{path} is no packed bank, or a damaged one ({error}): pack the data again") from None
    if metadata.get("format") != FORMAT:
        raise InputError(f"{path} is no bank of this version ({FORMAT}): pack the data again")
    return [_as_entry(fields) for fields in json.loads(metadata["volumes"])]


def _as_entry(fields: dict[str, Any]) -> Entry:
    plain: dict[str, Any] = {name: tuple(v) if isinstance(v, list) else v for name, v in fields.items()}
    return Entry(**plain)


def _inflated(path: Path, number: int, entry: Entry) -> LabelledVolume:
    def array(name: str, dtype: torch.dtype) -> Tensor:
        inflated = lzma.decompress(file.get_tensor(f"{name}/{number}").numpy().tobytes())
        return torch.frombuffer(bytearray(inflated), dtype=dtype).view(entry.shape)

    with safe_open(path, framework="pt") as file:
        labels = array("labels", torch.int16)
        image = None
        if entry.with_image:
            image = file.get_tensor(f"levels/{number}")[array("image", torch.uint8).int()]
    return LabelledVolume(entry.dataset, entry.case, image, labels, entry.spacing, entry.targets, entry.withheld)
