"""A CT-like upper abdomen made from nothing but a seed, with its true labels and an annotation of it.

For the demo and the tests only: training never sees it, and no code is shared with `episodes`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from ..annotation import BACKGROUND
from ..structure import Color
from ..volume import Geometry, Volume
from .anatomy import GALLBLADDER, LEFT_KIDNEY, LIVER, RIGHT_KIDNEY, SPLEEN, STOMACH, draw_abdomen
from .canvas import Canvas, grain

_SIZE = (192, 160, 96)  # i, j, k
_SPACING = (1.8, 1.8, 2.5)  # mm; the field of view is 346 x 288 x 240 mm
_NOISE = 11.0  # HU: standard deviation in the liver of a routine abdominal CT
_LOWEST, _HIGHEST = -1024, 3071  # HU that 12 bits hold
_SHOWN = 1 / 3  # of a structure's largest section: less is not worth annotating
_NAMES = {
    LIVER: "liver",
    SPLEEN: "spleen",
    RIGHT_KIDNEY: "right kidney",
    LEFT_KIDNEY: "left kidney",
    STOMACH: "stomach",
    GALLBLADDER: "gallbladder",
}
_COLORS: Mapping[int, Color] = {
    LIVER: (0.80, 0.42, 0.33),
    SPLEEN: (0.62, 0.46, 0.86),
    RIGHT_KIDNEY: (0.96, 0.62, 0.22),
    LEFT_KIDNEY: (0.95, 0.47, 0.62),
    STOMACH: (0.36, 0.68, 0.92),
    GALLBLADDER: (0.42, 0.80, 0.42),
}


@dataclass(frozen=True, eq=False)
class Phantom:
    """A volume (int16, HU), the true labels (uint8, same grid, 0 = background), their names and colours."""

    volume: Volume
    labels: np.ndarray
    names: Mapping[int, str]
    colors: Mapping[int, Color]


def abdomen_phantom(seed: int = 0) -> Phantom:
    """Returns an upper abdomen in the portal venous phase, (96, 160, 192) voxels of 2.5 x 1.8 x 1.8 mm.

    The same seed gives the same voxels. Takes about 2 s on one core.
    """
    rng = np.random.default_rng(seed)
    centre = [step * (n - 1) / 2 for n, step in zip(_SIZE, _SPACING, strict=True)]
    geometry = Geometry(
        _SIZE, _SPACING, (-centre[0], -centre[1], -centre[2]), (1.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 1.0)
    )
    canvas = Canvas(geometry, rng)
    draw_abdomen(canvas, rng)
    scan = _scanned(canvas.image, rng)
    return Phantom(Volume(scan, geometry), _largest_pieces(canvas.labels), _NAMES, _COLORS)


def choose_slices(labels: np.ndarray, count: int = 3) -> tuple[int, ...]:
    """Evenly spaced axial slices (indices along k) that together show every structure, as a reader would choose.

    Of all such sets, the one whose slices are nearest to the structures' voxels, in units of each structure's
    own height; a slice counts for a structure where it shows a third of its largest section. Raises ValueError
    where no set shows all.
    """
    areas = np.stack([(labels == label).sum(axis=(1, 2)) for label in np.unique(labels[labels > 0])])
    shows = areas >= _SHOWN * areas.max(axis=1, keepdims=True)
    heights = (areas > 0).sum(axis=1)
    planes = np.arange(len(labels))
    away = np.abs(planes[:, None] - planes)
    best: tuple[float, tuple[int, ...]] = (np.inf, ())
    for step in range(1, len(labels)):
        for first in range(len(labels) - step * (count - 1)):
            slices = [first + step * n for n in range(count)]
            nearest = np.where(shows[:, None, slices], away[:, slices], np.inf).min(axis=2)
            if np.isfinite(nearest).all():
                mean = (areas * nearest).sum(axis=1) / areas.sum(axis=1)
                best = min(best, (float((mean / heights).sum()), tuple(slices)))
    if not best[1]:
        raise ValueError(f"no {count} evenly spaced slices show every structure")
    return best[1]


def annotate(labels: np.ndarray, slices: Sequence[int]) -> np.ndarray:
    """Annotation uint8 (k, j, i) that knows the axial slices given and nothing else: 0 unknown, 255 background."""
    annotation = np.zeros(labels.shape, np.uint8)
    for k in slices:
        annotation[k] = np.where(labels[k] > 0, labels[k], BACKGROUND)
    return annotation


def _largest_pieces(labels: np.ndarray) -> np.ndarray:
    """Each structure without the scraps that its neighbours have cut off."""
    import SimpleITK as sitk

    kept = np.zeros_like(labels)
    for label in _NAMES:
        pieces = sitk.ConnectedComponent(sitk.GetImageFromArray((labels == label).astype(np.uint8)))
        largest = sitk.RelabelComponent(pieces) == 1  # sorted by size
        kept[sitk.GetArrayViewFromImage(largest) > 0] = label
    return kept


def _scanned(image: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """What a scanner makes of the anatomy: a slight blur and grainy noise; int16 HU."""
    framed = np.pad(image, 1, mode="edge")
    for axis in range(3):
        ahead, here, behind = (framed.take(range(n, n + image.shape[axis]), axis) for n in range(3))
        framed = (ahead + 4 * here + behind) / 6
    noisy = framed + _NOISE * grain(image.shape, rng)
    return np.clip(np.rint(noisy), _LOWEST, _HIGHEST).astype(np.int16)
