"""Shape interpolation: signed distances of the annotated slices, blended over the space between them, any planes.

Raya & Udupa, IEEE TMI 9(1), 1990, extended to crossing families of slices by inverse-distance weights and to one
oblique plane.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn.functional import avg_pool3d

from ..grid import on_axis

#: Squared distance that stands for "nowhere", in mm².
FAR = 1e8
#: Towards an empty slice a structure shrinks with this power of the share of the way: it vanishes at five sixths of it,
#: not half-way.
HOLD = 4.0
#: Sums that a distance transform forms at once on a GPU; on a CPU one row at a time is up to five times faster.
GPU_CELLS = 2**25


def annotated_planes(known: Tensor) -> list[Tensor]:
    """Returns indices of the fully known planes of a grid along k, j and i; of a grid known everywhere, those along k
    alone.
    """
    if bool(known.all()):
        nothing = torch.zeros(0, dtype=torch.long, device=known.device)
        return [torch.arange(known.shape[0], device=known.device), nothing, nothing]
    rows = known.all(2)
    return [held.nonzero()[:, 0] for held in (rows.all(1), rows.all(0), known.all(0).all(0))]


def distance_to_known(known: Tensor, spacing: Sequence[float]) -> Tensor:
    """Returns distance of every cell to the nearest known cell in mm (k, j, i)."""
    planes = annotated_planes(known)
    rest = _beside_planes(known, planes)
    if bool(rest.any()):
        return _squared_distance(known, spacing).sqrt()
    return torch.stack(_plane_distances(known.shape, planes, spacing)).amin(0).expand(known.shape)


def interpolate(fg: Tensor, known: Tensor, spacing: Sequence[float]) -> Tensor:
    """Returns signed distance to the interpolated surface in mm (k, j, i), positive inside.

    `fg` and `known` are boolean (k, j, i). Beyond the last slice the structure tapers off by one mm a mm; towards an
    empty slice it vanishes shortly before. Known cells outside fully known planes count as one oblique plane.
    """
    planes = annotated_planes(known)
    answers, distances = [], []
    for axis, indices in enumerate(planes):
        if len(indices):
            masks = fg.movedim(axis, 0)[indices]
            field = _between_planes(
                masks, indices, fg.shape[axis], [s for a, s in enumerate(spacing) if a != axis], spacing[axis]
            )
            answers.append(field.movedim(0, axis))
            distances.append(_axis_distance(fg.shape, axis, indices, spacing[axis]))
    rest = _beside_planes(known, planes)
    if bool(rest.any()):
        field, distance = _from_oblique(fg & rest, rest, spacing)
        answers.append(field)
        distances.append(distance)
    if not answers:
        return torch.full(known.shape, -1.0, device=known.device)
    if len(answers) == 1:
        return answers[0]
    weights = [1 / (d + 0.25 * min(spacing)) ** 2 for d in distances]
    total: Tensor = sum(w * a for w, a in zip(weights, answers, strict=True)) / sum(weights)  # type: ignore[assignment]
    return total


def signed_distance(mask: Tensor, spacing: Sequence[float]) -> Tensor:
    """Returns signed distance in mm to the border of masks (n, …), positive inside; ±inf-like where a mask has no
    border.
    """
    outside, inside = _squared_distance(mask, spacing), _squared_distance(~mask, spacing)
    half = 0.5 * min(spacing)
    return torch.where(mask, inside.sqrt() - half, half - outside.sqrt())


def _between_planes(masks: Tensor, indices: Tensor, size: int, plane_spacing: Sequence[float], gap: float) -> Tensor:
    """Signed distances (size, …) from those of the planes at `indices`, linear between them."""
    signed = signed_distance(masks, plane_spacing)
    filled = masks.flatten(1).any(1)
    depth = signed[filled].amax().clamp(max=FAR**0.25) if bool(filled.any()) else signed.new_tensor(1.0)
    signed[~filled] = -depth
    positions = torch.arange(size, device=masks.device)
    after = torch.searchsorted(indices, positions).clamp(max=len(indices) - 1)
    before = (torch.searchsorted(indices, positions, right=True) - 1).clamp(min=0)
    span = (indices[after] - indices[before]).clamp(min=1)
    share = ((positions - indices[before]) / span).clamp(0, 1)
    # What ends keeps its shape until shortly before the empty slice.
    share = torch.where(filled[before] & ~filled[after], share**HOLD, share)
    share = torch.where(~filled[before] & filled[after], 1 - (1 - share) ** HOLD, share)[:, None, None]
    field = torch.lerp(signed[before], signed[after], share)
    beyond = (indices[0] - positions).clamp(min=0) + (positions - indices[-1]).clamp(min=0)
    return field - beyond[:, None, None] * gap


def _from_oblique(fg: Tensor, sheet: Tensor, spacing: Sequence[float]) -> tuple[Tensor, Tensor]:
    """Signed distance of an oblique sheet extruded along its normal, less the distance to the sheet; and that
    distance.
    """
    scale = torch.tensor(spacing, dtype=torch.float32, device=fg.device)
    points = sheet.nonzero() * scale
    centre = points.mean(0)
    normal = torch.linalg.svd(points - centre, full_matrices=False).Vh[-1]
    cells = (
        torch.stack(torch.meshgrid(*(torch.arange(n, device=fg.device) for n in fg.shape), indexing="ij"), -1) * scale
    )
    height = ((cells - centre) * normal).sum(-1)
    foot = ((cells - height[..., None] * normal) / scale).round().long()
    limits = torch.tensor(fg.shape, device=fg.device) - 1
    k, j, i = foot.clamp(min=torch.zeros_like(limits), max=limits).unbind(-1)
    # The foot may lie between the cells of a thin sheet: the known ones around it decide by majority.
    inside, known = avg_pool3d(torch.stack([fg, sheet])[None].float(), 3, stride=1, padding=1)[0, :, k, j, i]
    extruded = signed_distance(((inside > 0) & (2 * inside >= known))[None], spacing)[0]
    return extruded - height.abs(), height.abs()


def _beside_planes(known: Tensor, planes: Sequence[Tensor]) -> Tensor:
    rest = known.clone()
    for axis, indices in enumerate(planes):
        rest.movedim(axis, 0)[indices] = False
    return rest


def _axis_distance(shape: Sequence[int], axis: int, indices: Tensor, gap: float) -> Tensor:
    positions = torch.arange(shape[axis], device=indices.device)
    nearest = (positions[:, None] - indices).abs().amin(1) * gap
    return on_axis(nearest.float(), axis).expand(*shape)


def _plane_distances(shape: Sequence[int], planes: Sequence[Tensor], spacing: Sequence[float]) -> list[Tensor]:
    found = [_axis_distance(shape, a, p, spacing[a]) for a, p in enumerate(planes) if len(p)]
    return found or [torch.full(tuple(shape), sum(spacing) * max(shape), device=planes[0].device)]


def _squared_distance(seeds: Tensor, spacing: Sequence[float]) -> Tensor:
    """Exact squared Euclidean distance to the seeds by separable min-plus products (Felzenszwalb & Huttenlocher
    2012), along as many of the last axes as there are spacings.
    """
    out = torch.where(seeds, 0.0, FAR)
    for axis, edge in enumerate(spacing):
        dim = axis - len(spacing)
        positions = torch.arange(out.shape[dim], device=out.device) * edge
        parabola = (positions[:, None] - positions) ** 2
        lines = out.movedim(dim, -1)[..., None, :]
        rows = max(1, GPU_CELLS // lines.numel()) if out.is_cuda else 1
        out = torch.cat([(lines + some).amin(-1) for some in parabola.split(rows)], -1).movedim(-1, dim)
    return out
