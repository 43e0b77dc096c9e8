"""Procedural label maps that tile a volume like anatomy.

Knows labels only: intensities are rendering.py's, which of the labels becomes a target is sources.py's.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Generator, Tensor

from ..fields.chance import choose, happens, integer, normal, uniform
from ..fields.smooth import smooth_field, spline_basis

#: Labels in a map, the outer background included.
FEWEST_LABELS, MOST_LABELS = 6, 30
#: The shortest axis a map can have: below it the smallest objects are no voxel wide.
SHORTEST_AXIS = 16
#: Diameter of compact objects, and thickness of tubes, as a share of the map's side.
DIAMETERS, THICKNESSES = (0.03, 0.6), (0.03, 0.12)
#: Kinds of object and how often each is drawn.
KINDS = {"ellipsoid": 0.25, "blob": 0.2, "tube": 0.2, "tree": 0.15, "shell": 0.1, "sheet": 0.1}
#: Murray's law for a symmetric bifurcation: the daughters' radius over the mother's.
DAUGHTER = 0.5 ** (1 / 3)

Shape = tuple[int, int, int]


@dataclass(frozen=True)
class Recipe:
    """A kind of object, its diameter (thickness for tubes and trees) and its wall in voxels, 0 for none."""

    kind: str
    size: float
    wall: float


@dataclass(frozen=True)
class Body:
    """A solid on a part of the map: `level` is roughly the voxels to its surface, negative inside."""

    box: tuple[slice, slice, slice]
    level: Tensor


def procedural_labels(shape: Shape, generator: Generator) -> Tensor:
    """Returns a random label map (k, j, i), uint8, on the generator's device, with 6 to 30 labels that leave no gap.

    Tissue regions fill the volume; objects lie on and in them, the large ones first, most kinds more than
    once so that each has distractors of its own shape. 0 is the air around the body and is missing from maps
    that are all body. Raises ValueError for an axis shorter than 16 voxels.
    """
    if min(shape) < SHORTEST_AXIS:
        raise ValueError(f"a label map of {shape} is too small, every axis needs {SHORTEST_AXIS} voxels")
    while True:
        labels = _numbered(_composed(shape, generator))
        if int(labels.max()) >= FEWEST_LABELS:
            return labels


def _composed(shape: Shape, generator: Generator) -> Tensor:
    labels = _regions(shape, generator)
    side = _side(shape)
    outside = _wrap_in_skin(labels, generator) if happens(generator, 0.6) else None
    used = int(labels.max())
    for recipe in _recipes(integer(generator, FEWEST_LABELS + 2, MOST_LABELS - 1) - used, side, generator):
        used = _add(labels, recipe, used, generator)
    if outside is not None:
        labels.masked_fill_(outside, 0)
    return _warped(labels, generator) if happens(generator, 0.7) else labels


def _side(shape: Sequence[int]) -> float:
    return math.prod(shape) ** (1 / 3)


def _regions(shape: Shape, generator: Generator) -> Tensor:
    """Tissues 1, 2, … that fill the volume: bands of one smooth field, or the largest of several fields."""
    cell = _side(shape) * uniform(generator, 0.18, 0.5)
    if happens(generator, 0.25):
        field = smooth_field(shape, cell, generator)[0]
        heights = torch.randn(integer(generator, 2, 4), generator=generator, device=generator.device)
        return (torch.bucketize(field, heights.sort().values) + 1).to(torch.uint8)
    count = integer(generator, 3, 7)
    fields = smooth_field(shape, cell, generator, count)
    labels = torch.ones(shape, dtype=torch.uint8, device=generator.device)
    highest = fields[0]
    # One pass a field: argmax over the first axis is twenty times slower on a CPU.
    for label, field in enumerate(fields[1:], start=2):
        labels.masked_fill_(field > highest, label)
        highest = torch.maximum(highest, field)
    return labels


def _wrap_in_skin(labels: Tensor, generator: Generator) -> Tensor:
    """Gives the tissues up to two layers of skin, in place; returns what is outside the body (bool)."""
    shape = labels.shape
    radii = [n * uniform(generator, 0.42, 0.6) for n in shape]
    middle = [(n - 1) / 2 for n in shape]
    identity = torch.eye(3, device="cpu")
    body = _lump(shape, middle, radii, identity, happens(generator, 0.5), 0.06, generator)
    level = torch.ones(shape, device=generator.device)
    level[body.box] = body.level
    depth = 0.0
    for _ in range(integer(generator, 0, 2)):
        deeper = depth + _side(shape) * uniform(generator, 0.02, 0.07)
        labels.masked_fill_((level > -deeper) & (level <= -depth), int(labels.max()) + 1)
        depth = deeper
    return level > 0


def _recipes(labels: int, side: float, generator: Generator) -> list[Recipe]:
    """Objects for so many labels, the largest first; each recipe is used for one to four objects."""
    recipes: list[Recipe] = []
    left = labels
    while left > 0:
        recipe = _recipe(side, generator)
        copies = min(integer(generator, 1, 4), left // _labels_of(recipe))
        recipes += [recipe] * copies
        left -= max(1, copies * _labels_of(recipe))
    return sorted(recipes, key=lambda recipe: recipe.size, reverse=True)


def _labels_of(recipe: Recipe) -> int:
    return 2 if recipe.wall else 1


def _recipe(side: float, generator: Generator) -> Recipe:
    kind = choose(generator, list(KINDS), list(KINDS.values()))
    low, high = THICKNESSES if kind in ("tube", "tree") else DIAMETERS
    # The root favours large objects: small ones drawn from a plain log-uniform leave most planes empty.
    size = side * low * (high / low) ** uniform(generator, 0, 1) ** 0.6
    walled = kind in ("ellipsoid", "blob", "tube") and size > 6 and happens(generator, 0.35)
    return Recipe(kind, size, size * uniform(generator, 0.1, 0.2) if walled else 0.0)


def _add(labels: Tensor, recipe: Recipe, used: int, generator: Generator) -> int:
    """Draws an object over the map, in place, with the labels after `used`; returns the last label used."""
    centre = [n * uniform(generator, 0.1, 0.9) for n in labels.shape]
    draw = _tubes if recipe.kind in ("tube", "tree") else _compact
    body = draw(labels.shape, centre, recipe, generator)
    region = labels[body.box]
    inside = body.level < 0
    if happens(generator, 0.25):
        k, j, i = (int(c) for c in centre)
        inside &= region == labels[k, j, i]
    region.masked_fill_(inside, used + 1)
    if recipe.wall:
        region.masked_fill_(inside & (body.level < -recipe.wall), used + 2)
    return used + _labels_of(recipe)


def _compact(shape: Sequence[int], centre: Sequence[float], recipe: Recipe, generator: Generator) -> Body:
    """An ellipsoid (20 % of them long and thin), a blob, a piece of shell or a bent sheet."""
    thin = recipe.kind == "ellipsoid" and happens(generator, 0.2)
    low, high = (0.12, 0.35) if thin else (0.5, 1.0)
    ratios = (1.0, uniform(generator, low, high), uniform(generator, low, high))
    radii = [max(0.9, recipe.size / 2 * ratio) for ratio in ratios]
    boxy = happens(generator, 0.25)
    irregular = uniform(generator, 0.25, 0.45) if recipe.kind == "blob" else uniform(generator, 0, 0.12)
    body = _lump(shape, centre, radii, _rotation(generator), boxy, irregular, generator)
    if recipe.kind not in ("shell", "sheet"):
        return body
    thickness = max(1.5, recipe.size * uniform(generator, 0.06, 0.18))
    plane = _plane(body, centre, generator)
    if recipe.kind == "sheet":
        height = recipe.size * uniform(generator, 0, 0.15)
        bend = height * smooth_field(plane.shape, recipe.size / 2, generator)[0]
        return Body(body.box, torch.maximum(body.level, (plane + bend).abs() - thickness / 2))
    shell = torch.maximum(body.level, -body.level - thickness)
    cut = plane - recipe.size * uniform(generator, -0.1, 0.5)
    return Body(body.box, torch.maximum(shell, cut))


def _lump(
    shape: Sequence[int],
    centre: Sequence[float],
    radii: Sequence[float],
    rotation: Tensor,
    boxy: bool,
    irregular: float,
    generator: Generator,
) -> Body:
    """An ellipsoid, or one of power 4, with its surface moved by `irregular` times its mean radius."""
    mean = sum(radii) / 3
    # A superellipsoid reaches 3^(1/4) times further at its corners; the field seldom exceeds two deviations.
    reach = max(radii) * (3**0.25 if boxy else 1) + 2 * irregular * mean + 1
    box = _box(shape, centre, [reach] * 3)
    scaled = rotation / torch.tensor(radii, device="cpu")[:, None]
    z, y, x = _offsets(box, centre, generator.device)
    squares = [((a * z)[:, None, None] + (b * y)[:, None] + c * x).square_() for a, b, c in scaled.tolist()]
    if boxy:
        squares = [square.square_() for square in squares]
    norm = squares[0].add_(squares[1]).add_(squares[2]).sqrt_()
    level = ((norm.sqrt_() if boxy else norm) - 1) * min(radii)
    if irregular > 0:
        level += smooth_field(level.shape, max(2.0, 0.8 * mean), generator)[0] * (irregular * mean)
    return Body(box, level)


def _rotation(generator: Generator) -> Tensor:
    """A random orthonormal matrix, on the host."""
    return torch.linalg.qr(normal(generator, 3, 3)).Q


def _plane(body: Body, centre: Sequence[float], generator: Generator) -> Tensor:
    """Signed distance in voxels to a random plane through `centre`, on the body's box."""
    a, b, c = _rotation(generator)[0].tolist()
    z, y, x = _offsets(body.box, centre, body.level.device)
    return a * z[:, None, None] + b * y[:, None] + c * x


