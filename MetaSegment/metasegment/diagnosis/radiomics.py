"""Shape, intensity and texture of a subject as a row of numbers, of the kinds that radiomics uses.

First-order statistics as the Image Biomarker Standardisation Initiative defines them (Zwanenburg et al., Radiology
2020), of the image and of two bands of detail in it; shape by the principal axes of the voxels.
"""

from __future__ import annotations

import torch
from torch import Tensor

from ..transfer.context import blurred
from .subject import Subject

#: Widths in voxels of the two blurs between which the bands of detail lie.
FINE, COARSE = 3, 9
PERCENTILES = (0.05, 0.25, 0.5, 0.75, 0.95)
#: Values looked at for the percentiles.
SAMPLE = 65536


def radiomic_features(subject: Subject) -> Tensor:
    """Features (f,) float32: 27 of intensity and texture, and for a structure 5 of shape."""
    image, mask = subject.image, subject.mask
    fine, coarse = blurred(image, FINE), blurred(image, COARSE)
    bands = (image, image - fine, fine - coarse)
    seen = [band.flatten() if mask is None else band[mask] for band in bands]
    parts = [_first_order(values) for values in seen]
    if mask is not None:
        parts.append(_shape(mask, subject.spacing))
    return torch.cat(parts)


def _first_order(values: Tensor) -> Tensor:
    """Mean, deviation, skewness, kurtosis and percentiles (9,) of values (n,)."""
    mean, deviation = values.mean(), values.std(correction=0)
    standard = (values - mean) / deviation.clamp(min=1e-6)
    moments = torch.stack([mean, deviation, (standard**3).mean(), (standard**4).mean()])
    sample = values[:: max(1, len(values) // SAMPLE)]
    return torch.cat([moments, sample.quantile(torch.tensor(PERCENTILES))])


def _shape(mask: Tensor, spacing: tuple[float, float, float]) -> Tensor:
    """Logarithms of the volume in mm³ and of the largest principal axis in mm, the other axes as shares of it, and the
    share of the box around it that the structure fills (5,).
    """
    cells = mask.nonzero()
    places = cells.float() * torch.tensor(spacing)
    axes = torch.linalg.eigvalsh(torch.cov(places.T, correction=0)).clamp(min=0).sqrt().flip(0)
    longest = axes[0].clamp(min=min(spacing) / 4)  # a lone voxel has a size, too
    box = (cells.amax(0) - cells.amin(0) + 1).prod()
    volume = torch.tensor(len(cells) * spacing[0] * spacing[1] * spacing[2])
    return torch.stack([volume.log(), longest.log(), axes[1] / longest, axes[2] / longest, len(cells) / box])
