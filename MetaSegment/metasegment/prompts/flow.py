"""Dense optical flow between neighbouring slices of a grid: where each cell of a slice lies in the slice beside it.

On a CPU by OpenCV's DIS (Kroeger et al., ECCV 2016, arXiv 1603.03590). On a GPU, and where OpenCV is not installed, by
diffeomorphic demons without the exponential (Vercauteren et al., NeuroImage 45, 2009), all pairs of slices at once.
"""

from __future__ import annotations

import importlib.util

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import avg_pool2d, grid_sample, interpolate

from ..fields.z_score import z_scored

#: Pixels along the shorter side at which slices are compared, at least: DIS finds little on fewer.
LEAST_PIXELS = 64
#: Levels of the demons' pyramid, steps on each, and rounds of 5 x 5 means that stand for its Gaussian.
LEVELS, STEPS, SMOOTHING = 3, 8, 2


def flows(source: Tensor, target: Tensor) -> Tensor:
    """For each pixel of the target slices, where its content lies in the source slices.

    Both are float (n, rows, columns) of one contrast, of any range; n pairs are compared independently. Returns
    float32 (n, 2, rows, columns), offsets in pixels along rows and columns.
    """
    if source.is_cuda or importlib.util.find_spec("cv2") is None:
        return _demons(source, target)
    return _dis(source, target)


def warp(fields: Tensor, flow: Tensor) -> Tensor:
    """Fields (n, c, rows, columns) sampled where `flow` (n, 2, rows, columns) points, repeating their border."""
    _, _, rows, columns = fields.shape
    r = torch.arange(rows, device=flow.device, dtype=flow.dtype)[:, None] + flow[:, 0]
    c = torch.arange(columns, device=flow.device, dtype=flow.dtype) + flow[:, 1]
    places = torch.stack([(2 * c + 1) / columns - 1, (2 * r + 1) / rows - 1], -1)
    return grid_sample(fields, places, padding_mode="border", align_corners=False)


def _dis(source: Tensor, target: Tensor) -> Tensor:
    import cv2

    _, rows, columns = source.shape
    scale = max(1.0, LEAST_PIXELS / min(rows, columns))
    size = (max(LEAST_PIXELS, round(columns * scale)), max(LEAST_PIXELS, round(rows * scale)))
    low, high = float(min(source.min(), target.min())), float(max(source.max(), target.max()))
    stretch = 255 / max(high - low, 1e-6)
    one, other = (((x - low) * stretch).numpy().astype(np.uint8) for x in (source, target))
    method = cv2.DISOpticalFlow.create(cv2.DISOPTICAL_FLOW_PRESET_MEDIUM)
    found = np.empty((len(one), 2, rows, columns), np.float32)
    for n in range(len(one)):
        a, b = (cv2.resize(x[n], size, interpolation=cv2.INTER_LINEAR) for x in (one, other))
        flow = cv2.resize(
            method.calc(b, a, np.zeros((size[1], size[0], 2), np.float32)),
            (columns, rows),
            interpolation=cv2.INTER_AREA,
        )
        found[n, 0], found[n, 1] = flow[..., 1] * (rows / size[1]), flow[..., 0] * (columns / size[0])
    return torch.from_numpy(found)


def _demons(source: Tensor, target: Tensor) -> Tensor:
    images = z_scored(torch.stack([source, target], 1).float())
    flow = images.new_zeros(len(images), 2, 1, 1)
    for level in range(LEVELS - 1, -1, -1):
        size = [max(8, n >> level) for n in source.shape[1:]]
        moving, fixed = interpolate(images, size=size, mode="bilinear", antialias=True).split(1, 1)
        grown = images.new_tensor([size[0] / flow.shape[2], size[1] / flow.shape[3]])[:, None, None]
        flow = interpolate(flow, size=size, mode="bilinear") * grown
        slope = torch.cat(torch.gradient(fixed, dim=(2, 3)), 1)
        steepness = (slope**2).sum(1, keepdim=True)
        for _ in range(STEPS):
            difference = warp(moving, flow) - fixed
            # Thirion's force, opposite to the slope along which the warped image is too bright.
            flow = flow - difference * slope / (steepness + difference**2 + 1e-3)
            for _ in range(SMOOTHING):
                flow = avg_pool2d(flow, 5, stride=1, padding=2, count_include_pad=False)
    return flow