def _box(shape: Sequence[int], centre: Sequence[float], reach: Sequence[float]) -> tuple[slice, slice, slice]:
    k, j, i = (
        slice(max(0, math.floor(c - r)), min(n, math.ceil(c + r) + 1))
        for n, c, r in zip(shape, centre, reach, strict=True)
    )
    return k, j, i


def _offsets(box: Sequence[slice], centre: Sequence[float], device: torch.device) -> list[Tensor]:
    return [torch.arange(s.start, s.stop, device=device) - c for s, c in zip(box, centre, strict=True)]


def _tubes(shape: Sequence[int], start: Sequence[float], recipe: Recipe, generator: Generator) -> Body:
    """A curved tube, or a tree of tubes that halve with Murray's law, of slowly varying radius."""
    side = _side(shape)
    tree = recipe.kind == "tree"
    length = side * (uniform(generator, 0.25, 0.45) if tree else uniform(generator, 0.3, 1.8))
    wander = uniform(generator, 0.1, 0.4) if tree else uniform(generator, 0.1, 0.9)
    radius = recipe.size / 2
    level = torch.full((math.prod(shape),), torch.inf, device=generator.device)
    starts = torch.tensor([start], device=generator.device)
    directions = torch.randn(1, 3, generator=generator, device=generator.device)
    for _ in range(integer(generator, 3, 4) if tree else 1):
        curves = _curves(starts, directions, length, radius, wander, generator)
        _stamp(level, shape, curves.flatten(0, 1), radius, generator)
        starts = curves[:, -1].repeat(2, 1)
        heading = torch.nn.functional.normalize(curves[:, -1] - curves[:, -3], dim=1).repeat(2, 1)
        directions = heading + 0.6 * torch.randn(heading.shape, generator=generator, device=generator.device)
        radius, length = max(0.8, radius * DAUGHTER), length * uniform(generator, 0.6, 0.9)
    return Body(_box(shape, [0, 0, 0], shape), level.view(*shape))


