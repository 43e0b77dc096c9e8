"""Soft-edged shapes drawn into a CT volume and its label map, in the millimetres of a warped space.

A shape is an array of signed distances (mm, negative inside), so that minimum, maximum and minus are union,
intersection and complement. Knows nothing of anatomy.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ..volume import Geometry

Point = Sequence[float]
Window = tuple[slice, slice, slice]

_AIR = -1000  # HU
_EDGE = 2.2  # mm over which a boundary blends: about one voxel, as partial volume does
_WAVES = 8  # half-waves across the volume of the finest wave of the warp: about 80 mm long
_WARP = 5.0  # mm, standard deviation of the displacement along each axis
_FAR = 1e3  # mm: outside of everything
_STRETCH = 1.4  # how much the warp may enlarge a shape; makes windows large enough


@dataclass(frozen=True, eq=False)
class Region:
    """A window of the canvas, with the place of each voxel: mm to the patient's left, back and head.

    `x`, `y`, `z` and all distances are float32 (k, j, i) of the window. `depth` (1, j, 1) is y without the
    warp: along it a gas-fluid level is flat.
    """

    window: Window
    x: np.ndarray
    y: np.ndarray
    z: np.ndarray
    depth: np.ndarray

    def ellipsoid(self, center: Point, radii: Point, tilt: Point = (0, 0, 0)) -> np.ndarray:
        """Returns distance to an ellipsoid turned by `tilt` degrees about x, y and z; a radius (mm) may be infinite.

        First-order approximation: good near the surface, which is where it matters.
        """
        away = [axis - np.float32(c) for axis, c in zip((self.x, self.y, self.z), center, strict=True)]
        if any(tilt):
            turn = _rotation(tilt).astype(np.float32)
            away = [turn[0, n] * away[0] + turn[1, n] * away[1] + turn[2, n] * away[2] for n in range(3)]
        norm, slope = np.float32(1e-6), np.float32(1e-9)  # not 0, so that the centre divides
        for along, radius in zip(away, radii, strict=True):
            if np.isfinite(radius):
                square = along * along
                norm = norm + square * np.float32(radius**-2)
                slope = slope + square * np.float32(radius**-4)
        norm = np.sqrt(norm)
        return norm * (norm - 1) / np.sqrt(slope)


class Canvas:
    """A CT volume in the making: `image` float32 HU and `labels` uint8, both (k, j, i), air at first.

    `grain` float32 (k, j, i) is a random texture of unit variance, about two voxels coarse.
    """

    def __init__(self, geometry: Geometry, rng: np.random.Generator) -> None:
        self.image = np.full(geometry.shape, _AIR, np.float32)
        self.labels = np.zeros(geometry.shape, np.uint8)
        self.grain = grain(geometry.shape, rng)
        self._spacing = np.array(geometry.spacing_kji)
        self._first = -self._spacing * (np.array(geometry.shape) - 1) / 2
        self._moved = [_WARP * _smooth_field(geometry.shape, rng) for _ in range(3)]
        lines = (a + s * np.arange(n) for a, s, n in zip(self._first, self._spacing, geometry.shape, strict=True))
        straight = [line.astype(np.float32) for line in np.ix_(*lines)]
        z, y, x = (line + moved for line, moved in zip(straight, self._moved, strict=True))
        self._all = Region((slice(None), slice(None), slice(None)), x, y, z, straight[1])

    def whole(self) -> Region:
        """Returns the region of all voxels."""
        return self._all

    def around(self, center: Point, reach: Point) -> Region:
        """Returns the region that holds every shape within `reach` mm along x, y, z of a point."""
        first, last = self._bounds(np.array([center], float), np.array([reach], float))
        return self._region(_window(first[0], last[0]))

    def tube(self, path: np.ndarray, margin: float = 0) -> tuple[Region, np.ndarray]:
        """Returns distance to a tube whose axis and radius are the rows (x, y, z, radius) of `path`.

        Holds inside the tube and up to `margin` mm outside; a large number elsewhere.
        """
        first, last = self._bounds(path[:, :3], path[:, 3:] + margin + _EDGE)
        corner = first.min(axis=0)
        region = self._region(_window(corner, last.max(axis=0)))
        distance = np.full(region.x.shape, _FAR, np.float32)
        for (x, y, z, radius), low, high in zip(path.astype(np.float32), first - corner, last - corner, strict=True):
            near = _window(low, high)
            square = (region.x[near] - x) ** 2 + (region.y[near] - y) ** 2 + (region.z[near] - z) ** 2
            np.minimum(distance[near], np.sqrt(square) - radius, out=distance[near])
        return region, distance

    def paint(self, region: Region, distance: np.ndarray, hu: float | np.ndarray, label: int | None = None) -> None:
        """Fill the inside of a shape with HU, blending at the edge; `label` None leaves the labels alone."""
        image = self.image[region.window]
        image += np.clip(0.5 - distance / _EDGE, 0, 1) * (hu - image)
        if label is not None:
            self.labels[region.window][distance < 0] = label

    def _region(self, window: Window) -> Region:
        whole = self._all
        return Region(window, whole.x[window], whole.y[window], whole.z[window], whole.depth[:, window[1]])

    def _bounds(self, points: np.ndarray, reach: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """First and last + 1 voxel (n, 3: k, j, i) that the warp may take to within reach of n points (x, y, z)."""
        target = points[:, ::-1]
        limit = np.array(self.image.shape) - 1
        nearest = np.clip(np.rint((target - self._first) / self._spacing), 0, limit).astype(int)
        straight = target - np.stack([moved[tuple(nearest.T)] for moved in self._moved], axis=1)
        voxel = (straight - self._first) / self._spacing
        margin = _STRETCH * reach[:, ::-1] / self._spacing
        first = np.clip(np.floor(voxel - margin), 0, limit).astype(int)
        last = np.clip(np.ceil(voxel + margin), 0, limit).astype(int) + 1
        return first, last


def smooth_path(points: Sequence[Point]) -> np.ndarray:
    """Returns rows (x, y, z, radius) along a Catmull-Rom curve through such points, a third of the radius apart."""
    knots = np.array([points[0], *points, points[-1]], float)
    pieces = []
    for before, start, end, after in zip(knots, knots[1:], knots[2:], knots[3:], strict=False):
        length = np.linalg.norm(end[:3] - start[:3])
        steps = max(int(np.ceil(3 * length / min(start[3], end[3]))), 1)
        t = (np.arange(steps) / steps)[:, None]
        bend = 2 * before - 5 * start + 4 * end - after
        twist = -before + 3 * start - 3 * end + after
        pieces.append(start + t * (end - before) / 2 + t**2 * bend / 2 + t**3 * twist / 2)
    return np.concatenate([*pieces, knots[-1:]])


def smooth_union(one: np.ndarray, other: np.ndarray, blend: float) -> np.ndarray:
    """Union of two shapes whose crease is filled over `blend` mm (Quilez's polynomial smooth minimum)."""
    overlap = np.maximum(blend - np.abs(one - other), 0) / blend
    return np.minimum(one, other) - overlap * overlap * (blend / 4)


def grain(shape: tuple[int, int, int], rng: np.random.Generator) -> np.ndarray:
    """Gaussian noise (k, j, i), float32 of unit variance, whose grains are about two voxels wide."""
    noise = rng.standard_normal(shape, np.float32)
    for axis in range(3):
        noise = noise + np.roll(noise, 1, axis)
    return noise / np.float32(np.sqrt(8))


def _smooth_field(shape: tuple[int, int, int], rng: np.random.Generator) -> np.ndarray:
    """Sum of cosines (k, j, i) of up to _WAVES half-waves an axis, the finer the weaker; unit variance."""
    waves = np.arange(_WAVES)
    field = rng.standard_normal((_WAVES, _WAVES, _WAVES)) / (1 + sum(w**2 for w in np.ix_(waves, waves, waves)))
    field[0, 0, 0] = 0
    power = np.where(waves > 0, 0.5, 1)  # mean square of each cosine
    field /= np.sqrt(np.einsum("abc,a,b,c", field**2, power, power, power))
    field = field.astype(np.float32)
    for n in shape:
        basis = np.cos(np.pi * np.outer(waves, (np.arange(n) + 0.5) / n)).astype(np.float32)
        field = np.tensordot(field, basis, (0, 0))  # the first axis leaves, its new form comes last
    return field


def _window(first: np.ndarray, last: np.ndarray) -> Window:
    k, j, i = (slice(int(a), int(b)) for a, b in zip(first, last, strict=True))
    return k, j, i


def _rotation(degrees: Point) -> np.ndarray:
    """Rotation matrix (3, 3): about x first, then y, then z."""
    turn = np.eye(3)
    for axis, angle in enumerate(np.radians(degrees)):
        one, other = (axis + 1) % 3, (axis + 2) % 3
        step = np.eye(3)
        step[one, one] = step[other, other] = np.cos(angle)
        step[other, one], step[one, other] = np.sin(angle), -np.sin(angle)
        turn = step @ turn
    return turn