def _curves(
    starts: Tensor, directions: Tensor, length: float, radius: float, wander: float, generator: Generator
) -> Tensor:
    """Smooth centre lines (curves, points, 3) in voxels from `starts` along `directions` (curves, 3)."""
    steps = max(3, round(length / (6 * radius)))
    turns = wander * torch.randn(len(starts), steps, 3, generator=generator, device=starts.device)
    headings = torch.nn.functional.normalize(directions, dim=1)[:, None] + turns.cumsum(1)
    moves = torch.nn.functional.normalize(headings, dim=2) * (length / steps)
    before = starts[:, None] - moves[:, :1]
    knots = torch.cat([before, starts[:, None], starts[:, None] + moves.cumsum(1)], 1)
    count = max(4, math.ceil(length / max(0.7, 0.4 * radius)))
    return spline_basis(torch.linspace(0, steps - 1, count, device=starts.device), steps + 2) @ knots


def _stamp(level: Tensor, shape: Sequence[int], points: Tensor, radius: float, generator: Generator) -> None:
    """Lowers the flat map `level` to the distance to balls around `points` (n, 3) folded into the volume."""
    variation = 0.2 * torch.randn(max(2, len(points) // 8), generator=generator, device=points.device)
    radii = radius * (1 + variation.clamp(-0.5, 0.5))
    radii = torch.nn.functional.interpolate(radii[None, None], size=len(points), mode="linear")[0, 0]
    sizes = torch.tensor(shape, device=points.device)
    points = (sizes - 1) - ((points % (2 * (sizes - 1))) - (sizes - 1)).abs()
    reach = math.ceil(1.5 * radius) + 1
    cells = points.round().long()[:, :, None] + torch.arange(-reach, reach + 1, device=points.device)
    squares = (cells - points[:, :, None]) ** 2
    squares = squares.masked_fill((cells < 0) | (cells >= sizes[:, None]), torch.inf)
    cells = torch.minimum(cells.clamp(min=0), sizes[:, None] - 1)
    k, j, i = cells[:, 0, :, None, None], cells[:, 1, None, :, None], cells[:, 2, None, None, :]
    kk, jj, ii = squares[:, 0, :, None, None], squares[:, 1, None, :, None], squares[:, 2, None, None, :]
    distance = (kk + jj + ii).sqrt()
    index = (k * shape[1] + j) * shape[2] + i
    level.scatter_reduce_(0, index.flatten(), (distance - radii[:, None, None, None]).flatten(), "amin")


def _warped(labels: Tensor, generator: Generator) -> Tensor:
    """The map under a strong elastic deformation, mirrored where it reaches beyond the edges."""
    cell = _side(labels.shape) * uniform(generator, 0.2, 0.5)
    # At most a fifth of the knot distance: the gradient stays below 1, so the map does not fold.
    field = smooth_field(labels.shape, cell, generator, 3) * (cell * uniform(generator, 0.05, 0.2))
    index = torch.zeros(labels.shape, dtype=torch.int, device=labels.device)
    for axis, n in enumerate(labels.shape):
        grid = torch.arange(n, device=labels.device).view([-1 if a == axis else 1 for a in range(3)])
        mirrored = (n - 1) - (field[axis].add_(grid).abs_() - (n - 1)).abs_()
        index = index * n + mirrored.round_().clamp_(min=0).int()
    return labels.flatten().index_select(0, index.flatten()).view_as(labels)


def _numbered(labels: Tensor) -> Tensor:
    """Labels without gaps in their numbers; 0 stays 0."""
    present = torch.bincount(labels.flatten(), minlength=2) > 0
    table = torch.cat([present.new_zeros(1), present[1:]]).cumsum(0)
    return table.to(torch.uint8).index_select(0, labels.flatten().int()).view_as(labels)
